"""What the server does for whom, each with its budget of requests and with what its rows demand."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bench.stage import Stage
from chalicelib.authorizer.decision import Unauthorized
from tests.harness import EMAIL, PASSWORD, Answer, authorize

Run = Callable[[], Any]


@dataclass(frozen=True)
class Operation:
    """One operation."""

    name: str
    prepare: Callable[[Stage], Run]
    """Makes what it needs, and returns what does it, once."""
    reads: float
    """Read request units that its rows demand, at the least."""
    writes: float
    """Write request units likewise: one for a row, twice in a transaction."""
    why: str
    """Which rows."""
    budget: int | None = None
    """Requests to DynamoDB on a warm function, at most (docs/architecture.md)."""


def expect(status: int, send: Callable[[], Answer]) -> Run:
    """Return what sends a request and checks its status."""

    def run() -> Answer:
        answer = send()
        if answer.status != status:
            raise AssertionError(answer)
        return answer

    return run


def _client_credentials(stage: Stage) -> Run:
    return expect(200, lambda: stage.app.token(grant_type="client_credentials"))


def _private_key_jwt(stage: Stage) -> Run:
    assertion = stage.service.assertion()
    return expect(200, lambda: stage.service.token(assertion))


def _code_exchange(stage: Stage) -> Run:
    verifier, challenge = stage.pkce()
    asked = {"code_challenge": challenge, "code_challenge_method": "S256", "scope": "read write"}
    code = stage.deployment.code(stage.app, stage.browser, **asked)
    return expect(200, lambda: stage.app.exchange(code, code_verifier=verifier))


def _refresh(stage: Stage) -> Run:
    token = stage.tokens()["refresh_token"]
    return expect(200, lambda: stage.app.refresh(token))


def _eleventh_refresh(stage: Stage) -> Run:
    token = stage.tokens()["refresh_token"]
    for _ in range(10):
        token = stage.app.refresh(token).json["refresh_token"]
    return expect(200, lambda: stage.app.refresh(token))


def _refresh_on_another_day(stage: Stage) -> Run:
    stage.now -= 86400
    try:
        token = stage.deployment.tokens(stage.app)["refresh_token"]
    finally:
        stage.now += 86400
    return expect(200, lambda: stage.app.refresh(token))


def _retried_refresh(stage: Stage) -> Run:
    token = stage.tokens()["refresh_token"]
    stage.app.refresh(token)
    return expect(200, lambda: stage.app.refresh(token))


def _device_start(stage: Stage) -> Run:
    return expect(200, stage.app.start_device)


def _pending_poll(stage: Stage) -> Run:
    started = stage.app.start_device().json
    return expect(400, lambda: stage.app.poll(started["device_code"]))


def _granted_poll(stage: Stage) -> Run:
    started = stage.app.start_device().json
    stage.deployment.decide(started["user_code"], stage.browser)
    return expect(200, lambda: stage.app.poll(started["device_code"]))


def _introspection(stage: Stage) -> Run:
    token = stage.tokens()["access_token"]
    return expect(200, lambda: stage.api.post("/oauth2/introspect", token=token))


def _revocation(kind: str) -> Callable[[Stage], Run]:
    def prepare(stage: Stage) -> Run:
        token = stage.tokens()[kind]
        return expect(200, lambda: stage.app.post("/oauth2/revoke", token=token))

    return prepare


def _authorizer(stage: Stage) -> Run:
    token = stage.tokens()["access_token"]
    return lambda: authorize(token)


def _refused(token: str) -> Run:
    def run() -> None:
        with suppress(Unauthorized):
            raise AssertionError(authorize(token))

    return run


def _expired(stage: Stage) -> Run:
    token = stage.own_token()

    def run() -> None:
        stage.now += 31 * 86400
        try:
            _refused(token)()
        finally:
            stage.now -= 31 * 86400

    return run


def _revoked(stage: Stage) -> Run:
    token = stage.own_token()
    stage.app.post("/oauth2/revoke", token=token)
    return _refused(token)


def _page_for_strangers(stage: Stage) -> Run:
    browser = stage.stranger()
    return expect(200, lambda: browser.get(stage.app.authorization_url()))


def _sign_in(stage: Stage) -> Run:
    browser = stage.stranger()
    page = browser.get(stage.app.authorization_url())
    return expect(303, lambda: browser.submit(page, email=EMAIL, password=PASSWORD))


def _consent_page(stage: Stage) -> Run:
    app = stage.deployment.add_app()
    stage.stranger().get(app.authorization_url())  # Warms the function.
    return expect(200, lambda: stage.browser.get(app.authorization_url()))


def _allow(stage: Stage) -> Run:
    app = stage.deployment.add_app()
    page = stage.browser.get(app.authorization_url())
    return expect(303, lambda: stage.browser.submit(page, decision="allow"))


def _remembered(stage: Stage) -> Run:
    stage.tokens()
    return expect(303, lambda: stage.browser.get(stage.app.authorization_url()))


TOKEN = (
    Operation(
        "client credentials", _client_credentials, 0, 2, "the grant, and its entry in the index by client", 1
    ),
    Operation(
        "client credentials, `private_key_jwt`",
        _private_key_jwt,
        0,
        3,
        "the same, and the `jti`, which counts once",
        2,
    ),
    Operation("code exchange", _code_exchange, 1, 1, "the grant, read and written", 2),
    Operation("refresh", _refresh, 1, 1, "the grant, read and written", 2),
    Operation(
        "refresh, first of a day",
        _refresh_on_another_day,
        1,
        3,
        "the grant, read and written; its entry in the index moves to the day",
        2,
    ),
    Operation(
        "refresh, the eleventh",
        _eleventh_refresh,
        1,
        2,
        "the grant, read and written: ten valid access tokens make it larger than 1 KB",
        2,
    ),
    Operation("refresh, retried", _retried_refresh, 1, 0, "the grant, read", 1),
    Operation(
        "device: start", _device_start, 0, 4, "the grant and the user code, or neither: a transaction", 1
    ),
    Operation("device: poll, undecided", _pending_poll, 1, 1, "the grant, read and written", 2),
    Operation(
        "device: poll, allowed",
        _granted_poll,
        1,
        1,
        "the grant, read and written; it came into the index when it was allowed",
        2,
    ),
)

CHECKS = (
    Operation("introspection", _introspection, 1, 0, "the grant, read", 1),
    Operation(
        "revocation: access token", _revocation("access_token"), 1, 1, "the grant, read and written", 2
    ),
    Operation(
        "revocation: refresh token",
        _revocation("refresh_token"),
        1,
        2,
        "the grant, read and written, and its entry in the index",
        2,
    ),
    Operation("authorizer: valid token", _authorizer, 1, 0, "the grant, read", 1),
    Operation("authorizer: expired token", _expired, 1, 0, "the grant, read", 1),
    Operation("authorizer: revoked token", _revoked, 1, 0, "the grant, read", 1),
    Operation("authorizer: garbage", lambda _: _refused("garbage"), 0, 0, "none", 0),
)

PAGES = (
    Operation("authorization page: signed out", _page_for_strangers, 0, 0, "none", 0),
    Operation(
        "sign-in",
        _sign_in,
        4,
        3,
        "address, account and two throttles, read; the throttle, written before the password is looked at "
        "and deleted after; the session",
    ),
    Operation(
        "authorization page: to be asked",
        _consent_page,
        2,
        1,
        "account and consent, read; the session's last use, written",
        3,
    ),
    Operation(
        "authorization page: allow",
        _allow,
        2,
        12,
        "the same; then, in a transaction, the account is still enabled, and grant, index entry, pointer and "
        "consent are written; a row of the audit trail",
        4,
    ),
    Operation(
        "authorization page: remembered",
        _remembered,
        2,
        11,
        "the same; then, in a transaction, account and consent still hold, and grant, index entry and "
        "pointer are written",
        3,
    ),
)

ALL = TOKEN + CHECKS + PAGES
