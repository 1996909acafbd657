"""Adding accounts and changing them. Whatever ends an account's sessions ends what it granted as well."""

import re
import secrets

from chalicelib import clock
from chalicelib.accounts import passwords
from chalicelib.models.table import Conflict, Transaction
from chalicelib.models.user import Account, EmailAddress
from chalicelib.oauth import credentials, revocation

_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]{1,190}")


class InvalidAccount(ValueError):
    """An account cannot be added or changed so; the message says why."""


def normalize(email: str) -> str:
    """Return the form in which an e-mail address is stored and compared."""
    return email.strip().lower()


def add(email: str, password: str | None) -> Account:
    """Add an account. Without a password nobody can sign in to it, until one is set.

    Raises:
        InvalidAccount: the address is malformed or taken.
        UnacceptablePassword: too short or too long.
    """
    account = new(email, password)
    try:
        with Transaction(client_request_token=secrets.token_urlsafe(24)) as transaction:
            add_in(transaction, account)
    except Conflict:
        raise InvalidAccount("there is an account with this e-mail address") from None
    return account


def new(email: str, password: str | None) -> Account:
    """Return a new account, which is not stored yet.

    Raises:
        InvalidAccount: the address is malformed.
        UnacceptablePassword: too short or too long.
    """
    email = normalize(email)
    if not _EMAIL.fullmatch(email):
        raise InvalidAccount("this is no e-mail address")
    return Account(
        credentials.random_text(credentials.USER_ID_LENGTH),
        Account.ITEM,
        email=email,
        password_hash=passwords.hash_password(password) if password is not None else None,
        created_at=clock.now(),
    )


def add_in(transaction: Transaction, account: Account) -> None:
    """Store a new account as a part of a transaction, which conflicts if its address is taken."""
    account.write_in(transaction)
    address = EmailAddress(account.email, EmailAddress.ITEM, account_id=account.user_id)
    transaction.save(address, EmailAddress.user_id.does_not_exist())


def find_by_email(email: str) -> Account | None:
    """Return the account with an e-mail address, or None. Reads as much for an unknown address."""
    email = normalize(email)
    if not _EMAIL.fullmatch(email):
        return None
    address = EmailAddress.find(email, EmailAddress.ITEM)
    return Account.of(address.account_id if address else "nobody")


def set_password(account: Account, password: str) -> int:
    """Set a password, end all sessions, and revoke all that was granted in the account's name.

    Returns:
        How many grants were revoked.

    Raises:
        UnacceptablePassword: too short or too long.
        Conflict: somebody else changed the account since it was read.
    """
    account.password_hash = passwords.hash_password(password)
    return _change_and_revoke(account, "password changed")


def disable(account: Account) -> int:
    """Disable an account, end all sessions, and revoke all that was granted in its name.

    Repeat it if it was interrupted.

    Returns:
        How many grants were revoked.

    Raises:
        Conflict: somebody else changed the account since it was read.
    """
    account.disabled_at = account.disabled_at or clock.now()
    return _change_and_revoke(account, "account disabled")


def enable(account: Account) -> None:
    """Let a disabled account sign in again. What was revoked stays revoked.

    Raises:
        Conflict: somebody else changed the account since it was read.
    """
    account.disabled_at = None
    end_sessions(account)


def end_sessions(account: Account) -> None:
    """Sign a person out everywhere, by one write. What they granted stays.

    Raises:
        Conflict: somebody else changed the account since it was read.
    """
    account.epoch += 1
    account.write()


def _change_and_revoke(account: Account, because: str) -> int:
    end_sessions(account)
    return sum(1 for _ in revocation.revoke_grants_of_user(account.user_id, because))
