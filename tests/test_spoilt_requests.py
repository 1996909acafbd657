"""Whatever is sent to the token and authorization endpoints: an answer in the right form, and no harm.

Each generated request starts from one that would succeed, of a real client with a real code or
token, and is spoilt in at least one point, so that it gets as deep as the point that is spoilt.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any
from urllib.parse import parse_qsl, quote_from_bytes, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Time
from tests.expect import DESCRIPTION, ERROR_MEMBERS
from tests.harness import (
    CALLBACK,
    FORM,
    Answer,
    App,
    Browser,
    Deployment,
    basic,
    count_requests,
    event,
    is_alive,
    send,
)

REQUESTS = {"token": 2500, "authorization": 800, "consent": 800}
"""How many are generated for each door."""

READS = {"GetItem", "BatchGetItem", "Query", "TransactGetItems", "UpdateItem"}
"""`UpdateItem` reads a browser's session, and notes that it is in use. Whether anything else changes, the
snapshot tells.
"""

TOKEN_ERRORS = {
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
}
"""RFC 6749 section 5.2."""

AUTHORIZATION_ERRORS = {
    "invalid_request",
    "unauthorized_client",
    "access_denied",
    "unsupported_response_type",
    "invalid_scope",
}
"""RFC 6749 section 4.1.2.1, without those that blame the server."""

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
S256: dict[str, str | None] = {
    "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    "code_challenge_method": "S256",
}

CONTROLS = ("\0", "\n", "\r", "\t", "\x1b", "\x7f", "\x80", "\u2028", "\u202e", "\ufffd", "\ufeff")
PRINTABLE = st.characters(codec="utf-8", exclude_categories=("C", "Z"), include_characters=" ")
VERY_PRINTABLE = "-._~0123456789abcxyzABCXYZ"
NOT_UTF_8 = (b"\xff", b"\xc3(", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80")
BAD_HEADERS = ("", "Basic", "Basic !", "Basic é", "Basic OnM=", "Basic YQ==", "Basic /zo=", "Bearer x", "\0")
BAD_CONTENT_TYPES = ("", "application/json", "text/plain", "multipart/form-data", "x" * 5000, "é")
UNKNOWN_NAMES = ("x", "é", "", "grant_type ", "Code", "code[]", "a" * 5000, "<script>")

UNKNOWN_VALUES = (b"", b"x", "é".encode(), b"a&b=c", b"<script>", b"y", b"z", b"\xff", b"\0")

Values = list[bytes]
"""What is sent under one name: nothing, once, or more often."""


@dataclass(frozen=True)
class World:
    """A deployment with all that a valid request needs, and the requests that would succeed."""

    browser: Browser
    """Of somebody who is signed in and has not agreed to anything yet."""
    authorization: dict[str, str]
    decision: dict[str, str]
    token_requests: dict[str, dict[str, str]]
    basic_header: str

    @cached_property
    def real_values(self) -> tuple[str, ...]:
        """Return every valid value: those of one request are wrong in another."""
        requests = [self.authorization, self.decision, *self.token_requests.values()]
        return tuple(sorted({value for request in requests for value in request.values()}))


@pytest.fixture
def world(deployment: Deployment, time: Time) -> World:
    deployment.add_account()
    deployment.add_account("other@example.org")
    browser = deployment.signed_in_browser("other@example.org")
    confidential = deployment.add_app(grant_types=("authorization_code", "refresh_token"))
    public = deployment.add_app(name="Public", public=True)
    machine = deployment.add_app(name="Machine", grant_types=("client_credentials",))
    refresh_token = deployment.tokens(confidential, browser)["refresh_token"]
    code = {
        "grant_type": "authorization_code",
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
        "code": deployment.code(confidential, browser, **S256),
    }
    asked = deployment.signed_in_browser()
    page = asked.get(confidential.authorization_url())
    return World(
        browser=asked,
        authorization={
            "client_id": confidential.client_id,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "read",
            "state": "xyz",
            **{name: value or "" for name, value in S256.items()},
        },
        decision={"csrf_token": page.form.fields["csrf_token"], "decision": "allow"},
        token_requests={
            "code": code | _authentication(confidential),
            "code, Basic": code,
            "code, public": code
            | {"client_id": public.client_id, "code": deployment.code(public, browser, **S256)},
            "refresh": {"grant_type": "refresh_token", "refresh_token": refresh_token}
            | _authentication(confidential),
            "client credentials": {"grant_type": "client_credentials", "scope": "read"}
            | _authentication(machine),
        },
        basic_header=basic(confidential.client_id, confidential.client_secret or "")["Authorization"],
    )


def _authentication(app: App) -> dict[str, str]:
    return {"client_id": app.client_id, "client_secret": app.client_secret or ""}


# What is generated


@cache
def spoilt(value: str, real_values: tuple[str, ...]) -> st.SearchStrategy[Values]:
    """Generate what may be sent instead of a valid value, none of which is valid."""

    def sent_once(text: str) -> Values:
        return [text.encode()]

    def is_wrong(text: str) -> bool:
        return text != value and not set(text.split(" ")) <= {"read", "write"}

    refused_at_once: list[st.SearchStrategy[Values]] = [
        st.sampled_from([value, "", "other"]).map(lambda again: [value.encode(), again.encode()]),
        st.sampled_from([4097, 5000]).map(lambda length: sent_once(value + "x" * length)),
        st.builds(
            lambda control, at: sent_once(value[:at] + control + value[at:]),
            st.sampled_from(CONTROLS),
            st.integers(0, len(value)),
        ),
        st.text(min_size=1, max_size=50).filter(is_wrong).map(sent_once),
        st.sampled_from(NOT_UTF_8).map(lambda bad: [value.encode() + bad]),
    ]
    well_formed: list[st.SearchStrategy[Values]] = [
        st.text(PRINTABLE, min_size=1, max_size=50).filter(is_wrong).map(sent_once),
        st.text(VERY_PRINTABLE, min_size=43, max_size=130).filter(is_wrong).map(sent_once),
        st.sampled_from([value[:-1], value[1:], value + "0", value.swapcase()])
        .filter(is_wrong)
        .map(sent_once),
        st.sampled_from(real_values).filter(is_wrong).map(sent_once),
    ]
    spoiling = [*refused_at_once, *well_formed, *well_formed, *well_formed]
    if value != "read":  # A scope need not be sent.
        spoiling += [st.just([]), st.just([b""])]
    return st.one_of(spoiling)


@dataclass
class Sent:
    """A generated request."""

    pairs: list[tuple[str, bytes]]
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)
    raw: bool = False
    """Whether bytes go without percent-encoding where they can."""
    body: str | None = ""
    """What is sent instead of the pairs, and wrongly called base64, unless it is empty."""

    def form(self) -> bytes:
        safe = "".join(chr(byte) for byte in range(0x21, 0x7F) if chr(byte) not in "&=+%")
        return b"&".join(
            quote_from_bytes(name.encode(), safe).encode() + b"=" + self._value(value)
            for name, value in self.pairs
        )

    def _value(self, value: bytes) -> bytes:
        if not self.raw:
            return quote_from_bytes(value).encode()
        return b"".join(b"%%%02X" % byte if byte in b"&=+% " else bytes([byte]) for byte in value)


@st.composite
def pairs(draw: st.DrawFn, valid: dict[str, str], names: set[str], real_values: tuple[str, ...]) -> Any:
    """Generate parameters, with those in `names` spoilt, in any order, and some that nobody knows."""
    sent: list[tuple[str, bytes]] = []
    for name, value in valid.items():
        values = draw(spoilt(value, real_values)) if name in names else [value.encode()]
        sent += [(name, each) for each in values]
    if draw(st.integers(0, 3)) == 3:
        sent.append((draw(st.sampled_from(UNKNOWN_NAMES)), draw(st.sampled_from(UNKNOWN_VALUES))))
    return draw(st.permutations(sent)) if draw(st.booleans()) else sent


@st.composite
def token_requests(draw: st.DrawFn, world: World) -> Sent:
    """Generate a token request that must fail."""
    kind = draw(st.sampled_from(sorted(world.token_requests)))
    valid = world.token_requests[kind]
    header = {"Authorization": world.basic_header} if kind == "code, Basic" else {}
    points = st.sampled_from([*list(valid) * 3, *list(header) * 3, "method", "content type", "body"])
    flaws = draw(st.one_of(st.sets(points, min_size=1, max_size=1), st.sets(points, min_size=2, max_size=3)))
    sent = Sent(draw(pairs(valid, flaws, world.real_values)), raw=draw(st.booleans()))
    sent.headers = {"Content-Type": FORM, **header}
    if "Authorization" in flaws:
        sent.headers["Authorization"] = draw(
            st.one_of(st.sampled_from(BAD_HEADERS), st.text(max_size=30).map("Basic ".__add__))
        )
    if "method" in flaws:
        sent.method = draw(st.sampled_from(["GET", "HEAD", "PUT", "PATCH", "DELETE"]))
    if "content type" in flaws:
        sent.headers["Content-Type"] = draw(st.sampled_from(BAD_CONTENT_TYPES))
    if "body" in flaws:
        sent.body = draw(st.sampled_from([None, "{}", "[]", "null", "a", "é", "=" * 9, "x" * 70_000]))
    return sent


@st.composite
def authorization_requests(draw: st.DrawFn, world: World) -> Sent:
    """Generate an authorization request, which may be right or wrong."""
    flaws = draw(st.sets(st.sampled_from(sorted(world.authorization)), max_size=2))
    return Sent(draw(pairs(world.authorization, flaws, world.real_values)), "GET")


@st.composite
def decisions(draw: st.DrawFn, world: World) -> tuple[Sent, Sent]:
    """Generate a form that does not count, and the request in its URL."""
    flaws = draw(st.sets(st.sampled_from(sorted(world.decision)), min_size=1))
    form = Sent(draw(pairs(world.decision, flaws, world.real_values)), raw=draw(st.booleans()))
    return draw(authorization_requests(world)), form


# What has to hold


def token_error(answer: Answer) -> str:
    """Check an answer of the token endpoint, and return the error."""
    assert 400 <= answer.status < 500, answer
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert set(answer.json) == ERROR_MEMBERS
    assert answer.json["error"] in TOKEN_ERRORS
    assert DESCRIPTION.fullmatch(answer.json["error_description"])
    assert ("www-authenticate" in answer.headers) == (answer.status == 401)
    return str(answer.json["error"])


def page_or_redirect(answer: Answer) -> str:
    """Check an answer of the authorization endpoint, and return the error or the status of the page."""
    if answer.status == 303:
        location = urlsplit(answer.location)
        assert answer.location.isascii()
        assert f"{location.scheme}://{location.netloc}{location.path}" == CALLBACK
        members = dict(parse_qsl(location.query, keep_blank_values=True, strict_parsing=True))
        assert members["error"] in AUTHORIZATION_ERRORS
        assert DESCRIPTION.fullmatch(members["error_description"])
        assert members.keys() <= {"error", "error_description", "state", "iss"}
        return members["error"]
    assert answer.status in (200, 400, 403), answer
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<h1>" in answer.body
    assert "<script" not in answer.body
    assert answer.headers["content-security-policy"].isascii()
    return str(answer.status)


def send_token_request(sent: Sent) -> Answer:
    made = event(sent.method, "/oauth2/access_token", headers=sent.headers, body=sent.form())
    return send(made if sent.body == "" else made | {"body": sent.body})


def send_authorization(asked: Sent, cookie: str, form: Sent | None = None) -> Answer:
    query = [(name, value.decode("utf-8", "replace")) for name, value in asked.pairs]
    headers = {"Cookie": cookie} if cookie else {}
    if form is None:
        return send(event("GET", "/oauth2/authorize", query=query, headers=headers))
    headers["Content-Type"] = FORM
    return send(event("POST", "/oauth2/authorize", query=query, headers=headers, body=form.form()))


def never_harmful(
    deployment: Deployment, door: str, requests: st.SearchStrategy[Any], check: Callable[[Any], str]
) -> Counter[str]:
    """Generate requests, check every answer and that nothing is written, and count what came out."""
    outcomes: Counter[str] = Counter()

    @settings(
        max_examples=REQUESTS[door],
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(requests)
    def holds(request: Any) -> None:
        with count_requests() as operations:
            outcomes[check(request)] += 1
        assert set(operations) <= READS

    before = deployment.snapshot()
    holds()
    assert deployment.snapshot() == before
    print(f"{door}: {outcomes.total()} requests: {dict(outcomes)}")
    assert outcomes.total() >= REQUESTS[door]
    return outcomes


def test_whatever_the_token_endpoint_is_sent_it_answers_in_form_and_nothing_changes(
    deployment: Deployment, world: World
) -> None:
    def check(sent: Sent) -> str:
        return token_error(send_token_request(sent))

    outcomes = never_harmful(deployment, "token", token_requests(world), check)
    deep = {"invalid_client", "invalid_grant", "unsupported_grant_type"}
    assert deep <= set(outcomes)
    assert sum(outcomes[error] for error in deep) > 200
    assert_everything_still_works(world)


def assert_everything_still_works(world: World) -> None:
    """Check that the requests were deep: unspoilt, each of them succeeds."""
    for kind, valid in world.token_requests.items():
        if kind != "code, Basic":  # It is the same code.
            answer = send_token_request(
                Sent(
                    [(name, value.encode()) for name, value in valid.items()], headers={"Content-Type": FORM}
                )
            )
            assert answer.status == 200, (kind, answer)
            assert is_alive(answer.json["access_token"])


def test_whatever_the_authorization_endpoint_is_sent_it_answers_in_form_and_nothing_changes(
    deployment: Deployment, world: World
) -> None:
    ((name, value),) = world.browser.cookies.items()
    cookies = st.sampled_from([f"{name}={value}", "", f"{name}=obs_{'0' * 36}", "\0;=é"])

    def check(request: tuple[Sent, str]) -> str:
        return page_or_redirect(send_authorization(*request))

    outcomes = never_harmful(
        deployment, "authorization", st.tuples(authorization_requests(world), cookies), check
    )
    assert {"200", "400", "invalid_request", "invalid_scope", "unsupported_response_type"} <= set(outcomes)
    assert outcomes["200"] > 50


def test_whatever_the_consent_form_is_sent_it_answers_in_form_and_nothing_changes(
    deployment: Deployment, world: World
) -> None:
    ((name, value),) = world.browser.cookies.items()

    def check(request: tuple[Sent, Sent]) -> str:
        asked, form = request
        return page_or_redirect(send_authorization(asked, f"{name}={value}", form))

    outcomes = never_harmful(deployment, "consent", decisions(world), check)
    assert {"400", "403"} <= set(outcomes)
    assert outcomes["403"] > 50
