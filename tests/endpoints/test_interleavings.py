"""Two requests at once, one between the read and the write of the other: one chain, one redemption."""

from typing import Any

import pytest

from chalicelib import clock
from chalicelib.accounts import accounts
from chalicelib.models.table import Conflict
from chalicelib.oauth import registration, revocation
from tests.conftest import Time
from tests.expect import assert_error
from tests.faults import meanwhile
from tests.harness import EMAIL, Answer, App, Deployment, is_alive


@pytest.fixture
def app(deployment: Deployment) -> App:
    deployment.add_account()
    return deployment.add_app(grant_types=("authorization_code", "refresh_token"))


def test_two_redemptions_at_once_yield_one_set_of_tokens_and_then_revoke_it(
    deployment: Deployment, app: App
) -> None:
    code = deployment.code(app)
    faster: list[Answer] = []
    with meanwhile("PutItem", lambda: faster.append(app.exchange(code))):
        slower = app.exchange(code)
    assert faster[0].status == 200
    assert_error(slower, "invalid_grant")
    assert not is_alive(faster[0].json["access_token"])


def test_a_redemption_while_the_grant_is_revoked_yields_nothing(deployment: Deployment, app: App) -> None:
    code = deployment.code(app)
    with meanwhile("PutItem", lambda: revocation.revoke_grant(code[4:12], "test")):
        assert_error(app.exchange(code), "invalid_grant")


def test_two_refreshes_at_once_are_told_the_same_pair(deployment: Deployment, app: App) -> None:
    token = deployment.tokens(app)["refresh_token"]
    faster: list[Answer] = []
    with meanwhile("PutItem", lambda: faster.append(app.refresh(token))):
        slower = app.refresh(token)
    assert slower.status == 200
    assert slower.json == faster[0].json
    assert app.refresh(slower.json["refresh_token"]).status == 200


def test_a_refresh_while_the_grant_is_revoked_yields_nothing(deployment: Deployment, app: App) -> None:
    tokens: Any = deployment.tokens(app)
    grant_id = tokens["access_token"][4:12]
    with meanwhile("PutItem", lambda: revocation.revoke_grant(grant_id, "test")):
        assert_error(app.refresh(tokens["refresh_token"]), "invalid_grant")
    assert not is_alive(tokens["access_token"])


def test_a_refresh_and_a_theft_at_once_leave_nothing_alive(
    deployment: Deployment, app: App, time: Time
) -> None:
    stolen = deployment.tokens(app)["refresh_token"]
    current = app.refresh(stolen).json
    time.passes(60 + clock.SKEW)
    with meanwhile("PutItem", lambda: app.refresh(stolen)):
        assert_error(app.refresh(current["refresh_token"]), "invalid_grant")
    assert not is_alive(current["access_token"])


@pytest.mark.parametrize("change", ["disable", "set_password"])
def test_an_account_that_changes_at_the_very_moment_of_consent_grants_nothing(
    deployment: Deployment, app: App, change: str
) -> None:
    browser = deployment.signed_in_browser()
    page = browser.get(app.authorization_url())
    account = accounts.find_by_email(EMAIL)
    assert account

    def happens() -> None:
        if change == "disable":
            accounts.disable(account)
        else:
            accounts.set_password(account, "another password")

    with meanwhile("TransactWriteItems", happens):
        answer = browser.submit(page, decision="allow")
    assert "password" in answer.form.fields
    assert deployment.snapshot()["grants"] == []


def test_a_secret_rotated_by_two_at_once_changes_once(deployment: Deployment, app: App) -> None:
    first, second = deployment.client(app), deployment.client(app)
    registration.rotate_secret(first)
    with pytest.raises(Conflict):
        registration.rotate_secret(second)
    assert len(deployment.client(app).secrets) == 1
