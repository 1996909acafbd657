"""For each page: strangers, other accounts, and forms that did not come from it get nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

import pytest

import app as application
from chalicelib.models.user import Account
from chalicelib.oauth import registration
from chalicelib.oauth.registration import ClientMetadata
from chalicelib.pages.browser import Browser as PageBrowser
from tests.harness import (
    CALLBACK,
    DEVICE_CODE,
    EMAIL,
    FORM,
    PASSWORD,
    Answer,
    App,
    Browser,
    Deployment,
    event,
    send,
)
from tests.mails import Mailbox

OTHER = "other@example.org"

FOR_ANYBODY = {
    "/",
    "/developers",
    "/sign-in",
    "/sign-in/upstream/callback",
    "/sign-up",
    "/sign-up/confirm",
    "/forgotten-password",
    "/forgotten-password/confirm",
    "/oauth2/authorize",
}
"""Pages that strangers may see."""

AT_A_PROVIDER = {"/sign-in/upstream"}
"""A form that needs an OpenID provider: `test_upstream.py` has it."""

ACTIONS: dict[str, dict[str, str]] = {
    "/oauth2/authorize": {"decision": "allow"},
    "/sign-in": {"email": EMAIL, "password": PASSWORD, "continue": "/connections"},
    "/sign-out": {},
    "/sign-up": {"email": "new@example.org"},
    "/sign-up/confirm": {"code": "BBBB-BBBB", "new_password": "another password"},
    "/forgotten-password": {"email": EMAIL},
    "/forgotten-password/confirm": {"code": "BBBB-BBBB", "new_password": "another password"},
    "/account/password": {"current_password": PASSWORD, "new_password": "another password"},
    "/account/sign-out-everywhere": {},
    "/connections": {"client_id": "{client_id}"},
    "/device": {"user_code": "BBBB-BBBB"},
    "/device/decision": {"user_code": "{user_code}", "decision": "allow"},
    "/applications/new": {
        "application_type": "service",
        "nonce": "x" * 22,
        "client_name": "New",
        "scope:read": "on",
    },
    "/applications/{client_id}/edit": {
        "revision": "{revision}",
        "client_name": "Renamed",
        "redirect_uris": CALLBACK,
        "scope:read": "on",
    },
    "/applications/{client_id}/secret": {"revision": "{revision}", "overlap": "0"},
    "/applications/{client_id}/delete": {},
}
"""Each form that a page has, and what it sends besides the CSRF token when it does something.

A wrong code does something: it is counted.
"""

FIRST = {"/sign-up/confirm": "/sign-up", "/forgotten-password/confirm": "/forgotten-password"}
"""The forms that are sent before others."""

BY_KNOWLEDGE = {"/sign-in", "/sign-up", "/forgotten-password", *FIRST}
"""Forms that are about whoever knows something, whoever is signed in."""

NOT_PAGES = (
    "/oauth2/access_token",
    "/oauth2/token",
    "/oauth2/revoke",
    "/oauth2/introspect",
    "/oauth2/device_authorization",
    "/.well-known/",
    "/api/",
    "/static/",
)


@dataclass(frozen=True)
class Scene:
    """Somebody who is signed in, and connected to an application of theirs."""

    deployment: Deployment
    owner: Account
    browser: Browser
    app: App
    user_code: str
    """What a device of theirs shows."""

    def path(self, route: str) -> str:
        return route.format(client_id=self.app.client_id)

    def query(self, route: str) -> dict[str, str]:
        if route != "/oauth2/authorize":
            return {}
        return {
            "client_id": self.app.client_id,
            "redirect_uri": self.app.redirect_uri,
            "response_type": "code",
        }

    def get(self, route: str, cookies: dict[str, str]) -> Answer:
        return self._send("GET", route, cookies, None)

    def post(self, route: str, cookies: dict[str, str], csrf_token: str | None) -> Answer:
        """Send the form of a page, as the one who has these cookies."""
        client = self.deployment.client(self.app)
        values = {
            "client_id": client.client_id,
            "revision": client.revision,
            "user_code": self.user_code,
        }
        fields = {name: value.format(**values) for name, value in ACTIONS[route].items()}
        if csrf_token is not None:
            fields["csrf_token"] = csrf_token
        return self._send("POST", route, cookies, urlencode(fields))

    def _send(self, method: str, route: str, cookies: dict[str, str], body: str | None) -> Answer:
        headers = {"Content-Type": FORM} if body is not None else {}
        if cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        sent = event(method, self.path(route), query=self.query(route), headers=headers, body=body)
        return send(sent)

    def snapshot(self) -> list[str]:
        """Return what is stored of the owner: account, sessions, consents, grants, applications."""
        stored = self.deployment.snapshot()
        owner = {"S": self.owner.user_id}
        mine = [
            *(row for row in stored["clients"] if row.get("owner") == owner),
            *(row for row in stored["grants"] if row.get("user_id") == owner),
            *(row for row in stored["users"] if owner in (row["user_id"], row.get("account_id"))),
            *(row for row in stored["sessions"] if row.get("user_id") == owner),
        ]
        return sorted(map(str, mine))


@pytest.fixture
def scene(deployment: Deployment, change_setting: Callable[[str, object], None], mailbox: Mailbox) -> Scene:
    change_setting("may_register", "everyone")
    change_setting("client_cache_lifetime", 0)
    owner = deployment.add_account()
    deployment.add_account(OTHER)
    metadata = ClientMetadata(client_name="Mine", redirect_uris=(CALLBACK,))
    client, secret = registration.register(metadata, owner.user_id)
    app = App(client.client_id, secret)
    browser = deployment.signed_in_browser()
    deployment.tokens(app, browser)
    television = deployment.add_app(public=True, grant_types=(DEVICE_CODE,), redirect_uris=())
    user_code = television.post("/oauth2/device_authorization").json["user_code"]
    return Scene(deployment, owner, browser, app, user_code)


def routes(method: str) -> set[str]:
    """Return the routes of pages that answer to a method."""
    return {
        path
        for path, methods in application.app.routes.items()
        if method in methods and not path.startswith(NOT_PAGES)
    }


def csrf_token(cookies: dict[str, str]) -> str:
    """Return the token of the forms that a browser with these cookies is shown."""
    return PageBrowser(cookies["__Host-session"], is_new=False, secure=True).csrf_token


def test_every_form_of_a_page_is_here() -> None:
    assert routes("POST") == set(ACTIONS) | AT_A_PROVIDER


@pytest.mark.parametrize("route", sorted(routes("GET") - FOR_ANYBODY))
def test_a_stranger_is_sent_to_sign_in_and_back(scene: Scene, route: str) -> None:
    answer = scene.get(route, {})
    assert answer.status == 303
    assert answer.location == "/sign-in?" + urlencode({"continue": scene.path(route)})
    assert answer.body == ""


@pytest.mark.parametrize("route", sorted(ACTIONS))
def test_the_form_does_something(scene: Scene, route: str) -> None:
    """So the other tests here could fail."""
    token = csrf_token(scene.browser.cookies)
    if route in FIRST:
        scene.post(FIRST[route], scene.browser.cookies, token)
    before = scene.deployment.snapshot()
    scene.post(route, scene.browser.cookies, token)
    assert scene.deployment.snapshot() != before


@pytest.mark.parametrize("route", sorted(ACTIONS))
def test_a_stranger_changes_nothing(scene: Scene, route: str) -> None:
    before = scene.deployment.snapshot()
    visitor = Browser()
    visitor.get("/sign-in")
    for cookies in ({}, {"__Host-session": "obs_" + "x" * 36}, visitor.cookies):
        token = csrf_token(cookies) if route not in BY_KNOWLEDGE and cookies else "0" * 64
        answer = scene.post(route, cookies, token)
        assert answer.status in (200, 303, 403), answer
        assert "location" not in answer.headers or answer.location.startswith("/sign-in?")
    assert scene.deployment.snapshot() == before


@pytest.mark.parametrize("route", sorted(ACTIONS))
def test_a_form_from_elsewhere_changes_nothing(scene: Scene, route: str) -> None:
    stale, neighbour = Browser(), scene.deployment.signed_in_browser()
    stale.get("/sign-in")
    other = scene.deployment.signed_in_browser(OTHER)
    if route in FIRST:
        scene.post(FIRST[route], scene.browser.cookies, csrf_token(scene.browser.cookies))
    before = scene.deployment.snapshot()
    tokens = [None, "", "0" * 64, "é", *(csrf_token(them.cookies) for them in (stale, neighbour, other))]
    for token in tokens:
        assert scene.post(route, scene.browser.cookies, token).status == 403, token
    assert scene.deployment.snapshot() == before


@pytest.mark.parametrize("route", sorted(set(ACTIONS) - BY_KNOWLEDGE))
def test_another_account_changes_nothing_of_mine(scene: Scene, route: str) -> None:
    other = scene.deployment.signed_in_browser(OTHER)
    before = scene.snapshot()
    answer = scene.post(route, other.cookies, csrf_token(other.cookies))
    assert answer.status < 500
    assert scene.snapshot() == before
    if "{client_id}" in route:
        assert answer.status == 404


@pytest.mark.parametrize("route", sorted(route for route in routes("GET") if "{client_id}" in route))
def test_another_account_sees_nothing_of_mine(scene: Scene, route: str) -> None:
    other = scene.deployment.signed_in_browser(OTHER)
    answer = scene.get(route, other.cookies)
    assert answer.status == 404
    assert "Mine" not in answer.body
