"""The authorizer: what API Gateway is told about a token (RFC 6750)."""

import pytest

from chalicelib.authorizer.bearer import bearer
from chalicelib.authorizer.decision import Unauthorized
from chalicelib.models.table import StorageError
from tests.conftest import Time
from tests.endpoints.test_token_errors import storage_fails
from tests.harness import ARN, App, Deployment, authorize, is_alive


@pytest.fixture
def app(deployment: Deployment) -> App:
    deployment.add_account()
    return deployment.add_app(grant_types=("authorization_code", "client_credentials"))


def token_of(app: App, scope: str = "read") -> str:
    return str(app.token(grant_type="client_credentials", scope=scope).json["access_token"])


def resources(token: str, **call: str) -> list[str]:
    (statement,) = authorize(token, **call)["policyDocument"]["Statement"]
    assert statement["Effect"] == "Allow"
    assert statement["Action"] == "execute-api:Invoke"
    return list(statement["Resource"])


def test_read_allows_get_and_head_on_the_whole_stage(app: App) -> None:
    assert resources(token_of(app)) == [f"{ARN}/prod/GET/*", f"{ARN}/prod/HEAD/*"]


def test_write_allows_the_rest(app: App) -> None:
    assert resources(token_of(app, "write")) == [
        f"{ARN}/prod/{method}/*" for method in ("POST", "PUT", "PATCH", "DELETE")
    ]


def test_both_allow_all(app: App) -> None:
    assert len(resources(token_of(app, "read write"))) == 6


def test_the_answer_does_not_depend_on_the_route_that_was_called(app: App) -> None:
    """API Gateway caches it, and applies it to every other route."""
    token = token_of(app, "read write")
    first = resources(token, method="GET", path="api/me")
    assert first == resources(token, method="DELETE", path="a/b/c")
    assert first == resources(token, method="POST", path="")


def test_a_scope_that_maps_to_nothing_is_an_explicit_denial(
    deployment: Deployment, change_setting: object
) -> None:
    assert callable(change_setting)
    change_setting("scopes", {"maps:see": "See maps"})
    app = deployment.add_app(grant_types=("client_credentials",), scope="maps:see")
    answer = authorize(token_of(app, "maps:see"))
    assert answer["policyDocument"]["Statement"] == [
        {"Effect": "Deny", "Action": "execute-api:Invoke", "Resource": [f"{ARN}/prod/*"]}
    ]


def test_the_backend_is_told_who_and_what_all_of_it_as_text(deployment: Deployment, app: App) -> None:
    token = deployment.tokens(app, scope="read write")["access_token"]
    answer = authorize(token)
    context = answer["context"]
    assert set(context) == {"grant_id", "client_id", "user_id", "scope", "expires_at"}
    assert all(isinstance(value, str) for value in context.values())
    assert context["client_id"] == app.client_id
    assert context["scope"] == "read write"
    assert answer["principalId"] == context["user_id"] != ""


def test_an_application_of_its_own_is_its_own_principal(app: App) -> None:
    assert authorize(token_of(app))["principalId"] == app.client_id


@pytest.mark.parametrize(
    "header",
    ["", " ", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "{token}", "Token {token}", "Bearer {token} x"],
)
def test_a_header_that_is_no_bearer_header(app: App, header: str) -> None:
    sent = header.replace("{token}", token_of(app))
    with pytest.raises(Unauthorized, match=r"^Unauthorized$"):
        bearer({"type": "TOKEN", "authorizationToken": sent, "methodArn": f"{ARN}/prod/GET/x"}, None)


@pytest.mark.parametrize(
    "header", ["bearer {token}", "BEARER {token}", "Bearer   {token}", " Bearer {token} "]
)
def test_the_scheme_in_other_words(app: App, header: str) -> None:
    sent = header.replace("{token}", token_of(app))
    assert bearer({"type": "TOKEN", "authorizationToken": sent, "methodArn": f"{ARN}/prod/GET/x"}, None)


def test_an_expired_token_is_unauthorized(app: App, time: Time) -> None:
    token = token_of(app)
    time.passes(2591999)
    assert is_alive(token)
    time.passes(1)
    assert not is_alive(token)


def test_a_token_that_was_never_issued_is_unauthorized(app: App) -> None:
    token = token_of(app)
    assert not is_alive(token[:-1] + ("A" if token[-1] != "A" else "B"))
    assert not is_alive("oat_" + "A" * 36)


@pytest.mark.parametrize("how", ["throttled", "unreachable", "broken"])
def test_when_storage_fails_nobody_gets_in(app: App, how: str) -> None:
    token = token_of(app)
    with storage_fails(how), pytest.raises(StorageError):
        authorize(token)
    assert is_alive(token)
