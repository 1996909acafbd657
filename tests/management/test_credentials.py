"""`manage.py credential`: what leaked is told apart, and ended."""

import json
from collections.abc import Callable

import pytest

from chalicelib.oauth import credentials
from chalicelib.oauth.credentials import Kind
from tests.conftest import Time
from tests.harness import DEVICE_CODE, EMAIL, App, Browser, Deployment, is_alive
from tests.management.conftest import CommandLine

SHOW, REVOKE = ("credential", "show"), ("credential", "revoke")


@pytest.fixture
def app(deployment: Deployment) -> App:
    deployment.add_account()
    return deployment.add_app(
        name="Map Editor", grant_types=("authorization_code", "refresh_token", DEVICE_CODE)
    )


@pytest.fixture
def browser(app: App, deployment: Deployment) -> Browser:
    return deployment.signed_in_browser()


def cookie(browser: Browser) -> str:
    return browser.cookies["__Host-session"]


def refresh_token(deployment: Deployment, app: App, browser: Browser) -> str:
    return str(deployment.tokens(app, browser)["refresh_token"])


def exchanged_refresh_token(deployment: Deployment, app: App, browser: Browser) -> str:
    token = refresh_token(deployment, app, browser)
    assert app.refresh(token).status == 200
    return token


def access_token(deployment: Deployment, app: App, browser: Browser) -> str:
    return str(deployment.tokens(app, browser)["access_token"])


def allowed_device_code(deployment: Deployment, app: App, browser: Browser) -> str:
    device = app.start_device().json
    deployment.decide(device["user_code"], browser)
    return str(device["device_code"])


Leak = Callable[[Deployment, App, Browser], str]
OF_GRANTS: dict[str, tuple[str, Leak]] = {
    "access token": ("access token", access_token),
    "refresh token": ("refresh token", refresh_token),
    "exchanged refresh token": ("refresh token", exchanged_refresh_token),
    "authorization code": (
        "authorization code",
        lambda deployment, app, browser: deployment.code(app, browser),
    ),
    "device code": ("device code", allowed_device_code),
}


@pytest.mark.parametrize(("name", "leak"), OF_GRANTS.values(), ids=OF_GRANTS)
def test_a_code_or_token_is_shown_and_ends_with_its_grant(
    name: str, leak: Leak, manager: CommandLine, deployment: Deployment, app: App, browser: Browser
) -> None:
    leaked = leak(deployment, app, browser)
    shown = manager.json(*SHOW, typed=leaked + "\n")
    assert shown == {
        "credential": name,
        "client_id": app.client_id,
        "client_name": "Map Editor",
        "user_id": shown["user_id"],
        "email": EMAIL,
        "grant_id": leaked[4:12],
        "scope": "read",
    }
    assert manager.json(*REVOKE, typed=leaked) == shown | {"grants_revoked": 1}
    grant = manager.json("grant", "show", leaked[4:12])
    assert grant["revoked_because"] == "leaked"
    assert browser.get(app.authorization_url()).status == 200, "the consent was not forgotten"
    assert "opens nothing" in manager.refused(*SHOW, typed=leaked)
    assert "opens nothing" in manager.refused(*REVOKE, typed=leaked)


def test_all_tokens_of_the_grant_end(
    manager: CommandLine, deployment: Deployment, app: App, browser: Browser
) -> None:
    tokens = deployment.tokens(app, browser)
    manager.text(*REVOKE, typed=tokens["refresh_token"])
    assert not is_alive(tokens["access_token"])


def test_a_client_secret_is_shown_and_exchanged_for_another(
    manager: CommandLine, deployment: Deployment, app: App
) -> None:
    leaked = app.client_secret or ""
    shown = manager.json(*SHOW, typed=leaked)
    assert (shown["credential"], shown["client_id"]) == ("client secret", app.client_id)
    revoked = manager.json(*REVOKE, typed=leaked)
    assert app.exchange(deployment.code(app)).status == 401
    renewed = App(app.client_id, revoked["client_secret"])
    assert renewed.exchange(deployment.code(renewed)).status == 200


def test_a_secret_that_came_from_another_system_is_found_too(manager: CommandLine, app: App) -> None:
    entry = {"client_id": "1234", "client_name": "Old", "client_secret": "as it was elsewhere"}
    imported = json.dumps([entry | {"redirect_uris": ["https://old.example/callback"]}])
    manager.text("client", "import", "-", typed=imported)
    assert manager.json(*SHOW, typed="as it was elsewhere")["client_id"] == "1234"


def test_a_session_is_shown_and_ends_with_all_of_its_account(
    manager: CommandLine, deployment: Deployment, app: App, browser: Browser
) -> None:
    other = deployment.signed_in_browser()
    shown = manager.json(*SHOW, typed=cookie(browser))
    assert (shown["credential"], shown["email"]) == ("session", EMAIL)
    manager.text(*REVOKE, typed=cookie(browser))
    for signed_out in (browser, other):
        assert signed_out.get("/connections").status == 303
    assert "opens nothing" in manager.refused(*SHOW, typed=cookie(browser))


def test_looking_at_a_session_does_not_lengthen_it(
    manager: CommandLine, browser: Browser, time: Time, change_setting: Callable[[str, object], None]
) -> None:
    change_setting("session_idle_lifetime", 100)
    time.passes(60)
    manager.text(*SHOW, typed=cookie(browser))
    time.passes(60)
    assert "opens nothing" in manager.refused(*SHOW, typed=cookie(browser))


@pytest.mark.parametrize("leak", [leak for _, leak in OF_GRANTS.values()], ids=OF_GRANTS)
def test_what_was_never_issued_revokes_nothing(
    leak: Leak, manager: CommandLine, deployment: Deployment, app: App, browser: Browser
) -> None:
    """Whoever reports a leak may make it up, with the id of a grant that they know."""
    grant_id = leak(deployment, app, browser)[4:12]
    before = deployment.snapshot()
    for kind in (*Kind, "zzz_"):
        made_up = kind + grant_id + credentials.random_text(28)
        for command in (SHOW, REVOKE):
            assert "opens nothing" in manager.refused(*command, typed=made_up)
    assert deployment.snapshot() == before


@pytest.mark.parametrize("leak", [access_token, allowed_device_code, OF_GRANTS["authorization code"][1]])
def test_what_is_over_opens_nothing(
    leak: Leak, manager: CommandLine, deployment: Deployment, app: App, browser: Browser, time: Time
) -> None:
    leaked = leak(deployment, app, browser)
    time.passes(40 * 86400)
    assert "opens nothing" in manager.refused(*SHOW, typed=leaked)


def test_a_code_that_was_redeemed_opens_nothing(
    manager: CommandLine, deployment: Deployment, app: App, browser: Browser
) -> None:
    code = deployment.code(app, browser)
    assert app.exchange(code).status == 200
    assert "opens nothing" in manager.refused(*SHOW, typed=code)


def test_who_revoked_it_is_in_the_audit_trail_and_the_credential_is_nowhere(
    manager: CommandLine, deployment: Deployment, app: App, browser: Browser
) -> None:
    leaks = [access_token(deployment, app, browser), app.client_secret or "", cookie(browser)]
    before = len(deployment.trail())
    told = [manager.run(*REVOKE, typed=leaked).output for leaked in leaks]
    told += [manager.run(*SHOW, typed=leaked).output for leaked in leaks]
    recorded = deployment.trail()[before:]
    assert [record["event"] for record in recorded] == [
        "grants.revoked",
        "client.secret_rotated",
        "sessions.ended",
    ]
    assert all(str(record["actor"]).startswith("manage.py ") for record in recorded)
    for leaked in leaks:
        assert leaked not in "".join(told)
        assert leaked not in str(recorded)


def test_at_the_terminal_it_asks_before_it_revokes(
    manager: CommandLine, deployment: Deployment, app: App, browser: Browser, at_a_terminal: None
) -> None:
    token = access_token(deployment, app, browser)
    assert manager.run(*REVOKE, typed="n\n" + token).exit_code == 1
    assert is_alive(token)
