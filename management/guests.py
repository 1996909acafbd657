"""A temporary account and a temporary application in a stage's tables, which leave no trace."""

import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from botocore.exceptions import BotoCoreError

from chalicelib.accounts import accounts, sessions, throttle
from chalicelib.catalogue import ACCOUNT_REMOVED, CLIENT_DELETED
from chalicelib.journal import tell
from chalicelib.models.client import Client
from chalicelib.models.grant import Grant
from chalicelib.models.table import StorageError
from chalicelib.models.user import Account, EmailAddress, UserGrant, UserRow
from chalicelib.oauth import registration
from chalicelib.oauth.client_metadata import ClientMetadata

NAME = "manage.py doctor (temporary)"
REDIRECT_URI = "https://doctor.invalid/callback"
"""Nobody ever goes there (RFC 2606)."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass
class Guests:
    """An account and an application, once they have arrived and until they leave."""

    email: str = field(default_factory=lambda: f"doctor-{secrets.token_hex(8)}@doctor.invalid")
    password: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    expected: bool = False
    """Whether there may be something to remove."""
    user_id: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)

    def arrive(self) -> None:
        """Add them.

        Raises:
            StorageError: DynamoDB did not answer as it should.
        """
        metadata = ClientMetadata(
            client_name=NAME,
            redirect_uris=(REDIRECT_URI,),
            grant_types=("authorization_code", "refresh_token"),
            may_introspect=True,
        )
        with undisturbed():
            self.expected = True
            self.user_id = accounts.add(self.email, self.password).user_id
            client, secret = registration.register(metadata, verified=True)
            self.client_id, self.client_secret = client.client_id, secret or ""

    def leave(self, cookies: list[str]) -> list[str]:
        """Remove them, and whatever came out of them, as far as that is possible.

        What stays, if the browser never saw its cookie, is a session of nobody, until it expires.

        Args:
            cookies: of the browser in which the account was signed in.

        Returns:
            What could not be removed.
        """
        steps: dict[str, Callable[[], object]] = {
            f"the application {self.client_id}": self._remove_application,
            f"the account {self.email}": self._remove_account,
            "its browser sessions": lambda: _end_sessions(cookies),
            "its failures to sign in": lambda: throttle.ACCOUNT.find(self.email).delete(),
        }
        with undisturbed():
            return [name for name, step in steps.items() if not _succeeds(step)]

    def _remove_application(self) -> None:
        if self.client_id:
            Client(self.client_id).delete()
            tell(CLIENT_DELETED, client_id=self.client_id)

    def _remove_account(self) -> None:
        """Remove the account first: no request that is still under way can add anything to it then."""
        address = EmailAddress.find(self.email, EmailAddress.ITEM)
        if address is None:
            return
        Account(address.account_id, Account.ITEM).delete()
        for row in UserRow.query(address.account_id, consistent_read=True):
            if isinstance(row, UserGrant):
                Grant(row.grant_id).delete()
            row.delete()
        address.delete()
        tell(ACCOUNT_REMOVED, user_id=address.account_id)


def _end_sessions(cookies: list[str]) -> None:
    for cookie in cookies:
        sessions.end(cookie)


def _succeeds(step: Callable[[], object]) -> bool:
    try:
        step()
    except (StorageError, BotoCoreError):
        return False
    return True


@contextmanager
def undisturbed() -> Iterator[None]:
    """Put off Ctrl-C, and being told to end, until the block is through."""
    pending: list[int] = []

    def remember(number: int, _: FrameType | None) -> None:
        pending.append(number)

    before = {number: signal.signal(number, remember) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if pending:
        signal.raise_signal(pending[0])


@contextmanager
def ending_cleanly() -> Iterator[None]:
    """Let the program leave by its `finally` blocks when it is told to end, if it heeds that (`nohup`)."""

    def leave(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    heeded = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) != signal.SIG_IGN]
    before = {number: signal.signal(number, leave) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
