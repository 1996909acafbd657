"""Time limits: whatever DynamoDB, the mail service and the OpenID provider do, there is an answer in time."""

import time as real_time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from unittest import mock

import pytest
from botocore.awsrequest import AWSPreparedRequest

from chalicelib import deadline
from chalicelib.accounts import accounts
from chalicelib.authorizer.bearer import bearer
from chalicelib.authorizer.gateway import authorizer
from chalicelib.models.client import Client
from chalicelib.models.table import CONNECT_TIMEOUT, READ_TIMEOUT, RETRIES, StorageError
from tests.conftest import Log
from tests.expect import assert_error, assert_error_page
from tests.faults import FAULTS, Response, intercepted, storage_fails
from tests.harness import ARN, PASSWORD, App, Browser, Deployment
from tests.mails import Mailbox
from tests.openid_provider import Provider
from tests.pages.test_upstream import CALLBACK, leave, provider

__all__ = ["provider"]

ONE_REQUEST = CONNECT_TIMEOUT + READ_TIMEOUT


class Stopwatch:
    """The time that requests to DynamoDB take, and when they began."""

    def __init__(self) -> None:
        self.now = 0.0
        self.began: list[float] = []

    def takes(self, seconds: float, answer: Response | None = None) -> AbstractContextManager[mock.Mock]:
        """Let each request take so long, and end so."""

        def handle(_: AWSPreparedRequest) -> Response | None:
            self.began.append(self.now)
            self.now += seconds
            return answer

        return intercepted(handle)


@pytest.fixture
def stopwatch() -> Iterator[Stopwatch]:
    watch = Stopwatch()
    with mock.patch.object(deadline, "time", mock.Mock(monotonic=lambda: watch.now)):
        yield watch


@pytest.fixture
def app(deployment: Deployment) -> App:
    deployment.add_account()
    return deployment.add_app(grant_types=("authorization_code", "client_credentials"))


def test_a_slow_page_ends_in_time_and_asks_nothing_more(
    deployment: Deployment, app: App, stopwatch: Stopwatch
) -> None:
    """Each request is answered just in time, and the page makes twenty of them."""
    accounts.add("operator@example.org", PASSWORD, is_operator=True)
    operator = deployment.signed_in_browser("operator@example.org")
    with stopwatch.takes(2.9):
        answer = operator.get(f"/applications/{app.client_id}")
    assert_error_page(answer, 503)
    assert int(answer.headers["retry-after"]) > 0
    assert max(stopwatch.began) < deadline.REQUEST <= stopwatch.now < deadline.REQUEST + ONE_REQUEST


def test_a_retry_is_not_sent_when_time_is_over(app: App, stopwatch: Stopwatch) -> None:
    with stopwatch.takes(deadline.REQUEST, FAULTS["unavailable"]()):
        answer = app.token(grant_type="client_credentials")
    assert_error(answer, "temporarily_unavailable", 503)
    assert int(answer.headers["retry-after"]) > 0
    assert stopwatch.began == [0]


def test_each_request_has_its_own_time(app: App, stopwatch: Stopwatch) -> None:
    with stopwatch.takes(2.9):
        for _ in range(10):
            assert app.token(grant_type="client_credentials").status == 200


@pytest.mark.parametrize("function", [bearer, authorizer])
def test_an_authorizer_answers_before_an_http_api_gives_up(
    app: App, stopwatch: Stopwatch, log: Log, function: Callable[[dict[str, str], None], object]
) -> None:
    """API Gateway makes 500 of an exception, which our template makes 503, and keeps no answer."""
    token = app.token(grant_type="client_credentials").json["access_token"]
    event = {"type": "TOKEN", "authorizationToken": f"Bearer {token}", "methodArn": f"{ARN}/prod/GET/api/me"}
    with (
        stopwatch.takes(2.9, FAULTS["unavailable"]()),
        pytest.raises(StorageError, match="the time of the invocation is over"),
    ):
        function(event, None)
    assert stopwatch.began == [0, 2.9]
    assert deadline.AUTHORIZER + ONE_REQUEST < 10
    told = log.event("authorizer.failed")
    assert (told["decision"], told["reason"]) == ("failed", "storage")


def test_nothing_is_asked_of_the_mail_service_when_time_is_over(
    deployment: Deployment, mailbox: Mailbox, stopwatch: Stopwatch
) -> None:
    browser = Browser()
    page = browser.get("/sign-up")
    with stopwatch.takes(2.2):  # Seven requests come before the mail.
        answer = browser.submit(page, email="new@example.org")
    assert_error_page(answer, 503)
    assert len(stopwatch.began) == 7
    assert not mailbox.mails


def test_nothing_is_asked_of_the_provider_when_time_is_over(
    deployment: Deployment, provider: Provider, stopwatch: Stopwatch
) -> None:
    browser = Browser()
    back = f"{CALLBACK}?{provider.sign_in(leave(browser).location)}"
    asked = len(provider.asked)
    with stopwatch.takes(deadline.REQUEST):
        assert_error_page(browser.get(back), 502)
    assert len(provider.asked) == asked


def test_who_did_not_say_how_long_has_no_end(deployment: Deployment, stopwatch: Stopwatch) -> None:
    with stopwatch.takes(100):
        assert Client.find("unknown") is None
        assert Client.find("unknown") is None


# Retries


@pytest.mark.parametrize(("fault", "longest"), [("throttled", 1), ("unavailable", 0.025)])
def test_a_retry_comes_after_a_while_that_chance_decides(
    deployment: Deployment, fault: str, longest: float
) -> None:
    """botocore's: `standard` retries wait for a random part of what doubles each time."""
    waits = []
    for _ in range(5):
        with storage_fails(FAULTS[fault]) as sleep, pytest.raises(StorageError):
            Client.find("id")
        waits.append([call.args[0] for call in sleep.call_args_list])
    assert all(len(waited) == RETRIES for waited in waits)
    assert all(0 <= wait <= longest * 2**n for waited in waits for n, wait in enumerate(waited))
    assert len({waited[0] for waited in waits}) == 5


def test_a_pause_is_left_to_chance_and_is_never_long(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(real_time, "sleep", waits.append)
    for attempt in [1] * 20 + [20] * 20:
        deadline.pause(attempt)
    assert len(set(waits)) == 40
    assert max(waits[:20]) <= 0.04 < max(waits[20:]) <= deadline.LONGEST_PAUSE
