"""Writes when answers get lost, and when transactions are at the same row."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from pynamodb.exceptions import PutError

from chalicelib.accounts import accounts
from chalicelib.models.table import PATIENCE, StorageError, Table, dynamodb
from tests.conftest import Time
from tests.endpoints.test_client_assertion import Signer, signer
from tests.endpoints.test_token_errors import refusal
from tests.harness import EMAIL, App, Deployment, is_alive

__all__ = ["signer"]


@contextmanager
def lost_answers(operation: str) -> Iterator[list[str]]:
    """Apply each request, lose its first answer, and let botocore send it again."""
    lost: list[str] = []

    def lose(attempts: int, **_: Any) -> int | None:
        if attempts > 1:
            return None
        lost.append(operation)
        return 0  # The delay before the next attempt, in seconds.

    events = dynamodb.client.meta.events
    events.register_first(f"needs-retry.dynamodb.{operation}", lose)
    try:
        yield lost
    finally:
        events.unregister(f"needs-retry.dynamodb.{operation}", lose)


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


def test_a_redemption_whose_answer_got_lost_is_no_replay(deployment: Deployment, app: App) -> None:
    code = deployment.code(app)
    with lost_answers("PutItem") as lost:
        answer = app.exchange(code)
    assert lost
    assert is_alive(answer.json["access_token"])


def test_a_refresh_whose_answer_got_lost_goes_on(deployment: Deployment, app: App) -> None:
    first = deployment.tokens(app)
    with lost_answers("PutItem") as lost:
        second = app.refresh(first["refresh_token"]).json
    assert lost
    assert is_alive(second["access_token"])
    assert app.refresh(second["refresh_token"]).status == 200


def test_client_credentials_whose_answer_got_lost_are_issued_once(deployment: Deployment, app: App) -> None:
    with lost_answers("PutItem") as lost:
        assert app.token(grant_type="client_credentials").status == 200
    assert lost
    assert len(deployment.snapshot()["grants"]) == 1


def test_an_assertion_whose_answer_got_lost_is_no_replay(signer: Signer, time: Time) -> None:
    with lost_answers("PutItem") as lost:
        assert signer.send(signer.assertion()).status == 200
    assert lost


def test_an_authorization_whose_answer_got_lost_is_made_once(deployment: Deployment, app: App) -> None:
    browser = deployment.signed_in_browser()
    page = browser.get(app.authorization_url())
    with lost_answers("TransactWriteItems") as lost:
        code = browser.submit(page, decision="allow").redirect_params["code"]
    assert lost
    assert app.exchange(code).status == 200
    assert len(deployment.snapshot()["grants"]) == 1


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
    monkeypatch.setattr("chalicelib.models.table.time.sleep", lambda _: None)
    account = accounts.find_by_email(EMAIL)
    assert account
    with transaction_at_the_row("PutItem", times=PATIENCE + 1), pytest.raises(StorageError):
        accounts.disable(account)


def test_a_redemption_of_which_every_answer_got_lost_is_no_replay(
    deployment: Deployment, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = deployment.code(app)
    store = Table.save

    def store_and_lose(row: Table, condition: Any = None, **options: Any) -> None:
        store(row, condition, **options)
        raise PutError("timed out")

    monkeypatch.setattr(Table, "save", store_and_lose)
    answer = app.exchange(code)
    assert is_alive(answer.json["access_token"])


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
