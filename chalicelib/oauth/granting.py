"""Storing what a user grants: the grant, their pointer to it, and what they agreed to; all or nothing."""

import secrets
from collections.abc import Callable

from chalicelib import clock, deadline
from chalicelib.models.client import Client
from chalicelib.models.grant import Grant
from chalicelib.models.table import Conflict, Transaction
from chalicelib.models.user import Account, Consent, UserGrant
from chalicelib.oauth.errors import TemporarilyUnavailable
from chalicelib.settings import settings

ATTEMPTS = 4


class AccountChanged(Exception):
    """The account is not what it was when the user signed in: they have to sign in again."""


def longest_access(client: Client) -> int:
    """Return for how long, in seconds, a client may go on with what it is granted."""
    if "refresh_token" in client.grant_types:
        return settings.refresh_token_lifetime + settings.access_token_lifetime
    return settings.access_token_lifetime


def store(
    make: Callable[[], Grant],
    client: Client,
    account: Account,
    consent: Consent | None = None,
    relied_on: Consent | None = None,
) -> Grant:
    """Store what a user grants, atomically, whoever else is at it.

    Args:
        make: makes the grant, or reads and changes it; called anew whenever others were faster.
        client: gets it.
        account: as it was read when the user's session was checked.
        consent: to be remembered with it.
        relied_on: what was agreed to before, if that is why the user is not asked now.

    Returns:
        The grant that was stored.

    Raises:
        AccountChanged: disabled, a new password, or the application disconnected, since then.
        TemporarilyUnavailable: others wrote to the account or the grant at the same time, too often.
    """
    for attempt in range(ATTEMPTS):
        grant = make()
        try:
            _store(grant, client, account, consent, relied_on)
        except Conflict:
            if not grant.is_stored():
                _check_unchanged(account, relied_on)
                deadline.pause(attempt)
                continue
        return grant
    raise TemporarilyUnavailable


def _check_unchanged(account: Account, relied_on: Consent | None) -> None:
    current = Account.of(account.user_id)
    if current is None or current.disabled_at is not None or current.epoch != account.epoch:
        raise AccountChanged from None
    if relied_on is not None:
        consent = Consent.find(account.user_id, relied_on.item)
        if consent is None or consent.granted_at != relied_on.granted_at:
            raise AccountChanged from None


def _store(
    grant: Grant, client: Client, account: Account, consent: Consent | None, relied_on: Consent | None
) -> None:
    """Write the grant, the user's pointer to it and the consent, if the account is still as it was.

    The checks are what makes "disable the account, then revoke what it granted" miss nothing, and
    "disconnect the application" as well.
    """
    unchanged = (Account.epoch == account.epoch) & Account.disabled_at.does_not_exist()
    grant.refreshable = "refresh_token" in client.grant_types
    with Transaction(client_request_token=secrets.token_urlsafe(24)) as transaction:
        transaction.condition_check(Account, account.user_id, Account.ITEM, condition=unchanged)
        if relied_on is not None:
            agreed = Consent.granted_at == relied_on.granted_at
            transaction.condition_check(Consent, account.user_id, relied_on.item, condition=agreed)
        grant.write_in(transaction)
        transaction.save(
            UserGrant(
                account.user_id,
                UserGrant.items_of(grant.client_id) + grant.grant_id,
                grant_id=grant.grant_id,
                client_id=grant.client_id,
                expires_at=grant.expires_at + longest_access(client),
                epoch=account.epoch,
                granted_at=clock.now(),
            )
        )
        if consent is not None:
            transaction.save(consent)
