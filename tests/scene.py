"""Somebody who is signed in, has an application and is connected to it; and all forms that there are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlencode

import app as application
from chalicelib.models.user import Account
from chalicelib.oauth import registration
from chalicelib.oauth.client_metadata import ClientMetadata
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

OTHER = "other@example.org"

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

    @classmethod
    def of(cls, deployment: Deployment) -> Self:
        """Set it up."""
        owner = deployment.add_account()
        deployment.add_account(OTHER)
        metadata = ClientMetadata(client_name="Mine", redirect_uris=(CALLBACK,))
        client, secret = registration.register(metadata, owner.user_id)
        app = App(client.client_id, secret)
        browser = deployment.signed_in_browser()
        deployment.tokens(app, browser)
        television = deployment.add_app(public=True, grant_types=(DEVICE_CODE,), redirect_uris=())
        return cls(deployment, owner, browser, app, television.start_device().json["user_code"])

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

    def get(self, route: str, cookies: Mapping[str, str], **spoilt: str) -> Answer:
        """Open a page; with these parameters besides, or instead of its own."""
        return self.send("GET", route, cookies, query=self.query(route) | spoilt)

    def post(self, route: str, cookies: Mapping[str, str], csrf_token: str | None, **spoilt: str) -> Answer:
        """Send the form of a page, as the one who has these cookies; with some fields spoilt."""
        fields = self.fields(route) | spoilt
        if csrf_token is not None:
            fields["csrf_token"] = csrf_token
        return self.send("POST", route, cookies, query=self.query(route), fields=fields)

    def fields(self, route: str) -> dict[str, str]:
        """Return what a form sends, less the CSRF token."""
        client = self.deployment.client(self.app)
        values = {
            "client_id": client.client_id,
            "revision": client.revision,
            "user_code": self.user_code,
        }
        return {name: value.format(**values) for name, value in ACTIONS[route].items()}

    def send(
        self,
        method: str,
        route: str,
        cookies: Mapping[str, str],
        *,
        query: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send any request to a route; a POST without fields has an empty form."""
        if method == "POST":
            fields = fields or {}
        sent = {"Content-Type": FORM} if fields is not None else {}
        if cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        return send(
            event(
                method,
                self.path(route),
                query=query or {},
                headers=sent | dict(headers or {}),
                body=None if fields is None else urlencode(fields),
            )
        )

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
