"""When rows, codes and tokens are over: none too early for DynamoDB's TTL, none too late for anybody."""

from typing import Any

import pytest

from chalicelib.accounts import accounts
from chalicelib.models.grant import Grant
from chalicelib.oauth.client_metadata import InvalidClientMetadata
from tests.conftest import Time
from tests.expect import assert_error
from tests.harness import EMAIL, App, Deployment, is_alive


@pytest.fixture
def app(deployment: Deployment, time: Time) -> App:
    deployment.add_account()
    return deployment.add_app(grant_types=("authorization_code", "refresh_token"))


@pytest.fixture
def tokens(deployment: Deployment, app: App) -> Any:
    return deployment.tokens(app)


def test_rows_stay_until_everything_in_them_is_over(
    deployment: Deployment, app: App, tokens: Any, time: Time
) -> None:
    time.passes(80 * 86400)
    refreshed = app.refresh(tokens["refresh_token"]).json
    (row,) = deployment.snapshot()["grants"]
    assert int(row["expires_at"]["N"]) >= time.now + 90 * 86400
    assert int(row["expires_at"]["N"]) >= time.now + refreshed["expires_in"]


def test_access_tokens_that_are_over_make_room(
    deployment: Deployment, app: App, tokens: Any, time: Time
) -> None:
    time.passes(tokens["expires_in"])
    app.refresh(tokens["refresh_token"])
    (row,) = deployment.snapshot()["grants"]
    assert len(row["access_tokens"]["L"]) == 1


def test_a_pointer_to_a_grant_outlives_the_grant(
    deployment: Deployment, app: App, tokens: Any, time: Time
) -> None:
    """By it a new password finds all that was granted."""
    for _ in range(5):
        time.passes(80 * 86400)
        answer = app.refresh(tokens["refresh_token"])
        tokens = answer.json if answer.status == 200 else tokens
    stored = deployment.snapshot()
    (grant,) = stored["grants"]
    (pointer,) = [row for row in stored["users"] if row["item"]["S"].startswith("grant#")]
    assert int(pointer["expires_at"]["N"]) >= int(grant["expires_at"]["N"])


@pytest.mark.parametrize("ending", ["disabled", "new password"])
def test_a_code_ends_with_the_account_that_it_stands_for(
    deployment: Deployment, app: App, ending: str
) -> None:
    code = deployment.code(app)
    account = accounts.find_by_email(EMAIL)
    assert account
    _ = accounts.disable(account) if ending == "disabled" else accounts.set_password(account, "another one")
    assert_error(app.exchange(code), "invalid_grant")


def test_a_token_whose_grant_dynamodb_deleted_is_over(deployment: Deployment, tokens: Any) -> None:
    grant = Grant.find(tokens["access_token"][4:12])
    assert grant
    grant.delete()
    assert not is_alive(tokens["access_token"])


def test_a_public_client_cannot_act_for_itself_however_it_came_by_the_grant_type(
    deployment: Deployment,
) -> None:
    with pytest.raises(InvalidClientMetadata, match="client_credentials"):
        deployment.add_app(grant_types=("client_credentials",), public=True)
    app = deployment.add_app(public=True)
    client = deployment.client(app)
    client.grant_types = ["client_credentials"]
    client.write()
    assert_error(app.token(grant_type="client_credentials"), "unauthorized_client")
