"""Signing in, and the browser sessions that follow."""

from dataclasses import dataclass

from chalicelib import clock
from chalicelib.accounts import accounts, passwords
from chalicelib.models.session import BrowserSession
from chalicelib.models.user import Account
from chalicelib.oauth import credentials
from chalicelib.settings import settings


@dataclass(frozen=True)
class SignedIn:
    """Who is signed in, and since when (epoch seconds)."""

    account: Account
    signed_in_at: int


def sign_in(email: str, password: str) -> str | None:
    """Check e-mail address and password.

    Returns:
        The credential of a new session, for the browser's cookie; None if they do not match.
        An unknown address, a wrong password and a disabled account take the same work.
    """
    account = accounts.find_by_email(email)
    if account is not None and account.disabled_at is not None:
        account = None
    matching = passwords.verify_password(account.password_hash if account else None, password)
    if account is None or not matching:
        return None
    credential = credentials.new(credentials.Kind.SESSION)
    now = clock.now()
    BrowserSession(
        _key(credential),
        user_id=account.user_id,
        epoch=account.epoch,
        signed_in_at=now,
        expires_at=now + settings.session_lifetime,
    ).save()
    return credential


def find(credential: str | None) -> SignedIn | None:
    """Return who is signed in by a cookie's credential, or None."""
    if not credential or not credential.startswith(credentials.Kind.SESSION):
        return None
    try:
        session = BrowserSession.get(_key(credential), consistent_read=True)
    except BrowserSession.DoesNotExist:
        return None
    if session.expires_at <= clock.now():
        return None
    account = Account.find(session.user_id)
    if account is None or account.disabled_at is not None or account.epoch != session.epoch:
        return None
    return SignedIn(account, session.signed_in_at)


def _key(credential: str) -> str:
    return f"browser#{credentials.digest(credential)}"
