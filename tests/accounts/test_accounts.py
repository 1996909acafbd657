"""Accounts: one for each address, and the same work whoever tries to sign in."""

from collections import Counter
from unittest import mock

import pytest

from chalicelib.accounts import accounts, passwords, sessions
from chalicelib.accounts.accounts import InvalidAccount
from chalicelib.models.table import Conflict
from tests.faults import TRANSACTION_CONFLICT, first_attempt_fails, first_attempt_is_refused, meanwhile
from tests.harness import EMAIL, PASSWORD, Deployment, count_requests

ADDRESS = "192.0.2.1"


def can_sign_in(email: str, password: str) -> bool:
    return sessions.sign_in(email, password, ADDRESS) is not None


def work(email: str, password: str) -> tuple[Counter[str], int]:
    """Return what it takes to refuse somebody: requests to DynamoDB, and hashes."""
    with (
        mock.patch.object(passwords, "_hasher", mock.Mock(wraps=passwords._hasher)) as hasher,
        count_requests() as requests,
    ):
        assert not can_sign_in(email, password)
    return requests, hasher.verify.call_count


def test_refusing_takes_the_same_work_whatever_the_reason(deployment: Deployment) -> None:
    deployment.add_account()
    accounts.disable(deployment.add_account("disabled@example.org"))
    accounts.add("unset@example.org", None)
    wrong = work(EMAIL, "wrong password")
    assert wrong[1] == 1
    assert work("unknown@example.org", PASSWORD) == wrong
    assert work("disabled@example.org", PASSWORD) == wrong
    assert work("unset@example.org", PASSWORD) == wrong


def test_two_who_take_an_address_at_once_do_not_share_it(deployment: Deployment) -> None:
    with (
        meanwhile("TransactWriteItems", lambda: accounts.add(EMAIL, "the faster one")),
        pytest.raises(InvalidAccount, match="there is an account"),
    ):
        accounts.add(EMAIL, "the slower one")
    assert can_sign_in(EMAIL, "the faster one")
    assert not can_sign_in(EMAIL, "the slower one")


def test_adding_an_account_and_consenting_can_be_retried_safely(deployment: Deployment) -> None:
    with first_attempt_fails("TransactWriteItems") as added:
        deployment.add_account()
    browser, app = deployment.signed_in_browser(), deployment.add_app()
    with first_attempt_fails("TransactWriteItems") as consented:
        deployment.code(app, browser)
    tokens = [[attempt["ClientRequestToken"] for attempt in attempts] for attempts in (added, consented)]
    assert all(len(attempts) == 2 and len(set(attempts)) == 1 for attempts in tokens)
    assert tokens[0] != tokens[1]


@pytest.mark.parametrize("email", [EMAIL, EMAIL.upper(), f"  {EMAIL}\n"])
def test_an_account_is_found_by_its_address_in_any_case(deployment: Deployment, email: str) -> None:
    account = deployment.add_account()
    found = accounts.find_by_email(email)
    assert found
    assert found.user_id == account.user_id


@pytest.mark.parametrize("email", ["", "unknown@example.org", "no address", "x" * 10_000, "\0@\0", "@"])
def test_nobody_is_found_by_another_address(deployment: Deployment, email: str) -> None:
    deployment.add_account()
    assert accounts.find_by_email(email) is None


def test_an_account_that_somebody_else_changed_cannot_be_changed(deployment: Deployment) -> None:
    deployment.add_account()
    first, second = accounts.find_by_email(EMAIL), accounts.find_by_email(EMAIL)
    assert first
    assert second
    accounts.set_password(first, "another password")
    with pytest.raises(Conflict):
        accounts.set_password(second, "a third password")
    assert can_sign_in(EMAIL, "another password")
    assert not can_sign_in(EMAIL, "a third password")


def test_addresses_are_alike_in_ascii_alone(deployment: Deployment) -> None:
    """The Kelvin sign in lower case is a k."""
    kate = deployment.add_account("Kate@example.org")
    assert accounts.find_by_email("kATE@Example.org")
    assert accounts.find_by_email("\u212aate@example.org") is None
    assert accounts.add("\u212aate@example.org", None).user_id != kate.user_id


@pytest.mark.parametrize("email", ["\ud800@example.org", "a@\udfff.org"])
def test_half_a_character_is_in_no_address(deployment: Deployment, email: str) -> None:
    with pytest.raises(accounts.InvalidAccount):
        accounts.add(email, None)


def test_an_account_that_meets_a_transaction_is_stored_all_the_same(deployment: Deployment) -> None:
    with first_attempt_is_refused(TRANSACTION_CONFLICT, "TransactWriteItems"):
        added = accounts.add("new@example.org", None)
    found = accounts.find_by_email("new@example.org")
    assert found is not None
    assert found.user_id == added.user_id
