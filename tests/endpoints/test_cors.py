"""Applications that run in a browser alone: what pages of other origins may call."""

import json

import pytest
from chalice.config import Config
from chalice.local import LocalGateway, NotAuthorizedError

import app
from chalicelib.authorizer.local import GatewayAuthorizer
from chalicelib.models.client import Client
from chalicelib.models.table import dynamodb
from tests.harness import App, Deployment, authorize, event, is_alive, post, send

ORIGIN = {"Origin": "https://spa.example.com"}
POSTED = ("/oauth2/access_token", "/oauth2/token", "/oauth2/revoke")
METADATA = ("/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource")
API = ("/api/me", "/api/notes")
OPEN = (*POSTED, *METADATA, *API)


def preflight(path: str) -> dict[str, str]:
    """Ask as browsers do before a request that is not simple: the gateway answers, not the app."""
    asked = ORIGIN | {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    answer = LocalGateway(app.app, Config()).handle_request("OPTIONS", path, asked, b"")
    assert answer["statusCode"] == 200
    return dict(answer["headers"])


@pytest.fixture
def client(deployment: Deployment) -> App:
    deployment.add_account()
    return deployment.add_app(public=True)


def list_of(value: str) -> set[str]:
    return {item.strip().lower() for item in value.split(",")}


@pytest.mark.parametrize("path", OPEN)
def test_a_page_of_any_origin_is_told_that_it_may(path: str) -> None:
    headers = preflight(path)
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert list_of(headers["Access-Control-Allow-Headers"]) == {"authorization", "content-type"}
    method = "post" if path in (*POSTED, "/api/notes") else "get"
    assert method in list_of(headers["Access-Control-Allow-Methods"])
    assert int(headers["Access-Control-Max-Age"]) >= 3600
    assert "Access-Control-Allow-Credentials" not in headers


@pytest.mark.parametrize(
    "path", ["/oauth2/introspect", "/oauth2/authorize", "/sign-in", "/connections", "/applications"]
)
def test_a_page_of_another_origin_may_call_nothing_else(path: str) -> None:
    assert "Access-Control-Allow-Origin" not in preflight(path)


@pytest.mark.parametrize("path", METADATA)
def test_any_page_may_read_the_metadata(path: str) -> None:
    answer = send(event("GET", path, headers=ORIGIN))
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "*")


@pytest.mark.parametrize("path", POSTED[:2])
def test_any_page_may_read_a_token_response(deployment: Deployment, client: App, path: str) -> None:
    challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    code = deployment.code(client, code_challenge=challenge, code_challenge_method="S256")
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    fields = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
    answer = post(path, fields | {"redirect_uri": client.redirect_uri, "client_id": client.client_id}, ORIGIN)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    revoked = post(
        "/oauth2/revoke",
        {"token": answer.json["access_token"], "client_id": client.client_id},
        ORIGIN,
    )
    assert (revoked.status, revoked.headers["access-control-allow-origin"]) == (200, "*")
    assert not is_alive(answer.json["access_token"])


@pytest.mark.parametrize("path", POSTED)
@pytest.mark.parametrize(
    ("fields", "status"), [({}, 400), ({"client_id": "x" * 16, "grant_type": "x", "token": "x"}, 401)]
)
def test_any_page_may_read_an_error(client: App, path: str, fields: dict[str, str], status: int) -> None:
    answer = post(path, fields, ORIGIN)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (status, "*")
    assert "error" in answer.json


@pytest.mark.parametrize("path", POSTED)
def test_any_page_may_read_that_the_storage_fails(client: App, path: str) -> None:
    dynamodb.client.delete_table(TableName=Client.Meta.table_name)
    answer = post(path, {"client_id": "y" * 16, "grant_type": "x", "token": "x"}, ORIGIN)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (503, "*")


def test_any_page_may_read_what_the_api_answers(deployment: Deployment) -> None:
    service = deployment.add_app(grant_types=("client_credentials",))
    token = service.token(grant_type="client_credentials").json["access_token"]
    asked = event("GET", "/api/me", headers=ORIGIN)
    asked["requestContext"]["authorizer"] = authorize(token)["context"]
    answer = send(asked)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "*")


def test_any_page_may_read_that_its_token_is_over(deployment: Deployment) -> None:
    gateway = LocalGateway(app.app, Config())
    gateway._authorizer = GatewayAuthorizer(app.app)
    with pytest.raises(NotAuthorizedError) as refused:
        gateway.handle_request("GET", "/api/me", ORIGIN | {"authorization": "Bearer x"}, b"")
    assert refused.value.headers["Access-Control-Allow-Origin"] == "*"


def test_no_page_of_another_origin_may_read_what_is_introspected(deployment: Deployment) -> None:
    asking = deployment.add_app(may_introspect=True)
    answer = asking.post("/oauth2/introspect", token="x")
    assert json.loads(answer.body) == {"active": False}
    assert "access-control-allow-origin" not in answer.headers
