"""Adding accounts and changing them. Whatever ends an account's sessions ends what it granted as well."""

import re
import secrets
import string
from collections.abc import Callable
from contextlib import suppress

from chalicelib import clock, deadline
from chalicelib.accounts import passwords
from chalicelib.catalogue import (
    ACCOUNT_ADDED,
    ACCOUNT_DEMOTED,
    ACCOUNT_DISABLED,
    ACCOUNT_ENABLED,
    ACCOUNT_PROMOTED,
    GRANTS_REVOKED,
    PASSWORD_CHANGED,
    REVOCATION_INCOMPLETE,
    SESSIONS_ENDED,
)
from chalicelib.journal import tell, tell_failure
from chalicelib.models.table import Conflict, StorageError, Transaction
from chalicelib.models.user import Account, EmailAddress, Identity
from chalicelib.oauth import credentials, revocation
from chalicelib.oauth.revocation import Ends

_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f\ud800-\udfff]{1,64}@[^@\s\x00-\x1f\x7f\ud800-\udfff]{1,190}")
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
"""ASCII alone: lower case makes a k of the Kelvin sign, and one person's address another's."""


ATTEMPTS = 3
"""How often an account is stored anew that met another transaction."""

Revoke = Callable[[str, str], int]


def revoke_all(user_id: str, because: str, ends: Ends = lambda _: True) -> int:
    """Revoke what was granted in a person's name, and return how many grants that were.

    Args:
        user_id: whose.
        because: the reason, for those who look at the grants later.
        ends: what of it; by default, all.
    """
    revoked = 0
    try:
        for _ in revocation.revoke_grants_of_user(user_id, because, ends=ends):
            revoked += 1
    finally:
        if revoked:
            tell(GRANTS_REVOKED, user_id=user_id, count=revoked, because=because)
    return revoked


def revoke_what_is_due(account: Account) -> int:
    """Revoke what was to end with a password and has not, and return how many grants that were.

    Args:
        account: as it was read or written just now.

    Raises:
        StorageError: DynamoDB did not answer as it should. What has not ended stays noted.
    """
    if account.revoke_before is None:
        return 0
    revoked = revoke_all(account.user_id, "password changed", account.is_to_end)
    account.revoke_before = account.kept = None
    with suppress(Conflict):  # It has ended all the same: the next sign-in finds that, and notes it.
        account.write()
    return revoked


def finish_revoking(account: Account) -> None:
    """Do so as far as it comes: the rest is done when somebody signs in the next time."""
    try:
        revoke_what_is_due(account)
    except StorageError as error:
        tell_failure(REVOCATION_INCOMPLETE, error, user_id=account.user_id)


class InvalidAccount(ValueError):
    """An account cannot be added or changed so; the message says why."""


def normalize(email: str) -> str:
    """Return the form in which an e-mail address is stored and compared."""
    return email.strip().translate(_LOWER)


def check_email(email: str) -> str:
    """Return an e-mail address in the form in which it is stored.

    Raises:
        InvalidAccount: it is malformed.
    """
    email = normalize(email)
    if not _EMAIL.fullmatch(email):
        raise InvalidAccount("this is no e-mail address")
    return email


def add(
    email: str, password: str | None, identity: str | None = None, *, is_operator: bool = False
) -> Account:
    """Add an account. Without a password nobody can sign in to it with one, until one is set.

    Args:
        email: its address.
        password: to sign in with.
        identity: the key of the upstream identity to sign in with (`identities`).
        is_operator: whether the person may look after other people's applications.

    Raises:
        InvalidAccount: the address is malformed or taken.
        UnacceptablePassword: too short or too long.
    """
    account = new(email, password, identity, is_operator=is_operator)
    store(account)
    tell(ACCOUNT_ADDED, user_id=account.user_id, method="operator" if identity is None else "upstream")
    return account


def new(
    email: str, password: str | None, identity: str | None = None, *, is_operator: bool = False
) -> Account:
    """Return a new account, which is not stored yet; as with `add`.

    Raises:
        InvalidAccount: the address is malformed.
        UnacceptablePassword: too short or too long.
    """
    return Account(
        credentials.random_text(credentials.USER_ID_LENGTH),
        Account.ITEM,
        email=check_email(email),
        password_hash=passwords.hash_password(password) if password is not None else None,
        is_operator=is_operator,
        created_at=clock.now(),
        identity=identity,
    )


def store(account: Account) -> None:
    """Store a new account, and that its address and its upstream identity are taken.

    Raises:
        InvalidAccount: one of them is taken, or the id.
    """
    for attempt in range(ATTEMPTS):
        try:
            with Transaction(client_request_token=secrets.token_urlsafe(24)) as transaction:
                store_in(transaction, account)
        except Conflict:  # Taken, or held by another transaction for a moment.
            account.revision = None
            deadline.pause(attempt)
            continue
        return
    raise InvalidAccount("there is an account with this e-mail address")


def store_in(transaction: Transaction, account: Account) -> None:
    """Do the same as a part of a transaction, which raises `Conflict` as a whole."""
    account.write_in(transaction)
    address = EmailAddress(account.email, EmailAddress.ITEM, account_id=account.user_id)
    transaction.save(address, EmailAddress.user_id.does_not_exist())
    if account.identity is not None:
        link = Identity(account.identity, Identity.ITEM, account_id=account.user_id)
        transaction.save(link, Identity.user_id.does_not_exist())


def find_by_email(email: str) -> Account | None:
    """Return the account with an e-mail address, or None. Reads as much for an unknown address."""
    email = normalize(email)
    if not _EMAIL.fullmatch(email):
        return None
    address = EmailAddress.find(email, EmailAddress.ITEM)
    return Account.of(address.account_id if address else "nobody")


def set_password(account: Account, password: str) -> int:
    """Set a password, end all sessions, and revoke all that was granted in the account's name.

    If it breaks off, the next sign-in goes on with what is left to revoke.

    Returns:
        How many grants were revoked.

    Raises:
        UnacceptablePassword: too short or too long.
        Conflict: somebody else changed the account since it was read.
        StorageError: DynamoDB did not answer as it should.
    """
    account.password_hash = passwords.hash_password(password)
    account.begin_epoch()
    account.write()
    tell(PASSWORD_CHANGED, user_id=account.user_id)
    return revoke_what_is_due(account)


def disable(account: Account, revoke: Revoke = revoke_all) -> int:
    """Disable an account, end all sessions, and revoke all that was granted in its name.

    Repeat it if it was interrupted.

    Args:
        account: which.
        revoke: how to end what was granted to whom, and why; returns how many grants that were.

    Returns:
        How many grants were revoked.

    Raises:
        Conflict: somebody else changed the account since it was read.
    """
    account.disabled_at = account.disabled_at or clock.now()
    _write_and_end_sessions(account)
    tell(ACCOUNT_DISABLED, user_id=account.user_id)
    return revoke(account.user_id, "account disabled")


def enable(account: Account) -> None:
    """Let a disabled account sign in again. What was revoked stays revoked.

    Raises:
        Conflict: somebody else changed the account since it was read.
    """
    account.disabled_at = None
    _write_and_end_sessions(account)
    tell(ACCOUNT_ENABLED, user_id=account.user_id)


def end_sessions(account: Account) -> None:
    """Sign a person out everywhere, by one write. What they granted stays.

    Raises:
        Conflict: somebody else changed the account since it was read.
    """
    _write_and_end_sessions(account)
    tell(SESSIONS_ENDED, user_id=account.user_id)


def set_operator(account: Account, is_operator: bool) -> None:
    """Let a person look after other people's applications, or no longer. It counts from the next page on.

    Raises:
        Conflict: somebody else changed the account since it was read.
    """
    account.is_operator = is_operator
    account.write()
    tell(ACCOUNT_PROMOTED if is_operator else ACCOUNT_DEMOTED, user_id=account.user_id)


def _write_and_end_sessions(account: Account) -> None:
    account.epoch += 1
    account.write()
