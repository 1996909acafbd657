"""Everything that reads what strangers write, one function for each: bytes in, and nothing comes out.

A reader raises what it documents, and nothing else, and takes no longer than a request may. What it
takes is what it says: each function holds that in its own way. `fuzzing` looks for bytes with which one
does not, guided by the lines that they reach; `test_parsers` tries some each time.

There is no reader of DPoP proofs (RFC 9449), which this server does not know, nor of `Accept-Language`.
"""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from chalice.app import Request

from chalicelib.accounts import foreign_hashes, mail
from chalicelib.accounts.foreign_hashes import UnacceptableHash
from chalicelib.authorizer import policy
from chalicelib.authorizer.decision import Decision
from chalicelib.endpoints import http
from chalicelib.events import changes
from chalicelib.models.client import Client
from chalicelib.oauth import client_assertion, client_authentication, credentials, scopes, user_codes
from chalicelib.oauth import redirect_uris as uris
from chalicelib.oauth.client_assertion import InvalidKeySet
from chalicelib.oauth.client_authentication import Presented
from chalicelib.oauth.credentials import Kind
from chalicelib.oauth.errors import InvalidClient, InvalidRequest, InvalidScope
from chalicelib.oauth.parameters import Parameters, from_form
from chalicelib.oauth.redirect_uris import InvalidRedirectURI
from chalicelib.pages.sign_in import own_path
from chalicelib.scope_rules import ScopeRulesError, compiled, from_stage_variable, parse, to_stage_variable
from tests.authorizer.test_gateway import EVENTS
from tests.harness import ARN, CALLBACK, FORM, HOST, basic, event
from tests.hostile.promises import MOST_SECONDS, Sent, broken, invoke
from tests.hostile.world import RULES, World

ISSUER = f"https://{HOST}"


@dataclass(frozen=True)
class Parser:
    """A reader, and bytes from which to start."""

    read: Callable[[World, bytes], None]
    seeds: Callable[[World], list[str]]

    def __call__(self, world: World, data: bytes) -> None:
        """Have it read, in time.

        Raises:
            Exception: it does not do as it says.
        """
        began = time.process_time()
        self.read(world, data)
        took = time.process_time() - began
        assert took <= MOST_SECONDS, f"it took {took:.2f} s of a processor"


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _credential(_: World, data: bytes) -> None:
    text = _text(data)
    kind = credentials.kind_of(text)
    for other in Kind:
        assert credentials.grant_id_of(text, other) == (text[4:12] if other is kind else None)
    assert credentials.matches(text, credentials.digest(text))
    assert not credentials.matches(text, credentials.digest(f"{text}x"))


def _form(world: World, data: bytes) -> None:
    try:
        parameters = from_form(data)
    except InvalidRequest:
        return
    pairs = parse_qsl(data.decode(), keep_blank_values=True)
    again = from_form(urlencode(pairs).encode()) if len(data) < 5000 else parameters
    for name, _ in pairs:
        with suppress(InvalidRequest):
            value = parameters.get(name)
            assert value == again.get(name)
            assert value is None or (name, value) in pairs


def _basic_header(world: World, data: bytes) -> None:
    try:
        client = client_authentication.authenticate(
            Presented(data.decode("latin-1"), ISSUER, (ISSUER,)), Parameters(())
        )
    except (InvalidClient, InvalidRequest):
        return
    assert client.client_id in {world.public.client_id, world.confidential.client_id}


def _redirect_uri(_: World, data: bytes) -> None:
    text = _text(data)
    for public in (True, False):
        with suppress(InvalidRedirectURI):
            uri = uris.check(text, public=public)
            client = Client("x", redirect_uris=[uri], token_endpoint_auth_method="none" if public else None)
            assert uri == text
            assert uri.isascii()
            assert uri.isprintable()
            assert not urlsplit(uri).fragment
            assert uris.is_registered(uri, client)
            assert not uris.is_registered(f"{uri}x", client)
            assert not uris.is_registered("https://evil.example/", client) or uri == "https://evil.example/"
    uris.is_registered(
        text, Client("x", redirect_uris=["http://127.0.0.1/x"], token_endpoint_auth_method="none")
    )


def _client_assertion(world: World, data: bytes) -> None:
    text = _text(data)
    with suppress(InvalidClient):
        assert isinstance(client_assertion.claimed_client_id(text), str)
    client = Client.find(world.signer.client_id)
    assert client
    try:
        client_assertion.verify(text, client, (ISSUER,))
    except InvalidClient:
        return
    finally:
        world.storage.put_back()
    # The last characters of a signature in base64url say the same in several ways.
    assert text.rpartition(".")[0] == world.assertion().rpartition(".")[0]


def _key_set(_: World, data: bytes) -> None:
    try:
        keys = client_assertion.check_key_set(_text(data))
    except InvalidKeySet:
        return
    assert client_assertion.check_key_set(keys) == keys
    assert not any("d" in key or "k" in key for key in json.loads(keys)["keys"])


def _scope_rules(world: World, data: bytes) -> None:
    text, _, path = _text(data).partition("\0")
    try:
        rules = parse(text)
    except ScopeRulesError:
        return
    decision = Decision("g", "c", None, "read", 0)
    access = compiled(tuple(rules.items())).access(decision.scopes)
    assert access.covers("GET", f"/{path}") in (True, False)
    statements = policy.policy(decision, access, policy.Request.of(f"{ARN}/prod/GET/{path}"))[
        "policyDocument"
    ]
    assert statements["Statement"]
    with suppress(ScopeRulesError):
        assert from_stage_variable(to_stage_variable(rules)) == compiled(tuple(rules.items()))


def _stage_variable(_: World, data: bytes) -> None:
    with suppress(ScopeRulesError):
        from_stage_variable(data.decode("latin-1"))


def _user_code(_: World, data: bytes) -> None:
    code = user_codes.read(_text(data))
    if code is not None:
        assert len(code) == user_codes.LENGTH
        assert user_codes.read(user_codes.shown(code)) == user_codes.read(code.lower()) == code


def _cookie(_: World, data: bytes) -> None:
    header = data.decode("latin-1")
    request = Request(event("GET", "/sign-in", headers={"Cookie": header, "Host": header}))
    value = http.cookie(request, "__Host-session")
    assert value is None or (value in header and ";" not in value)
    request.context = {"path": header}
    assert urlsplit(http.issuer(request)).scheme == "http"


def _own_path(_: World, data: bytes) -> None:
    with suppress(InvalidRequest):
        path = own_path(_text(data))
        assert path == _text(data)
        assert urlsplit(path)[:2] == ("", "")
        assert "\\" not in path
        assert path.isprintable()


def _scope(_: World, data: bytes) -> None:
    with suppress(InvalidScope):
        asked = scopes.parse(_text(data))
        assert sorted(scopes.parse(" ".join(asked))) == sorted(asked)
        assert len(set(asked)) == len(asked) > 0


def _email(_: World, data: bytes) -> None:
    text = _text(data)
    if mail.can_reach(text):
        assert (
            parseaddr(text, strict=True) == ("", text)
            if hasattr(parseaddr, "strict")
            else parseaddr(text)[1] == text
        )


def _password_hash(_: World, data: bytes) -> None:
    with suppress(UnacceptableHash):
        foreign_hashes.parse(_text(data))


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _record(_: World, data: bytes) -> None:
    record = _json(data)
    with suppress(LookupError, TypeError, ValueError, AttributeError, OverflowError):
        for told in changes.events_of(record):
            assert all(isinstance(value, str) for value in told.detail.values())


def _authorizer_event(world: World, data: bytes) -> None:
    _keeps_its_promises(world, Sent("authorizer", _json(data), possible=False))


def _token_request(world: World, data: bytes) -> None:
    sent = event("POST", "/oauth2/token", headers={"Content-Type": FORM}, body=data)
    _keeps_its_promises(world, Sent("api", sent))


def _authorization_request(world: World, data: bytes) -> None:
    query = parse_qsl(_text(data), keep_blank_values=True)
    headers = {"Cookie": world.values["Cookie"][-1]}
    _keeps_its_promises(world, Sent("api", event("GET", "/oauth2/authorize", query=query, headers=headers)))


def _note(world: World, data: bytes) -> None:
    sent = next(call for call in world.calls if call.path == "/api/notes").event()
    _keeps_its_promises(world, Sent("api", sent | {"body": _text(data)}))


def _keeps_its_promises(world: World, sent: Sent) -> None:
    problems = broken(world, sent, invoke(world, sent))
    assert not problems, problems


def _token_forms(world: World) -> list[str]:
    return [urlencode(call.form) for call in world.calls if call.path.startswith("/oauth2/") and call.form]


def _queries(world: World) -> list[str]:
    return [urlencode(call.query) for call in world.calls if call.path == "/oauth2/authorize"]


def _authorizer_events(world: World) -> list[str]:
    header = f"Bearer {world.tokens['access_token']}"
    return [json.dumps(make(header, variables={"oauth_scope_rules": RULES})) for make in EVENTS]


PARSERS: Mapping[str, Parser] = {
    "credential": Parser(
        _credential, lambda world: [world.tokens["access_token"], world.tokens["refresh_token"]]
    ),
    "form": Parser(_form, _token_forms),
    "basic-header": Parser(
        _basic_header,
        lambda world: [
            basic(world.confidential.client_id, world.confidential.client_secret or "")["Authorization"],
            basic(world.public.client_id, "")["Authorization"],
        ],
    ),
    "redirect-uri": Parser(
        _redirect_uri,
        lambda _: [
            CALLBACK,
            "http://127.0.0.1:80/x",
            "http://[::1]/?a",
            "com.example.app:/cb",
            "http://localhost",
        ],
    ),
    "client-assertion": Parser(_client_assertion, lambda world: [world.assertion(), "a.b.c"]),
    "key-set": Parser(_key_set, lambda world: [str(world.deployment.client(world.signer).jwks)]),
    "scope-rules": Parser(
        _scope_rules,
        lambda _: [
            '{"GET /maps/*": "read", "* /maps/*/members": "read write"}\0maps/1/members',
            '{"GET /a/*/b/*/c/*/d": "read"}\0a' + "/b" * 1000 + "/c" * 1000,
        ],
    ),
    "stage-variable": Parser(_stage_variable, lambda _: [RULES]),
    "user-code": Parser(_user_code, lambda world: [world.pending["user_code"]]),
    "cookie": Parser(_cookie, lambda world: world.values["Cookie"]),
    "own-path": Parser(_own_path, lambda _: ["/connections", "/sign-in?continue=/x", "//x", "/\\x"]),
    "scope": Parser(_scope, lambda _: ["read", "read write"]),
    "email": Parser(_email, lambda _: ["user@example.org", "a+b@example.org"]),
    "password-hash": Parser(
        _password_hash,
        lambda _: [
            "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
            "pbkdf2_sha256$260000$salt$" + "A" * 43 + "=",
            "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$" + "A" * 43,
        ],
    ),
    "record": Parser(_record, lambda world: [json.dumps(record) for record in world.records[:3]]),
    "authorizer-event": Parser(_authorizer_event, _authorizer_events),
    "token-request": Parser(_token_request, _token_forms),
    "authorization-request": Parser(
        _authorization_request,
        lambda world: [urlencode(call.query) for call in world.calls if call.query][-3:],
    ),
    "note": Parser(_note, lambda _: ['{"text": "A note"}']),
}
"""By name."""
