"""The sample API behind the authorizer, as `chalice local` serves it."""

import json
from collections.abc import Callable

import pytest
from chalice.config import Config
from chalice.local import LocalGateway, LocalGatewayException

import app as app_module
import chalicelib.authorizer.local
from tests.harness import EMAIL, Answer, App, Deployment

Call = Callable[..., Answer]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Call:
    """Call a route through Chalice's local gateway, with our authorizer in it."""
    monkeypatch.setattr("chalice.local.LocalGatewayAuthorizer", chalicelib.authorizer.local.GatewayAuthorizer)
    gateway = LocalGateway(app_module.app, Config())

    def call(
        method: str,
        path: str,
        token: str | None = None,
        body: object = None,
        content_type: str = "application/json",
    ) -> Answer:
        headers = {"content-type": content_type}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        try:
            response = gateway.handle_request(method, path, headers, raw)
        except LocalGatewayException as refused:
            lower = {name.lower(): value for name, value in refused.headers.items()}
            return Answer(refused.CODE, lower, [], (refused.body or b"").decode())
        lower = {name.lower(): value for name, value in response["headers"].items()}
        return Answer(response["statusCode"], lower, [], response["body"])

    return call


@pytest.fixture
def app(deployment: Deployment) -> App:
    deployment.add_account()
    return deployment.add_app(grant_types=("authorization_code", "client_credentials"))


def token_of(app: App, scope: str) -> str:
    return str(app.token(grant_type="client_credentials", scope=scope).json["access_token"])


def test_me_tells_whose_account_which_application_and_which_scopes(
    deployment: Deployment, app: App, call: Call
) -> None:
    answer = call("GET", "/api/me", deployment.tokens(app, scope="read write")["access_token"])
    assert answer.status == 200
    assert answer.json["user"]["email"] == EMAIL
    assert answer.json["client"] == {"client_id": app.client_id, "client_name": "Example"}
    assert answer.json["scope"] == "read write"
    assert answer.json["acts_for"] == "user"


def test_me_tells_that_it_is_an_application(app: App, call: Call) -> None:
    answer = call("GET", "/api/me", token_of(app, "read"))
    assert answer.json["user"] is None
    assert answer.json["acts_for"] == "application"


@pytest.mark.parametrize("token", [None, "", "x", "oat_" + "A" * 36])
@pytest.mark.parametrize(("method", "path"), [("GET", "/api/me"), ("POST", "/api/notes")])
def test_a_missing_or_bad_token_is_401_with_a_challenge(
    deployment: Deployment, call: Call, method: str, path: str, token: str | None
) -> None:
    answer = call(method, path, token, {"text": "x"})
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_token"')
    assert answer.json["error"] == "invalid_token"


def test_too_little_scope_is_403_with_a_challenge(app: App, call: Call) -> None:
    answer = call("POST", "/api/notes", token_of(app, "read"), {"text": "x"})
    assert answer.status == 403
    assert answer.headers["www-authenticate"].startswith('Bearer error="insufficient_scope"')
    assert answer.json["error"] == "insufficient_scope"
    assert call("GET", "/api/me", token_of(app, "write")).status == 403


def test_write_takes_a_note(app: App, call: Call) -> None:
    answer = call("POST", "/api/notes", token_of(app, "write"), {"text": "é"})
    assert answer.status == 201
    assert answer.json == {"text": "é", "author": None}


@pytest.mark.parametrize(
    "body", [b"", b"no json", b"[]", b"{}", b'{"text": 5}', b'{"text": ""}', b"[" * 100000, b"\xff"]
)
def test_what_is_no_note_is_400(app: App, call: Call, body: bytes) -> None:
    assert call("POST", "/api/notes", token_of(app, "write"), body).status == 400


def test_a_note_has_a_limit(app: App, call: Call) -> None:
    token = token_of(app, "write")
    assert call("POST", "/api/notes", token, {"text": "x" * 1000}).status == 201
    assert call("POST", "/api/notes", token, {"text": "x" * 1001}).status == 400
