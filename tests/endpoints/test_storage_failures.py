"""The token endpoint while others are always faster, and while we make a mistake. See also `tests/matrix`."""

from typing import Any

import pytest

from chalicelib.oauth import grants
from tests.conftest import Log
from tests.expect import assert_error
from tests.faults import CONFLICT, storage_fails
from tests.harness import CALLBACK, DEVICE_CODE, App, Deployment

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


def test_too_many_conflicts_are_temporarily_unavailable(
    deployment: Deployment, app: App, changing: Changing
) -> None:
    before = deployment.snapshot()
    with storage_fails(CONFLICT, "PutItem"):
        for fields in changing.values():
            assert_error(app.token(**fields), "temporarily_unavailable", 503)
    assert deployment.snapshot() == before


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
