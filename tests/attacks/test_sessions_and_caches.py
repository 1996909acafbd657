"""Sessions that somebody else knows, and policies that API Gateway keeps."""

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.authorizer.decision import Unauthorized
from chalicelib.authorizer.gateway import authorizer
from tests.authorizer.test_gateway import request_event, resources, token_event
from tests.conftest import Log
from tests.faults import FAULTS, storage_fails
from tests.harness import ARN, EMAIL, PASSWORD, App, Browser, Deployment
from tests.mails import Mailbox

OTHER = "other@example.org"


@pytest.fixture
def app(deployment: Deployment) -> App:
    deployment.add_account()
    deployment.add_account(OTHER, "another horse")
    return deployment.add_app(grant_types=("authorization_code", "client_credentials"))


def is_signed_in(cookies: dict[str, str]) -> bool:
    browser = Browser()
    browser.cookies = dict(cookies)
    return browser.get("/connections").status == 200


def sign_in(browser: Browser, email: str = EMAIL, password: str = PASSWORD) -> None:
    page = browser.get("/sign-in")
    assert browser.submit(page, email=email, password=password).status == 303


@pytest.mark.parametrize("value", ["obn_" + "x" * 36, "obs_" + "x" * 36, "x" * 40, "x", ""])
def test_a_cookie_that_was_planted_is_never_anybodys_session(app: App, value: str) -> None:
    """Session fixation, with whatever an attacker may plant, and before the form is shown or after it."""
    for cookies in ({"__Host-session": value}, {"__Host-session": value, "session": value}):
        victim = Browser()
        victim.cookies = dict(cookies)
        sign_in(victim)
        assert is_signed_in(victim.cookies)
        assert not is_signed_in(cookies)


def test_signing_in_anew_ends_the_session_that_there_was(app: App) -> None:
    browser = Browser()
    sign_in(browser)
    before = dict(browser.cookies)
    sign_in(browser)
    assert is_signed_in(browser.cookies)
    assert not is_signed_in(before)


def test_signing_up_and_a_new_password_end_the_session_that_there_was(app: App, mailbox: Mailbox) -> None:
    for path, email in (("/sign-up", "new@example.org"), ("/forgotten-password", OTHER)):
        browser = Browser()
        sign_in(browser)
        before = dict(browser.cookies)
        page = browser.get(browser.submit(browser.get(path), email=email).location)
        assert browser.submit(page, code=mailbox.code, new_password="a new password").status == 303
        assert is_signed_in(browser.cookies)
        assert not is_signed_in(before)


def test_an_old_session_that_cannot_be_ended_keeps_nobody_out(app: App, mailbox: Mailbox, log: Log) -> None:
    browser = Browser()
    sign_in(browser)
    page = browser.get(browser.submit(browser.get("/sign-up"), email="new@example.org").location)
    with storage_fails(FAULTS["no table"], "DeleteItem"):
        answer = browser.submit(page, code=mailbox.code, new_password="a new password")
    assert answer.status == 303
    assert "new@example.org" in browser.get("/account").body
    assert log.event("storage.failed")


def test_signing_in_does_not_take_the_session_of_somebody_else_over(deployment: Deployment, app: App) -> None:
    attacker = Browser()
    sign_in(attacker, OTHER, "another horse")
    victim = Browser()
    victim.cookies = dict(attacker.cookies)
    sign_in(victim)
    assert EMAIL in victim.get("/account").body
    assert not is_signed_in(attacker.cookies)


def test_nobody_is_signed_in_by_a_link(app: App) -> None:
    """The form's values in a URL, where they would be logged and sent on, do not count."""
    browser = Browser()
    token = browser.get("/sign-in").form.fields["csrf_token"]
    answer = browser.get(f"/sign-in?email={EMAIL}&password=correct+horse&csrf_token={token}")
    assert answer.status == 200
    assert not is_signed_in(browser.cookies)
    assert "correct" not in answer.body


def token_of(app: App, scope: str) -> str:
    return str(app.token(grant_type="client_credentials", scope=scope).json["access_token"])


Event = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("event", [token_event, request_event])
def test_a_policy_that_is_kept_opens_one_stage_of_one_api_and_no_other(app: App, event: Event) -> None:
    """A token that is good at one API must not get a policy that another one would apply."""
    header = f"Bearer {token_of(app, 'read write')}"
    for stage in (f"{ARN}/prod", f"{ARN}/dev", f"{ARN[:-10]}zzzzzzzzzz/prod"):
        asked = event(header) | {"methodArn": f"{stage}/GET/maps"}
        answer = authorizer(asked, None)
        assert resources(answer)
        assert all(resource.startswith(f"{stage}/") for resource in resources(answer))


@pytest.mark.parametrize("method", ["GET", "*", "G?T", "GET/maps/1/POST", ""])
@pytest.mark.parametrize("path", ["maps", "*", "../admin", "maps/*/x", "?"])
def test_nothing_in_the_request_widens_the_policy(app: App, method: str, path: str) -> None:
    header = f"Bearer {token_of(app, 'read')}"
    honest = authorizer(request_event(header), None)
    asked = request_event(header) | {"methodArn": f"{ARN}/prod/{method}/{path}"}
    try:
        answer = authorizer(asked, None)
    except Unauthorized:
        return
    assert answer["policyDocument"] == honest["policyDocument"]


@pytest.mark.parametrize(
    "spelling",
    [
        "Bearer {},Bearer {}",
        "Bearer {} {}",
        "Bearer {}\x00",
        "Bearer {}\u3000x",
        "Bearer {}=",
        "Bearer  {}.",
        "{}",
    ],
)
def test_what_the_cache_would_take_for_another_key_is_no_token(app: App, spelling: str) -> None:
    token = token_of(app, "read")
    with pytest.raises(Unauthorized):
        authorizer(request_event(spelling.replace("{}", token)), None)


def test_a_token_is_good_at_each_api_that_asks_and_the_api_is_told_for_whom_it_was_issued(app: App) -> None:
    """There is no audience: scopes keep one API's tokens from another one (RFC 6819 section 5.1.5.7)."""
    header = f"Bearer {token_of(app, 'read')}"
    ours = authorizer(request_event(header), None)
    theirs = authorizer(request_event(header) | {"methodArn": f"{ARN[:-10]}zzzzzzzzzz/prod/GET/maps"}, None)
    assert ours["context"] == theirs["context"]
    assert theirs["context"]["client_id"] == app.client_id
    assert resources(theirs)
