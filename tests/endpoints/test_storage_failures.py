"""The token endpoint while DynamoDB fails, at each step: 503, and nothing has changed."""

from typing import Any

import pytest

from chalicelib.oauth import clients, grants
from tests.conftest import Log
from tests.expect import assert_error
from tests.faults import CONFLICT, FAULTS, answer_gets_lost, storage_fails
from tests.harness import CALLBACK, DEVICE_CODE, App, Deployment, is_alive

Changing = dict[str, dict[str, str | None]]


@pytest.fixture
def app(deployment: Deployment) -> App:
    deployment.add_account()
    grant_types = ("authorization_code", "refresh_token", "client_credentials", DEVICE_CODE)
    return deployment.add_app(grant_types=grant_types)


@pytest.fixture
def changing(deployment: Deployment, app: App) -> Changing:
    """Return requests that change what is stored, by grant type."""
    browser = deployment.signed_in_browser()
    device = app.start_device().json
    deployment.decide(device["user_code"], browser)
    parameters: dict[str, dict[str, str | None]] = {
        "authorization_code": {"code": deployment.code(app, browser), "redirect_uri": CALLBACK},
        "refresh_token": {"refresh_token": deployment.tokens(app, browser)["refresh_token"]},
        "client_credentials": {},
        DEVICE_CODE: {"device_code": device["device_code"]},
    }
    return {name: {"grant_type": name, **fields} for name, fields in parameters.items()}


@pytest.mark.parametrize("operation", ["GetItem", "PutItem"])
@pytest.mark.parametrize("fault", FAULTS)
def test_failing_storage_is_temporarily_unavailable_and_changes_nothing(
    deployment: Deployment, app: App, changing: Changing, fault: str, operation: str
) -> None:
    before = deployment.snapshot()
    for fields in changing.values():
        clients.forget()
        with storage_fails(FAULTS[fault], operation):
            answer = app.token(**fields)
        assert_error(answer, "temporarily_unavailable", 503)
        assert int(answer.headers["retry-after"]) > 0
    assert deployment.snapshot() == before
    assert all(app.token(**fields).status == 200 for fields in changing.values())


def test_too_many_conflicts_are_temporarily_unavailable(
    deployment: Deployment, app: App, changing: Changing
) -> None:
    before = deployment.snapshot()
    with storage_fails(CONFLICT, "PutItem"):
        for fields in changing.values():
            assert_error(app.token(**fields), "temporarily_unavailable", 503)
    assert deployment.snapshot() == before


@pytest.mark.parametrize(
    "grant_type", ["authorization_code", "refresh_token", "client_credentials", DEVICE_CODE]
)
def test_a_write_whose_answer_got_lost_counts_once(
    deployment: Deployment, app: App, changing: Changing, grant_type: str
) -> None:
    rows = len(deployment.snapshot()["grants"])
    with answer_gets_lost("PutItem") as lost:
        answer = app.token(**changing[grant_type])
    assert lost == ["PutItem"]
    assert answer.status == 200
    assert is_alive(answer.json["access_token"])
    added = 1 if grant_type == "client_credentials" else 0
    assert len(deployment.snapshot()["grants"]) == rows + added


def test_a_bug_of_ours_tells_nothing_about_itself(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, log: Log
) -> None:
    def crash(*_: Any) -> None:
        raise RuntimeError("inner workings")

    monkeypatch.setattr(grants, "token_request", crash)
    answer = deployment.add_app().token(grant_type="authorization_code")
    assert_error(answer, "server_error", 500)
    assert "inner" not in answer.body
    told = log.event("error.unexpected")
    assert (told["level"], told["exception"]) == ("ERROR", "builtins.RuntimeError")
    assert told["traceback"][-1].endswith(" crash")
    assert "inner workings" not in log.text  # Of a mistake nobody knows what its message quotes.
