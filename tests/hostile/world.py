"""A deployment that is the same each time, byte for byte: what failed in it once fails again.

Time stands still and chance is drawn from a seed, so ids, tokens and cookies are always the same. After
each request everything that is stored is put back. So a request is known by its event alone.
"""

import base64
import io
import json
import logging
import os
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest import mock

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws
from joserfc.jwk import KeySet, OKPKey

from chalicelib import clock, logs
from chalicelib.events import publisher
from chalicelib.models.client import Client
from chalicelib.oauth import client_assertion, clients, registration
from chalicelib.oauth.client_metadata import ClientMetadata
from chalicelib.scope_rules import to_stage_variable
from tests.events.conftest import QUEUE, Bus
from tests.harness import (
    CALLBACK,
    DEVICE_CODE,
    EMAIL,
    HOST,
    PASSWORD,
    App,
    Browser,
    Deployment,
    authorize,
    basic,
    changed_setting,
    post,
)
from tests.hostile.calls import Call, cookie_of, credentials_of, form_call
from tests.hostile.storage import Storage, in_memory
from tests.mails import Mailbox
from tests.scene import ACTIONS, FIRST, csrf_token, routes

NOW = 1_790_000_000
"""Epoch seconds."""

VERIFIER, CHALLENGE = (
    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
)
PKCE = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
OF_USERS = ("authorization_code", "refresh_token", DEVICE_CODE)
"""Grant types. None of them can take the place of another one with its parameters."""

STRANGER = "stranger@example.org"
RULES = to_stage_variable({"GET /maps/*": "read", "* /maps/*/members": "read write"})


@dataclass(eq=False)
class World:
    """The deployment, and everything in it that is valid."""

    storage: Storage
    deployment: Deployment
    mailbox: Mailbox
    bus: Bus
    chance: random.Random

    def __post_init__(self) -> None:
        self.deployment.add_account()
        self.deployment.add_account(STRANGER)
        self.confidential = self.deployment.add_app(grant_types=OF_USERS, may_introspect=True)
        self.public = self.deployment.add_app(name="Public", public=True)
        self.machine = self.deployment.add_app(name="Machine", grant_types=("client_credentials",))
        self.browser = self.deployment.signed_in_browser()
        self.signer = self._add_signer()
        self.owned, self.revision = self._add_owned()
        self.tokens = self.deployment.tokens(self.confidential, self.browser, scope="read write")
        self.machine_token = self.machine.token(grant_type="client_credentials").json["access_token"]
        self.calls = [*self._token_calls(), *self._form_calls(), *self._page_calls(), *self._api_calls()]
        clients.forget()
        self.storage.keep()

    def _add_signer(self) -> App:
        """Register an application that authenticates by signatures."""
        keys = client_assertion.check_key_set(json.dumps(KeySet([_signing_key()]).as_dict(private=False)))
        metadata = ClientMetadata(
            client_name="Signer",
            grant_types=("client_credentials",),
            token_endpoint_auth_method="private_key_jwt",
            jwks=keys,
        )
        client, _ = registration.register(metadata)
        return App(client.client_id, None)

    def _add_owned(self) -> tuple[App, str]:
        """Register an application as a person does on the pages."""
        owner = self.deployment.client(self.confidential)
        metadata = ClientMetadata(client_name="Mine", redirect_uris=(CALLBACK,), scope=owner.scope)
        client, secret = registration.register(metadata, self.account_id)
        return App(client.client_id, secret), client.revision

    @cached_property
    def account_id(self) -> str:
        """Whose browser it is."""
        app = self.deployment.add_app(name="Asks")
        token = self.deployment.tokens(app, self.browser)["access_token"]
        return str(authorize(token)["context"]["user_id"])

    def assertion(self, **changes: Any) -> str:
        """Return a client assertion of `signer`."""
        claims: dict[str, Any] = {
            "iss": self.signer.client_id,
            "sub": self.signer.client_id,
            "aud": f"https://{HOST}",
        }
        claims |= {"jti": "an assertion", "exp": NOW + 60, **changes}
        header = {"alg": "Ed25519", "kid": "ed"}
        signed = jws.serialize_compact(header, json.dumps(claims), _signing_key(), algorithms=["Ed25519"])
        return str(signed)

    def _token_calls(self) -> Iterator[Call]:
        own = credentials_of(self.confidential)
        code = {
            "grant_type": "authorization_code",
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
        }
        first = code | {"code": self.deployment.code(self.confidential, self.browser, **PKCE)}
        of_public = code | {"code": self.deployment.code(self.public, self.browser, **PKCE)}
        header = basic(self.confidential.client_id, self.confidential.client_secret or "")
        yield form_call("/oauth2/access_token", own | first)
        yield form_call("/oauth2/token", first, headers=header)
        yield form_call("/oauth2/token", {"client_id": self.public.client_id} | of_public)
        refresh = {"grant_type": "refresh_token", "refresh_token": self.tokens["refresh_token"]}
        yield form_call("/oauth2/token", own | refresh | {"scope": "read"}, optional="scope")
        mine = credentials_of(self.machine) | {"grant_type": "client_credentials", "scope": "read"}
        yield form_call("/oauth2/access_token", mine, optional="scope")
        signed = {
            "grant_type": "client_credentials",
            "client_assertion_type": client_assertion.TYPE,
            "client_assertion": self.assertion(),
        }
        yield form_call("/oauth2/token", signed)
        started = post("/oauth2/device_authorization", own | {"scope": "read"}).json
        self.deployment.decide(started["user_code"], self.browser)
        poll = {"grant_type": DEVICE_CODE, "device_code": started["device_code"]}
        yield form_call("/oauth2/token", own | poll)
        self.pending = post("/oauth2/device_authorization", own | {"scope": "read write"}).json
        yield form_call("/oauth2/device_authorization", own | {"scope": "read"}, optional="scope")
        token = {"token": self.tokens["access_token"]}
        yield form_call("/oauth2/introspect", own | token, optional="token")
        yield form_call("/oauth2/revoke", own | token, optional="token")

    def _form_calls(self) -> Iterator[Call]:
        """Yield every form of a page, filled in."""
        self.browser.get("/")  # The notice that it was left with is shown.
        for route in sorted(ACTIONS):
            browser = self._browser_for(route)
            values = {
                "client_id": self.owned.client_id,
                "revision": self.revision,
                "user_code": self.pending["user_code"],
            }
            fields = {name: value.format(**values) for name, value in ACTIONS[route].items()}
            if route == "/connections":
                fields["client_id"] = self.confidential.client_id
            if "user_code" in fields:
                fields["user_code"] = self.pending["user_code"]
            if route in FIRST:
                fields["code"] = self._mailed_code(FIRST[route], browser, f"{route[1:5]}@example.org")
            yield Call(
                "POST",
                route.format(client_id=self.owned.client_id),
                fields | {"csrf_token": csrf_token(browser.cookies)},
                self._query(route),
                {"Cookie": cookie_of(browser)},
                essential=frozenset(("csrf_token", "Cookie")),
            )

    def _page_calls(self) -> Iterator[Call]:
        for route in sorted(routes("GET")):
            yield Call(
                "GET",
                route.format(client_id=self.owned.client_id),
                query=self._query(route),
                headers={"Cookie": cookie_of(self.browser)},
            )
        for path in ("/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource"):
            yield Call("GET", path)
        for path in ("/static/style.css", "/static/form_post.js"):
            yield Call("GET", path)

    def _api_calls(self) -> Iterator[Call]:
        for token in (self.tokens["access_token"], self.machine_token):
            header = {"Authorization": f"Bearer {token}"}
            context = authorize(token)["context"]
            yield Call("GET", "/api/me", headers=header, context=context)
            headers = header | {"Content-Type": "application/json"}
            yield Call("POST", "/api/notes", headers=headers, context=context, body='{"text": "A note"}')

    def _query(self, route: str) -> Mapping[str, str]:
        if route == "/oauth2/authorize":
            app = {"client_id": self.public.client_id, "redirect_uri": CALLBACK, "response_type": "code"}
            return app | {"scope": "read", "state": "xyz", **PKCE}
        if route == "/device":
            return {"user_code": self.pending["user_code"]}
        return {"continue": "/connections"} if route.startswith(("/sign-", "/forgotten-")) else {}

    def _browser_for(self, route: str) -> Browser:
        """Return the browser of the account, or a stranger's for what strangers do."""
        if not route.startswith(("/sign-in", "/sign-up", "/forgotten-password")):
            return self.browser
        browser = Browser()
        browser.get("/sign-in?continue=/connections")
        return browser

    def _mailed_code(self, path: str, browser: Browser, address: str) -> str:
        email = EMAIL if path == "/forgotten-password" else address
        browser.submit(browser.get(path), email=email)
        return self.mailbox.code

    @cached_property
    def values(self) -> dict[str, list[str]]:
        """Every valid value, by the name of the parameter or header that it is for."""
        found: dict[str, set[str]] = {}
        for call in self.calls:
            for name, value in [*call.query.items(), *(call.form or {}).items(), *call.headers.items()]:
                found.setdefault(name, set()).add(value)
        found["redirect_url"] = found["redirect_uri"]
        found["refresh_token"].add(self.tokens["refresh_token"])
        found["device_code"].add(self.pending["device_code"])
        return {name: sorted(values) for name, values in sorted(found.items())}

    @cached_property
    def access_tokens(self) -> frozenset[str]:
        """Those that let somebody in."""
        return frozenset((self.tokens["access_token"], self.machine_token))

    @cached_property
    def secrets(self) -> frozenset[str]:
        """Credentials, none of which is ever told to a log."""
        names = ("client_secret", "code", "refresh_token", "device_code", "client_assertion", "code_verifier")
        more = {self.tokens["access_token"], self.machine_token, PASSWORD, *self.browser.cookies.values()}
        return frozenset({value for name in names for value in self.values[name]} | more)

    @cached_property
    def records(self) -> list[dict[str, Any]]:
        """What the streams of `grants` and `clients` tell of the rows that there are, when they were made."""
        return [
            {
                "eventID": f"event-{number}",
                "eventName": "INSERT",
                "eventSource": "aws:dynamodb",
                "eventSourceARN": f"arn:aws:dynamodb:us-east-1:123456789012:table/{table}/stream/now",
                "dynamodb": {"Keys": {key: row[key]}, "SequenceNumber": f"{number:021}", "NewImage": row},
            }
            for table, key in ((Client.Meta.table_name, "client_id"), ("oauth-test-grants", "grant_id"))
            for number, row in enumerate(self.storage.rows(table))
        ]


def _signing_key() -> OKPKey:
    """Return a key that everybody knows."""
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    d, x = private.private_bytes_raw(), private.public_key().public_bytes_raw()
    members: dict[str, str | list[str]] = {"kty": "OKP", "crv": "Ed25519", "kid": "ed"}
    members |= {"d": _base64url(d), "x": _base64url(x)}
    return OKPKey.import_key(members)


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@contextmanager
def world() -> Iterator[World]:
    """Make the deployment, and have time stand still until the end of the block."""
    chance, bus = random.Random(0), Bus()  # noqa: S311 (it has to be the same again)
    with ExitStack() as stack:
        enter = stack.enter_context
        for name, function in _same_again(chance).items():
            enter(mock.patch(f"secrets.{name}", function))
        enter(mock.patch.object(clock, "now", return_value=NOW))
        enter(mock.patch.object(clock, "milliseconds", return_value=NOW * 1000))
        enter(mock.patch("time.sleep"))
        box = Path(enter(tempfile.TemporaryDirectory())) / "mail.txt"
        for setting, value in _settings(box).items():
            enter(changed_setting(setting, value))
        enter(mock.patch.dict(os.environ, EVENT_BUS="platform", EVENT_SOURCE="oauth", DEAD_LETTERS=QUEUE))
        for service in ("_bus", "_queue"):
            enter(mock.patch.object(publisher, service, return_value=bus))
        enter(mock.patch.object(logging.getLogger(), "handlers", [logs.LibraryHandler()]))  # As in Lambda.
        enter(redirect_stdout(io.StringIO()))
        storage = enter(in_memory())
        clients.forget()
        yield World(storage, Deployment(), Mailbox(box), bus, chance)
        clients.forget()


def _settings(box: Path) -> dict[str, object]:
    """Return settings that switch on what there is."""
    return {
        "may_register": "everyone",
        "sign_up": True,
        "mail": f"file:{box}",
        "mail_from": "Community Maps <no-reply@maps.example>",
    }


def _same_again(chance: random.Random) -> dict[str, Callable[..., Any]]:
    """Return what draws from a seed, in the place of functions of `secrets`."""
    return {
        "token_bytes": chance.randbytes,
        "choice": chance.choice,
        "token_urlsafe": lambda size: _base64url(chance.randbytes(size)),
    }
