"""The introspection endpoint (RFC 7662)."""

import pytest

from tests.conftest import Time
from tests.harness import HOST, App, Deployment, count_requests

GRANTS = ("authorization_code", "refresh_token", "client_credentials")
INACTIVE = {"active": False}


@pytest.fixture
def app(deployment: Deployment) -> App:
    return deployment.add_app(grant_types=GRANTS)


@pytest.fixture
def api(deployment: Deployment) -> App:
    return deployment.add_app(name="API", grant_types=("client_credentials",), may_introspect=True)


def test_an_access_token_is_described(deployment: Deployment, app: App, api: App, time: Time) -> None:
    account = deployment.add_account()
    token = deployment.tokens(app, scope="read write")["access_token"]
    answer = api.post("/oauth2/introspect", token=token)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json == {
        "active": True,
        "client_id": app.client_id,
        "sub": account.user_id,
        "iss": f"https://{HOST}",
        "token_type": "Bearer",
        "scope": "read write",
        "iat": time.now,
        "exp": time.now + 2592000,
    }


def test_the_subject_of_an_applications_own_token_is_the_application(app: App, api: App) -> None:
    token = app.token(grant_type="client_credentials").json["access_token"]
    assert api.post("/oauth2/introspect", token=token).json["sub"] == app.client_id


def test_a_refresh_token_is_described(deployment: Deployment, app: App, api: App, time: Time) -> None:
    deployment.add_account()
    answer = api.post("/oauth2/introspect", token=deployment.tokens(app)["refresh_token"])
    assert answer.json["active"] is True
    assert answer.json["exp"] == time.now + 90 * 86400
    assert "token_type" not in answer.json


def test_a_rotated_refresh_token_is_inactive(deployment: Deployment, app: App, api: App) -> None:
    deployment.add_account()
    first = deployment.tokens(app)["refresh_token"]
    second = app.refresh(first).json["refresh_token"]
    assert api.post("/oauth2/introspect", token=first).json == INACTIVE
    assert api.post("/oauth2/introspect", token=second).json["active"] is True


def test_expired_and_revoked_tokens_are_inactive(
    deployment: Deployment, app: App, api: App, time: Time
) -> None:
    deployment.add_account()
    tokens = deployment.tokens(app)
    time.passes(2592000)
    assert api.post("/oauth2/introspect", token=tokens["access_token"]).json == INACTIVE
    app.post("/oauth2/revoke", token=tokens["refresh_token"])
    assert api.post("/oauth2/introspect", token=tokens["refresh_token"]).json == INACTIVE


def test_codes_and_garbage_are_inactive(deployment: Deployment, app: App, api: App) -> None:
    deployment.add_account()
    for token in (deployment.code(app), "x", "oat_" + "A" * 36, "ort_" + "A" * 36):
        assert api.post("/oauth2/introspect", token=token).json == INACTIVE


def test_a_client_that_may_not_introspect_is_told_nothing(deployment: Deployment, app: App) -> None:
    token = app.token(grant_type="client_credentials").json["access_token"]
    answer = app.post("/oauth2/introspect", token=token)
    assert (answer.status, answer.json["error"]) == (400, "unauthorized_client")


def test_introspection_needs_authentication(app: App, api: App) -> None:
    answer = api.post("/oauth2/introspect", token="x", client_secret="wrong")
    assert (answer.status, answer.json["error"]) == (401, "invalid_client")


def test_introspection_takes_one_request(app: App, api: App) -> None:
    token = app.token(grant_type="client_credentials").json["access_token"]
    api.post("/oauth2/introspect", token=token)
    with count_requests() as requests:
        api.post("/oauth2/introspect", token=token)
    assert requests.total() == 1
