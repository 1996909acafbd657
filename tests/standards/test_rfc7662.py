"""Introspection: what no other test holds."""

import pytest

from tests.harness import EMAIL, App, Deployment, event, post, send

INACTIVE = {"active": False}


@pytest.fixture
def app(deployment: Deployment) -> App:
    deployment.add_account()
    return deployment.add_app(grant_types=("authorization_code", "refresh_token"))


@pytest.fixture
def api(deployment: Deployment) -> App:
    return deployment.add_app(name="API", grant_types=("client_credentials",), may_introspect=True)


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "nonsense", ""])
def test_a_hint_never_hides_a_token(deployment: Deployment, app: App, api: App, hint: str) -> None:
    """Section 2.1: the search goes on among all kinds of tokens."""
    tokens = deployment.tokens(app)
    for name in ("access_token", "refresh_token"):
        answer = api.post("/oauth2/introspect", token=tokens[name], token_type_hint=hint)
        assert answer.json["active"] is True


def test_nobody_introspects_without_authenticating(deployment: Deployment, app: App, api: App) -> None:
    """Sections 2.1 and 4: neither a stranger, nor a public client, nor by the client's id alone."""
    token = deployment.tokens(app)["access_token"]
    public = deployment.add_app(name="Native", public=True)
    answers = [
        post("/oauth2/introspect", {"token": token}),
        api.post("/oauth2/introspect", token=token, client_secret=None),
        public.post("/oauth2/introspect", token=token),
    ]
    assert [answer.json["error"] for answer in answers] == [
        "invalid_request",
        "invalid_client",
        "unauthorized_client",
    ]


def test_a_token_in_the_uri_is_not_looked_at(deployment: Deployment, app: App) -> None:
    """Section 4: it would end up in logs."""
    token = deployment.tokens(app)["access_token"]
    answer = send(event("GET", "/oauth2/introspect", query={"token": token}))
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


def test_a_user_is_named_by_an_opaque_id_alone(deployment: Deployment, app: App, api: App) -> None:
    """Section 5."""
    answer = api.post("/oauth2/introspect", token=deployment.tokens(app)["access_token"])
    assert answer.json["active"] is True
    assert EMAIL not in answer.body
    assert "username" not in answer.json


def test_a_token_that_is_not_active_is_told_with_200(deployment: Deployment, app: App, api: App) -> None:
    """Sections 2.2 and 2.3: that is no error, whatever the reason."""
    revoked = deployment.tokens(app)["access_token"]
    app.post("/oauth2/revoke", token=revoked)
    for token in (revoked, "x"):
        answer = api.post("/oauth2/introspect", token=token)
        assert (answer.status, answer.json) == (200, INACTIVE)
