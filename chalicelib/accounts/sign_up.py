"""Signing up: an account for who shows that an e-mail address is theirs, and nothing before that."""

import secrets

from chalicelib.accounts import accounts, mailed_codes, passwords, sessions
from chalicelib.accounts.mailed_codes import Compose, Letter, Purpose
from chalicelib.catalogue import ACCOUNT_ADDED
from chalicelib.journal import tell
from chalicelib.models.table import Conflict, Transaction


class AddressTaken(Exception):
    """Somebody added an account with this address since the code was mailed."""


def ask(email: str, browser: str, address: str, compose: Compose) -> None:
    """Mail a code, or, by the same work, that there is an account already.

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
    taken = accounts.find_by_email(email) is not None
    letter = Letter.SIGNED_UP_ALREADY if taken else Letter.SIGN_UP
    mailed_codes.send(Purpose.SIGN_UP, browser, email, letter, compose)


def finish(browser: str, typed: str, password: str) -> str:
    """Add the account and sign its owner in: all of it or nothing, and the code works once.

    Args:
        browser: its cookie.
        typed: the code, as it was typed.
        password: of the new account.

    Returns:
        The credential of the new session.

    Raises:
        UnacceptablePassword, MalformedCode: nothing was tried.
        WrongCode, NoCode: this is not the code.
        AddressTaken: there is an account by now.
    """
    passwords.require_acceptable(password)
    code = mailed_codes.check(Purpose.SIGN_UP, browser, typed)
    account = accounts.new(code.email, password)
    credential, session = sessions.new(account)
    try:
        with Transaction(client_request_token=secrets.token_urlsafe(24)) as transaction:
            code.delete_in(transaction)
            accounts.store_in(transaction, account)
            transaction.save(session)
    except Conflict:
        if accounts.find_by_email(code.email) is not None:
            raise AddressTaken from None
        raise
    tell(ACCOUNT_ADDED, user_id=account.user_id, method="sign_up")
    return credential
