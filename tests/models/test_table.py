"""Writes when transactions are at the same row."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from chalicelib.accounts import accounts
from chalicelib.models.table import PATIENCE, StorageError, dynamodb
from tests.endpoints.test_client_assertion import signer
from tests.endpoints.test_token_errors import refusal
from tests.harness import EMAIL, App, Deployment, is_alive

__all__ = ["signer"]


@contextmanager
def transaction_at_the_row(operation: str, times: int) -> Iterator[None]:
    """Let an operation meet a transaction so many times."""
    left = [times]

    def conflict(**_: Any) -> tuple[AWSResponse, dict[str, Any]] | None:
        if not left[0]:
            return None
        left[0] -= 1
        return refusal(400, "TransactionConflictException")

    events = dynamodb.client.meta.events
    events.register_first(f"before-call.dynamodb.{operation}", conflict)
    try:
        yield
    finally:
        events.unregister(f"before-call.dynamodb.{operation}", conflict)


@pytest.fixture
def app(deployment: Deployment) -> App:
    deployment.add_account()
    return deployment.add_app(grant_types=("authorization_code", "refresh_token", "client_credentials"))


@pytest.mark.parametrize("operation", ["PutItem", "DeleteItem"])
def test_disabling_an_account_waits_for_transactions(
    deployment: Deployment, app: App, operation: str
) -> None:
    token = deployment.tokens(app)["access_token"]
    account = accounts.find_by_email(EMAIL)
    assert account
    with transaction_at_the_row(operation, times=2):
        assert accounts.disable(account) == 1
    assert not is_alive(token)


def test_it_does_not_wait_for_ever(deployment: Deployment, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    account = accounts.find_by_email(EMAIL)
    assert account
    with transaction_at_the_row("PutItem", times=PATIENCE + 1), pytest.raises(StorageError):
        accounts.disable(account)


def test_requests_say_in_a_word_where_they_come_from(app: App) -> None:
    """Botocore would make a text of 200 characters, twice for each request: 4 % of what it takes."""
    agents = []

    def look(request: Any, **_: Any) -> None:
        agents.append(request.headers["User-Agent"])

    dynamodb.client.meta.events.register("before-send.dynamodb", look)
    try:
        assert app.token(grant_type="client_credentials").status == 200
    finally:
        dynamodb.client.meta.events.unregister("before-send.dynamodb", look)
    assert set(agents) == {b"oauth"}
