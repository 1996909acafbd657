"""Thousands of requests that nobody would send, to the token and authorization endpoints.

Whatever comes: no 5xx, every error well-formed, no row changed.
"""

import re
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import moto
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from chalicelib.models.table import dynamodb
from chalicelib.oauth import clients
from management.infrastructure import tables
from tests.endpoints.test_authorization_code import PKCE
from tests.harness import CALLBACK, FORM, Answer, App, Browser, Deployment, basic, event, send

BATCH = 25
"""Requests between two looks at the tables."""
EXAMPLES = 60

TOKEN_ERRORS = {
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "invalid_scope",
    "unauthorized_client",
    "unsupported_grant_type",
}
REDIRECT_ERRORS = {
    "invalid_request",
    "unauthorized_client",
    "access_denied",
    "unsupported_response_type",
    "invalid_scope",
    "login_required",
    "consent_required",
}
DESCRIPTION = re.compile(r"[\x20-\x21\x23-\x5B\x5D-\x7E]+")

sent_to: dict[str, int] = {"token": 0, "authorization": 0}

anything = st.one_of(
    st.text(max_size=60),
    st.binary(max_size=60).map(lambda raw: raw.decode("latin-1")),
    st.sampled_from(["", " ", "\x00", "é", "%", "%FF", "a" * 5000, "😀" * 100, "null", "{}", "[]", "\ud7ff"]),
)
NAMES = [
    *("grant_type", "code", "redirect_uri", "redirect_url", "client_id", "client_secret", "scope", "state"),
    *("response_type", "response_mode", "prompt", "code_challenge", "code_challenge_method", "code_verifier"),
    *("refresh_token", "token", "client_assertion", "client_assertion_type", "resource", "decision"),
]


class World:
    """A deployment with real values to mix into the nonsense."""

    def __init__(self) -> None:
        self.deployment = Deployment()
        self.deployment.add_account()
        grant_types = ("authorization_code", "refresh_token")
        self.app: App = self.deployment.add_app(grant_types=grant_types, scope="read")
        self.browser = self.deployment.signed_in_browser()
        self.stranger = Browser()
        self.code = self.deployment.code(self.app, self.browser, **PKCE)
        self.tokens: dict[str, Any] = self.app.exchange(self.deployment.code(self.app, self.browser)).json
        clients.forget()

    def real(self, name: str) -> list[str]:
        """Return values that are right, or nearly."""
        values = {
            "grant_type": ["authorization_code", "refresh_token", "client_credentials", "password"],
            "code": [self.code, self.code[:-1] + "!", self.tokens["access_token"]],
            "redirect_uri": [CALLBACK, CALLBACK + "/"],
            "redirect_url": [CALLBACK, "https://evil.example/"],
            "client_id": [self.app.client_id, self.app.client_id, "unknown"],
            "client_secret": [self.app.client_secret or "", "ocs_" + "A" * 36],
            "scope": ["read", "write", "read write", "read read"],
            "response_type": ["code", "token", "id_token"],
            "response_mode": ["query", "form_post", "fragment"],
            "prompt": ["none", "login", "consent", "none login"],
            "code_challenge": [PKCE["code_challenge"], "x" * 43],
            "code_challenge_method": ["S256", "plain"],
            "code_verifier": ["v" * 43, "v" * 42],
            "refresh_token": ["ort_" + "A" * 36, self.code],
            "client_assertion_type": ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"],
            "client_assertion": ["a.b.c", "eyJhbGciOiJub25lIn0.e30."],
        }
        return values.get(name, ["x"])


@st.composite
def requests(draw: st.DrawFn) -> list[tuple[str, Any]]:
    """Draw parameters: some real ones (marked by an index), some nonsense, some repeated."""
    names = draw(st.lists(st.sampled_from(NAMES), max_size=9))
    pairs: list[tuple[str, Any]] = [
        (name, draw(st.one_of(st.integers(0, 3), st.integers(0, 3), anything))) for name in names
    ]
    return pairs + draw(st.lists(st.tuples(anything, anything), max_size=2))


def filled_in(world: World, pairs: list[tuple[str, Any]]) -> list[tuple[str, str]]:
    return [
        (name, value if isinstance(value, str) else world.real(name)[value % len(world.real(name))])
        for name, value in pairs
    ]


def check_token_answer(answer: Answer) -> None:
    sent_to["token"] += 1
    assert answer.status in (400, 401, 405, 413), answer
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json["error"] in TOKEN_ERRORS
    assert DESCRIPTION.fullmatch(answer.json["error_description"])


def check_authorization_answer(answer: Answer) -> None:
    sent_to["authorization"] += 1
    if answer.status == 303:
        assert answer.location.startswith(CALLBACK + "?")
        members = dict(parse_qsl(urlsplit(answer.location).query))
        assert members["error"] in REDIRECT_ERRORS
        assert DESCRIPTION.fullmatch(members["error_description"])
    else:
        assert answer.status in (200, 400, 403), answer
        assert answer.headers["content-type"].startswith("text/html")
        assert "evil.example" not in answer.headers["content-security-policy"]


@pytest.fixture(scope="module")
def world() -> Any:
    with moto.mock_aws():
        for model in tables.TABLES.values():
            dynamodb.client.create_table(**tables.table_definition(model))
        clients.forget()
        yield World()


how_often = settings(
    max_examples=EXAMPLES,
    deadline=None,
    print_blob=True,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
batches = st.lists(requests(), min_size=BATCH, max_size=BATCH)
headers = st.one_of(
    st.none(),
    st.sampled_from(["Basic", "Basic !!", "Bearer x", "Basic /////w==", "basic YTpi"]),
    st.tuples(st.text(max_size=20), st.text(max_size=20)).map(lambda pair: basic(*pair)["Authorization"]),
    st.binary(max_size=30).map(lambda raw: raw.decode("latin-1")),
    st.text(max_size=20).map(lambda text: f"Basic {text}"),
)


@how_often
@given(batch=batches, header=headers, raw=st.binary(max_size=200), encoded=st.booleans())
def test_nothing_breaks_the_token_endpoint(
    world: World, batch: list[list[tuple[str, Any]]], header: str | None, raw: bytes, encoded: bool
) -> None:
    before = world.deployment.snapshot()
    extra = {"Authorization": header} if header is not None else {}
    for pairs in batch:
        body = urlencode(filled_in(world, pairs), errors="surrogatepass")
        sent_headers = {"Content-Type": FORM, **extra}
        payload: str | bytes = body.encode() if encoded else body
        check_token_answer(send(event("POST", "/oauth2/token", headers=sent_headers, body=payload)))
    check_token_answer(send(event("POST", "/oauth2/access_token", headers={"Content-Type": FORM}, body=raw)))
    assert world.deployment.snapshot() == before


@how_often
@given(batch=batches, signed_in=st.booleans())
def test_nothing_breaks_the_authorization_endpoint(
    world: World, batch: list[list[tuple[str, Any]]], signed_in: bool
) -> None:
    before = world.deployment.snapshot()
    browser = world.browser if signed_in else world.stranger
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}
    for pairs in batch:
        query = [("prompt", "consent"), *filled_in(world, pairs)]
        check_authorization_answer(send(event("GET", "/oauth2/authorize", query=query, headers=headers)))
        form_headers = headers | {"Content-Type": FORM}
        body = urlencode(filled_in(world, pairs), errors="surrogatepass")
        sent = event("POST", "/oauth2/authorize", query=query, headers=form_headers, body=body)
        check_authorization_answer(send(sent))
    assert world.deployment.snapshot() == before


def test_enough_requests_were_sent() -> None:
    assert sum(sent_to.values()) >= 2000, sent_to
    print(f"\ngenerated requests: {sent_to}")
