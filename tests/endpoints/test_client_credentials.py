"""The client credentials grant (RFC 6749 section 4.4)."""

import pytest

from tests.harness import App, Deployment, authorize


@pytest.fixture
def app(deployment: Deployment) -> App:
    return deployment.add_app(grant_types=("client_credentials",), redirect_uris=())


def test_an_application_gets_a_token_for_itself(app: App) -> None:
    answer = app.token(grant_type="client_credentials")
    assert set(answer.json) == {"access_token", "token_type", "expires_in", "scope"}
    context = authorize(answer.json["access_token"])["context"]
    assert (context["client_id"], context["user_id"]) == (app.client_id, "")


def test_scope_is_read_unless_asked_for(app: App) -> None:
    assert app.token(grant_type="client_credentials").json["scope"] == "read"
    wide = app.token(grant_type="client_credentials", scope="write read")
    assert wide.json["scope"] == "write read"


def test_an_application_without_the_default_scope_gets_what_it_is_registered_for(
    deployment: Deployment,
) -> None:
    writer = deployment.add_app(grant_types=("client_credentials",), redirect_uris=(), scope="write")
    assert writer.token(grant_type="client_credentials").json["scope"] == "write"


def test_more_than_it_is_registered_for_is_refused(deployment: Deployment) -> None:
    reader = deployment.add_app(grant_types=("client_credentials",), redirect_uris=(), scope="read")
    answer = reader.token(grant_type="client_credentials", scope="read write")
    assert (answer.status, answer.json["error"]) == (400, "invalid_scope")


def test_it_needs_the_secret(app: App) -> None:
    answer = app.token(grant_type="client_credentials", client_secret=None)
    assert (answer.status, answer.json["error"]) == (401, "invalid_client")
