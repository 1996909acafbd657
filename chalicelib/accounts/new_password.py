"""Setting a new password: for who gives the old one, or types a code that was mailed.

Either way one transaction changes the password, ends all sessions and starts a new one for this
browser. Revoking comes after it: nothing can be granted to the old sessions any longer, so that
it misses nothing. That it has to come is noted by the transaction: should it fail, or the function
end before it, signing in goes on with it.
"""

import secrets
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

from chalicelib.accounts import accounts, mailed_codes, passwords, sessions, throttle
from chalicelib.accounts.mailed_codes import Compose, Letter, NoCode, Purpose
from chalicelib.accounts.throttle import Attempt
from chalicelib.catalogue import PASSWORD_CHANGED, PASSWORD_RESET
from chalicelib.journal import tell
from chalicelib.models.session import MailedCode
from chalicelib.models.table import StorageError, Transaction
from chalicelib.models.user import Account


@dataclass(frozen=True)
class Changed:
    """A password was changed."""

    credential: str
    """Of this browser's new session."""
    complete: bool
    """Whether all was revoked that was to be: storage may fail in between."""


def change(
    account: Account, current: str, password: str, kept: Collection[str], address: str
) -> Changed | None:
    """Change the password of who is signed in.

    Args:
        account: whose, as it was read in this request.
        current: the old password, as it was typed.
        password: the new one.
        kept: ids of the clients that stay connected; all others do not.
        address: the IP address that the request comes from.

    Returns:
        None, and nothing was changed, if the old password is not that.

    Raises:
        UnacceptablePassword: the new one is too short or too long.
        Throttled: after too many wrong ones.
        Conflict: somebody else changed the account in between.
    """
    passwords.require_acceptable(password)
    attempt = Attempt(account.email, address)
    if not passwords.verify_password(account.password_hash, current):
        attempt.failed(account.user_id)
        return None
    return _set(account, password, kept)


def ask(email: str, browser: str, address: str, compose: Compose) -> None:
    """Mail a code, or, by the same work, why there is none.

    Args:
        email: as it was typed.
        browser: its cookie.
        address: the IP address that the request comes from.
        compose: writes the mail.

    Raises:
        InvalidAccount: mail cannot be sent there.
        Throttled: there were too many mails.
        MailFailed: it was not sent.
    """
    email = mailed_codes.recipient(email, address)
    letter = _letter_to(accounts.find_by_email(email))
    mailed_codes.send(Purpose.NEW_PASSWORD, browser, email, letter, compose)


def _letter_to(account: Account | None) -> Letter:
    if account is None:
        return Letter.NO_ACCOUNT
    return Letter.NEW_PASSWORD if account.disabled_at is None else Letter.ACCOUNT_DISABLED


def finish(browser: str, typed: str, password: str) -> Changed:
    """Set a new password for who forgot theirs, and revoke all: somebody else may have known it.

    Args:
        browser: its cookie.
        typed: the code, as it was typed.
        password: the new one.

    Raises:
        UnacceptablePassword, MalformedCode: nothing was tried.
        WrongCode, NoCode: this is not the code.
        Conflict: somebody else changed the account in between.
    """
    passwords.require_acceptable(password)
    code = mailed_codes.check(Purpose.NEW_PASSWORD, browser, typed)
    account = accounts.find_by_email(code.email)
    if account is None or account.disabled_at is not None:
        raise NoCode
    return _set(account, password, spending=code)


def _set(
    account: Account, password: str, kept: Collection[str] = (), spending: MailedCode | None = None
) -> Changed:
    account.password_hash = passwords.hash_password(password)
    account.begin_epoch(kept)
    credential, session = sessions.new(account)
    with Transaction(client_request_token=secrets.token_urlsafe(24)) as transaction:
        account.write_in(transaction)
        transaction.save(session)
        if spending is not None:
            spending.delete_in(transaction)
    tell(PASSWORD_CHANGED if spending is None else PASSWORD_RESET, user_id=account.user_id)
    accounts.finish_revoking(account)
    with suppress(StorageError):  # Or the new password has to wait, for who guessed at the old one.
        throttle.ACCOUNT.forget(account.email)
    return Changed(credential, complete=account.revoke_before is None)
