"""Redeeming a code (RFC 6749 section 4.1.3, RFC 7636): once, by whom it was meant for."""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable

import pytest

from chalicelib import clock
from chalicelib.accounts import accounts
from tests.conftest import Time
from tests.harness import EMAIL, App, Deployment, is_alive

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
PKCE = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}


@pytest.fixture
def app(deployment: Deployment) -> App:
    deployment.add_account()
    return deployment.add_app()


def mutated(credential: str, position: int = -1) -> str:
    characters = list(credential)
    characters[position] = "A" if characters[position] != "A" else "B"
    return "".join(characters)


def test_a_code_redeemed_twice_revokes_the_grant(deployment: Deployment, app: App) -> None:
    code = deployment.code(app)
    token = app.exchange(code).json["access_token"]
    assert is_alive(token)
    again = app.exchange(code)
    assert (again.status, again.json["error"]) == (400, "invalid_grant")
    assert not is_alive(token)


def test_a_code_redeemed_again_after_it_expired_revokes_the_grant_too(
    deployment: Deployment, app: App, time: Time
) -> None:
    code = deployment.code(app)
    token = app.exchange(code).json["access_token"]
    time.passes(3600)
    assert app.exchange(code).status == 400
    assert not is_alive(token)


def test_a_code_lives_for_a_minute_on_any_clock(deployment: Deployment, app: App, time: Time) -> None:
    young, old = deployment.code(app), deployment.code(app)
    time.passes(60 + clock.SKEW - 1)
    assert app.exchange(young).status == 200
    time.passes(1)
    assert app.exchange(old).json["error"] == "invalid_grant"


def test_the_lifetime_of_a_code_can_be_set(
    deployment: Deployment, app: App, time: Time, change_setting: Callable[[str, object], None]
) -> None:
    change_setting("authorization_code_lifetime", 600)
    code = deployment.code(app)
    time.passes(599)
    assert app.exchange(code).status == 200


def test_the_lifetime_of_a_token_can_be_set(
    deployment: Deployment, app: App, time: Time, change_setting: Callable[[str, object], None]
) -> None:
    change_setting("access_token_lifetime", 3600)
    answer = app.exchange(deployment.code(app)).json
    assert answer["expires_in"] == 3600
    time.passes(3599)
    assert is_alive(answer["access_token"])
    time.passes(1)
    assert not is_alive(answer["access_token"])


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "https://app.example.com/callback/",
        "https://app.example.com/callback?x=1",
        "https://APP.example.com/callback",
        "https://evil.example/callback",
        "https://app.example.com/%63allback",
        "é",
    ],
)
def test_a_wrong_redirect_uri_consumes_nothing(deployment: Deployment, app: App, redirect_uri: str) -> None:
    code = deployment.code(app)
    assert app.exchange(code, redirect_uri=redirect_uri).json["error"] == "invalid_grant"
    assert is_alive(app.exchange(code).json["access_token"])


def test_another_client_consumes_nothing(deployment: Deployment, app: App) -> None:
    code = deployment.code(app)
    thief = deployment.add_app(name="Thief")
    assert thief.exchange(code).json["error"] == "invalid_grant"
    token = app.exchange(code).json["access_token"]
    assert thief.exchange(code).json["error"] == "invalid_grant"
    assert is_alive(token)


@pytest.mark.parametrize("position", [-1, 12, 20])
def test_a_guess_at_a_code_consumes_and_revokes_nothing(
    deployment: Deployment, app: App, position: int
) -> None:
    code = deployment.code(app)
    assert app.exchange(mutated(code, position)).json["error"] == "invalid_grant"
    token = app.exchange(code).json["access_token"]
    assert app.exchange(mutated(code, position)).json["error"] == "invalid_grant"
    assert is_alive(token)


@pytest.mark.parametrize("code", ["x", "oac_", "oac_" + "A" * 36, "oat_" + "A" * 36, "oac_" + "é" * 36])
def test_what_was_never_a_code(app: App, code: str) -> None:
    assert app.exchange(code).json["error"] == "invalid_grant"


def test_a_code_is_no_access_token_and_the_reverse(deployment: Deployment, app: App) -> None:
    code = deployment.code(app)
    assert not is_alive(code)
    token = app.exchange(code).json["access_token"]
    assert app.exchange(token).json["error"] == "invalid_grant"
    assert app.exchange("oac_" + token[4:]).json["error"] == "invalid_grant"
    assert not is_alive("oat_" + code[4:])
    assert is_alive(token)


def test_a_replay_that_cannot_prove_possession_revokes_nothing(deployment: Deployment, app: App) -> None:
    code = deployment.code(app, **PKCE)
    token = app.exchange(code, code_verifier=VERIFIER).json["access_token"]
    assert app.exchange(code, code_verifier="x" * 43).status == 400
    assert app.exchange(code).status == 400
    assert is_alive(token)
    assert app.exchange(code, code_verifier=VERIFIER).status == 400
    assert not is_alive(token)


@pytest.mark.parametrize("public", [True, False])
def test_the_right_verifier_redeems(deployment: Deployment, public: bool) -> None:
    deployment.add_account()
    app = deployment.add_app(public=public)
    code = deployment.code(app, **PKCE)
    assert app.exchange(code, code_verifier=VERIFIER).status == 200


@pytest.mark.parametrize(
    ("verifier", "error"),
    [
        (None, "invalid_grant"),
        ("y" * 43, "invalid_grant"),
        (CHALLENGE, "invalid_grant"),
        ("x" * 42, "invalid_request"),
        ("x" * 129, "invalid_request"),
        ("x" * 42 + "!", "invalid_request"),
    ],
)
def test_a_wrong_verifier_consumes_nothing(
    deployment: Deployment, app: App, verifier: str | None, error: str
) -> None:
    code = deployment.code(app, **PKCE)
    assert app.exchange(code, code_verifier=verifier).json["error"] == error
    assert app.exchange(code, code_verifier=VERIFIER).status == 200


def test_a_verifier_without_a_challenge_is_refused(deployment: Deployment, app: App) -> None:
    code = deployment.code(app)
    assert app.exchange(code, code_verifier=VERIFIER).json["error"] == "invalid_grant"
    assert app.exchange(code).status == 200


def test_codes_are_for_clients_of_that_grant_type(deployment: Deployment, app: App) -> None:
    other = deployment.add_app(grant_types=("client_credentials",))
    assert other.exchange(deployment.code(app)).json["error"] == "unauthorized_client"


def test_scope_is_what_the_user_allowed_whatever_the_token_request_says(
    deployment: Deployment, app: App
) -> None:
    code = deployment.code(app, scope="read")
    assert app.exchange(code, scope="read write").json["scope"] == "read"


def test_a_code_of_a_revoked_grant_yields_nothing(deployment: Deployment, app: App) -> None:
    code = deployment.code(app)
    account = accounts.find_by_email(EMAIL)
    assert account
    accounts.disable(account)
    assert app.exchange(code).json["error"] == "invalid_grant"
