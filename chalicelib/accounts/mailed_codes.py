"""Codes that are mailed: who types one has the e-mail address.

A code works in the browser that asked for it and nowhere else, so a mail alone opens no door. It
is short enough to be typed, and may therefore be guessed at a few times only: an attempt is
counted before the code is looked at, by compare-and-swap.
"""

import hmac
import re
import secrets
from collections.abc import Callable
from enum import StrEnum

from chalicelib import clock
from chalicelib.accounts import accounts, mail, throttle
from chalicelib.accounts.accounts import InvalidAccount
from chalicelib.models.session import MailedCode
from chalicelib.oauth.credentials import digest

ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so no words; no digits, so nothing to confuse with a letter (RFC 8628 section 6.1)."""
LENGTH = 8
"""Letters: 34 bits."""
ATTEMPTS = 5
LIFETIME = 900
"""Seconds."""


class Purpose(StrEnum):
    """What a code is for."""

    SIGN_UP = "sign-up"
    NEW_PASSWORD = "new-password"


class Letter(StrEnum):
    """Which mail somebody gets. Those without a code say why there is none."""

    SIGN_UP = "sign_up"
    SIGNED_UP_ALREADY = "signed_up_already"
    NEW_PASSWORD = "new_password"
    NO_ACCOUNT = "no_account"
    ACCOUNT_DISABLED = "account_disabled"

    @property
    def has_code(self) -> bool:
        """Whether the code that it is sent with is told in it, so that somebody can use it."""
        return self in (Letter.SIGN_UP, Letter.NEW_PASSWORD)


Compose = Callable[[Letter, str], tuple[str, str]]
"""Writes a mail with a code, and returns its subject and its text."""


class MalformedCode(ValueError):
    """What was typed can be no code. It does not count as an attempt."""


class WrongCode(Exception):
    """What was typed is not the code that was mailed.

    Args:
        left: how many attempts are left.
    """

    def __init__(self, left: int) -> None:
        self.left = left
        super().__init__(left)


class NoCode(Exception):
    """This browser has no code: none was asked for, or it is over, used, or was guessed at too often."""


def recipient(email: str, address: str) -> str:
    """Return to whom a mail goes, and count it, whether there is such an account or not.

    Args:
        email: as it was typed.
        address: the IP address that the request comes from.

    Raises:
        InvalidAccount: mail cannot be sent there.
        Throttled: there were too many mails.
    """
    email = accounts.normalize(email)
    if not mail.can_reach(email):
        raise InvalidAccount("mail cannot be sent to this address")
    throttle.count_mail(email, address)
    return email


def send(purpose: Purpose, browser: str, email: str, letter: Letter, compose: Compose) -> None:
    """Mail a code, in place of the one that the browser asked for before.

    The work is the same for a letter without a code; then nobody knows the code that is stored.

    Args:
        purpose: what it is for.
        browser: the cookie of the browser in which it works.
        email: the recipient.
        letter: which mail.
        compose: writes it.

    Raises:
        MailFailed: nothing was sent, and the code from before still works.
    """
    code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    mail.send(email, *compose(letter, f"{code[:4]}-{code[4:]}" if letter.has_code else ""))
    MailedCode(
        _key(purpose, browser),
        email=email,
        code_mac=_mac(browser, code),
        expires_at=clock.now() + LIFETIME,
    ).overwrite()


def find(purpose: Purpose, browser: str) -> MailedCode | None:
    """Return the code that a browser may still use, or None."""
    row = MailedCode.find(_key(purpose, browser))
    if row is None or row.expires_at <= clock.now() or row.failures >= ATTEMPTS:
        return None
    return row


def check(purpose: Purpose, browser: str, typed: str) -> MailedCode:
    """Compare what somebody typed with the code that was mailed.

    Returns:
        The code's row. Delete it by the transaction that does what the code is for.

    Raises:
        MalformedCode: it can be no code.
        WrongCode: it is not that code.
        NoCode: there is none, or this was the last attempt.
        Conflict: another attempt was made at the same time.
    """
    code = re.sub(r"[\s-]", "", typed).upper()
    if len(code) != LENGTH or not set(code) <= set(ALPHABET):
        raise MalformedCode
    row = find(purpose, browser)
    if row is None:
        raise NoCode
    row.failures += 1
    row.write()
    if hmac.compare_digest(_mac(browser, code), row.code_mac):
        return row
    left = ATTEMPTS - int(row.failures)
    if not left:
        raise NoCode
    raise WrongCode(left)


def _key(purpose: Purpose, browser: str) -> str:
    return f"mailed-code#{purpose}#{digest(browser)}"


def _mac(browser: str, code: str) -> str:
    """Return what is stored of a code. The table has not got the key, or it could be found by trying."""
    return hmac.new(browser.encode(), code.encode(), "sha256").hexdigest()
