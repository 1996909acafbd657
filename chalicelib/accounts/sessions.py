"""Signing in, and the browser sessions that follow."""

from dataclasses import dataclass

from chalicelib import clock
from chalicelib.accounts import accounts, passwords
from chalicelib.accounts.throttle import Attempt
from chalicelib.catalogue import PASSWORD_NOT_UPGRADED, SIGN_IN_FAILED, SIGN_IN_SUCCEEDED
from chalicelib.journal import tell, tell_failure
from chalicelib.models.session import BrowserSession
from chalicelib.models.table import Conflict, StorageError
from chalicelib.models.user import Account, Consent, UserRow
from chalicelib.oauth import credentials
from chalicelib.settings import settings


@dataclass(frozen=True)
class SignedIn:
    """Who is signed in."""

    account: Account
    signed_in_at: int
    """Epoch seconds."""
    consent: Consent | None
    """What they agreed that the client in question may do."""


def sign_in(email: str, password: str, address: str) -> str | None:
    """Check e-mail address and password.

    Args:
        email: as it was typed.
        password: as it was typed.
        address: the IP address that the request comes from.

    Returns:
        The credential of a new session, for the browser's cookie; None if they do not match.
        An unknown address, a wrong password and a disabled account take the same work.

    Raises:
        Throttled: after too many failures.
    """
    attempt = Attempt(accounts.normalize(email), address)
    account = accounts.find_by_email(email)
    user_id = account.user_id if account else None
    if account is not None and account.disabled_at is not None:
        account = None
    matching = passwords.verify_password(account.password_hash if account else None, password)
    if account is None or not matching:
        attempt.failed(user_id)
        tell(SIGN_IN_FAILED, user_id=user_id)
        return None
    attempt.succeeded()
    session = start(account, "password")
    _upgrade_hash(account, password)
    return session


def _upgrade_hash(account: Account, password: str) -> None:
    """Replace another system's hash of a password that matched it. No session ends by that.

    If it does not work out, the next time does: nobody is kept from signing in.
    """
    upgraded = passwords.upgrade(account.password_hash, password)
    if upgraded is None:
        return
    account.password_hash = upgraded
    try:
        account.write()
    except (Conflict, StorageError) as error:
        tell_failure(PASSWORD_NOT_UPGRADED, error, user_id=account.user_id)


def start(account: Account, method: str) -> str:
    """Sign a person in, and return the credential of the new session.

    Args:
        account: whose.
        method: how they proved who they are: `password` or `upstream`.
    """
    credential, session = new(account)
    session.save()
    tell(SIGN_IN_SUCCEEDED, user_id=account.user_id, method=method)
    accounts.finish_revoking(account)
    return credential


def new(account: Account) -> tuple[str, BrowserSession]:
    """Return a new session's credential and the session, which is not stored yet."""
    credential = credentials.new(credentials.Kind.SESSION)
    now = clock.now()
    session = BrowserSession(
        _key(credential),
        user_id=account.user_id,
        epoch=account.epoch,
        signed_in_at=now,
        last_used_at=now,
        expires_at=now + settings.session_lifetime,
    )
    return credential, session


def end(credential: str) -> None:
    """Sign a browser out."""
    if credential.startswith(credentials.Kind.SESSION):
        BrowserSession(_key(credential)).delete()


def find(credential: str | None, client_id: str | None = None) -> SignedIn | None:
    """Return who is signed in, or None. The session's idle lifetime starts anew.

    Args:
        credential: the cookie's.
        client_id: of the client for which the consent is read, in the same request as the account.
    """
    if not credential or not credential.startswith(credentials.Kind.SESSION):
        return None
    session = BrowserSession.use(_key(credential), clock.now(), settings.session_idle_lifetime)
    if session is None:
        return None
    keys = [(session.user_id, Account.ITEM)]
    if client_id is not None:
        keys.append((session.user_id, Consent.item_of(client_id)))
    rows = {type(row): row for row in UserRow.batch_get(keys, consistent_read=True)}
    account, consent = rows.get(Account), rows.get(Consent)
    if not isinstance(account, Account) or not _holds(session, account):
        return None
    if not isinstance(consent, Consent) or account.is_to_end(consent):
        consent = None
    return SignedIn(account, session.signed_in_at, consent)


def owner(credential: str) -> Account | None:
    """Return whose a session is, if it is valid. That does not count as using it."""
    session, now = BrowserSession.find(_key(credential)), clock.now()
    if (
        session is None
        or min(session.expires_at, session.last_used_at + settings.session_idle_lifetime) <= now
    ):
        return None
    account = Account.find(session.user_id, Account.ITEM)
    return account if account is not None and _holds(session, account) else None


def _holds(session: BrowserSession, account: Account) -> bool:
    """Tell whether the account still has the session: nobody disabled the one or ended the other."""
    return account.disabled_at is None and account.epoch == session.epoch


def _key(credential: str) -> str:
    return f"browser#{credentials.digest(credential)}"
