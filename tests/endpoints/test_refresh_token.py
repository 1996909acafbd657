"""Refreshing (RFC 6749 section 6, RFC 9700 section 2.2.2): one chain, honest retries, theft noticed."""

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib import clock
from chalicelib.oauth.tokens import MAX_ACCESS_TOKENS
from tests.conftest import Time
from tests.harness import App, Deployment, is_alive

DAY = 86400


@pytest.fixture
def app(deployment: Deployment) -> App:
    deployment.add_account()
    return deployment.add_app(grant_types=("authorization_code", "refresh_token"))


@pytest.fixture
def first(deployment: Deployment, app: App, time: Time) -> Any:
    """The tokens of a fresh authorization."""
    return deployment.tokens(app, scope="read write")


def test_a_refresh_yields_a_new_pair(app: App, first: Any) -> None:
    second = app.refresh(first["refresh_token"]).json
    assert set(second) == {"access_token", "token_type", "expires_in", "scope", "refresh_token"}
    assert len(second["refresh_token"]) == len(second["access_token"]) == 40
    assert second["refresh_token"] != first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    assert (second["scope"], second["expires_in"]) == ("read write", 2592000)
    assert is_alive(second["access_token"])


def test_the_access_token_before_stays_valid(app: App, first: Any) -> None:
    app.refresh(first["refresh_token"])
    assert is_alive(first["access_token"])


def test_a_retry_within_the_window_is_told_the_same(app: App, first: Any, time: Time) -> None:
    second = app.refresh(first["refresh_token"]).json
    time.passes(60 + clock.SKEW - 1)
    retried = app.refresh(first["refresh_token"]).json
    assert retried["access_token"] == second["access_token"]
    assert retried["refresh_token"] == second["refresh_token"]
    assert retried["expires_in"] == second["expires_in"] - 60 - clock.SKEW + 1


def test_after_a_retry_the_chain_goes_on(app: App, first: Any) -> None:
    app.refresh(first["refresh_token"])
    retried = app.refresh(first["refresh_token"]).json
    third = app.refresh(retried["refresh_token"])
    assert third.status == 200
    assert is_alive(third.json["access_token"])


def test_a_traded_token_after_the_window_is_theft(app: App, first: Any, time: Time) -> None:
    second = app.refresh(first["refresh_token"]).json
    time.passes(60 + clock.SKEW)
    assert app.refresh(first["refresh_token"]).json["error"] == "invalid_grant"
    assert not is_alive(second["access_token"])
    assert not is_alive(first["access_token"])
    assert app.refresh(second["refresh_token"]).json["error"] == "invalid_grant"


def test_a_traded_token_after_its_successor_was_used_is_theft(app: App, first: Any) -> None:
    second = app.refresh(first["refresh_token"]).json
    third = app.refresh(second["refresh_token"]).json
    assert app.refresh(first["refresh_token"]).json["error"] == "invalid_grant"
    assert not is_alive(third["access_token"])


def test_an_old_token_is_recognised_however_many_came_after(app: App, first: Any, time: Time) -> None:
    tokens = first
    for _ in range(30):
        time.passes(DAY)
        tokens = app.refresh(tokens["refresh_token"]).json
    assert is_alive(tokens["access_token"])
    assert app.refresh(first["refresh_token"]).json["error"] == "invalid_grant"
    assert not is_alive(tokens["access_token"])


def test_without_a_window_every_second_use_is_theft(
    app: App, first: Any, time: Time, change_setting: Callable[[str, object], None]
) -> None:
    change_setting("refresh_retry_window", 0)
    second = app.refresh(first["refresh_token"]).json
    app.refresh(first["refresh_token"])
    assert not is_alive(second["access_token"])


@pytest.mark.parametrize("position", [-1, -6, -7, 12])
def test_a_guess_revokes_nothing(app: App, first: Any, position: int) -> None:
    characters = list(first["refresh_token"])
    characters[position] = "A" if characters[position] != "A" else "B"
    assert app.refresh("".join(characters)).json["error"] == "invalid_grant"
    assert is_alive(first["access_token"])
    assert app.refresh(first["refresh_token"]).status == 200


def test_another_client_cannot_refresh_and_revokes_nothing(
    deployment: Deployment, app: App, first: Any
) -> None:
    thief = deployment.add_app(name="Thief", grant_types=("refresh_token", "client_credentials"))
    second = app.refresh(first["refresh_token"]).json
    for token in (first["refresh_token"], second["refresh_token"]):
        assert thief.refresh(token).json["error"] == "invalid_grant"
    assert is_alive(second["access_token"])


def test_a_narrower_scope_is_for_this_access_token_alone(app: App, first: Any) -> None:
    narrow = app.refresh(first["refresh_token"], scope="read").json
    assert narrow["scope"] == "read"
    wide = app.refresh(narrow["refresh_token"]).json
    assert wide["scope"] == "read write"


@pytest.mark.parametrize("scope", ["read admin", "admin", "read  write", '"'])
def test_a_wider_or_unknown_scope_is_refused_and_changes_nothing(
    deployment: Deployment, app: App, first: Any, scope: str
) -> None:
    before = deployment.snapshot()
    assert app.refresh(first["refresh_token"], scope=scope).json["error"] == "invalid_scope"
    assert deployment.snapshot() == before


def test_a_retry_with_another_scope_gets_no_more_than_it_asks_for(app: App, first: Any) -> None:
    wide = app.refresh(first["refresh_token"]).json
    assert app.refresh(first["refresh_token"], scope="read").json["error"] == "invalid_scope"
    assert app.refresh(first["refresh_token"]).json["access_token"] == wide["access_token"]


def test_a_retry_for_more_is_told_what_there_is(app: App, first: Any) -> None:
    app.refresh(first["refresh_token"], scope="read")
    assert app.refresh(first["refresh_token"]).json["scope"] == "read"


def test_an_unused_refresh_token_ends(app: App, first: Any, time: Time) -> None:
    time.passes(90 * DAY)
    assert app.refresh(first["refresh_token"]).json["error"] == "invalid_grant"


def test_use_keeps_a_refresh_token_alive_up_to_its_absolute_end(app: App, first: Any, time: Time) -> None:
    tokens = first
    for _ in range(4):
        time.passes(89 * DAY)
        tokens = app.refresh(tokens["refresh_token"]).json
    time.passes(10 * DAY)
    assert app.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"


def test_a_grant_holds_a_limited_number_of_access_tokens(app: App, first: Any) -> None:
    issued, tokens = [first["access_token"]], first
    for _ in range(MAX_ACCESS_TOKENS):
        tokens = app.refresh(tokens["refresh_token"]).json
        issued.append(tokens["access_token"])
    assert [is_alive(token) for token in issued] == [False] + [True] * MAX_ACCESS_TOKENS


def test_a_retry_does_not_bring_a_revoked_access_token_back(app: App, first: Any) -> None:
    second = app.refresh(first["refresh_token"]).json
    app.post("/oauth2/revoke", token=second["access_token"])
    assert app.refresh(first["refresh_token"]).json["error"] == "invalid_grant"
    assert not is_alive(second["access_token"])
    assert app.refresh(second["refresh_token"]).status == 200


def test_public_clients_refresh_by_rotation_alone(deployment: Deployment) -> None:
    from tests.endpoints.test_authorization_code import PKCE, VERIFIER

    deployment.add_account()
    native = deployment.add_app(public=True, grant_types=("authorization_code", "refresh_token"))
    tokens = native.exchange(deployment.code(native, **PKCE), code_verifier=VERIFIER).json
    assert native.refresh(tokens["refresh_token"]).status == 200


@pytest.mark.parametrize("token", ["", "x", "ort_" + "A" * 36])
def test_what_was_never_a_refresh_token(app: App, token: str) -> None:
    error = app.refresh(token).json["error"]
    assert error == ("invalid_grant" if token else "invalid_request")


def test_the_row_lives_as_long_as_its_refresh_token(
    deployment: Deployment, app: App, first: Any, time: Time
) -> None:
    time.passes(10 * DAY)
    app.refresh(first["refresh_token"])
    (grant,) = deployment.snapshot()["grants"]
    assert int(grant["expires_at"]["N"]) >= time.now + 90 * DAY
