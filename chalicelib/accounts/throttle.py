"""Slows down who guesses passwords: after a few failures, each attempt has to wait longer than the last.

An attempt is counted as a failure before the password is looked at, by compare-and-swap, and taken
back when it was right. So many guesses at once count as many, not as one. It is counted for
what was typed, whether there is such an account or not.
"""

from contextlib import suppress
from dataclasses import dataclass

from chalicelib import clock
from chalicelib.models.session import SignInThrottle
from chalicelib.models.table import Conflict
from chalicelib.oauth.credentials import digest

FORGET_AFTER = 86400
"""Seconds without a failure, after which all is forgotten."""
LONGEST_WAIT = 900
"""Seconds."""


@dataclass(frozen=True)
class Limit:
    """How many failures are free for one kind of key; after them the wait doubles each time."""

    kind: str
    free: int

    def wait(self, failures: int) -> int:
        """Return how long to wait after so many failures, in seconds."""
        return min(2 ** min(failures - self.free, 30), LONGEST_WAIT) if failures >= self.free else 0


ACCOUNT, ADDRESS = Limit("account", 5), Limit("address", 50)


class Throttled(Exception):
    """Too many failures. Nothing was tried.

    Args:
        seconds: when to come back.
    """

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(seconds)


class Attempt:
    """One attempt to sign in."""

    def __init__(self, email: str, address: str) -> None:
        """Count it.

        Args:
            email: as it was typed.
            address: the IP address that it comes from.

        Raises:
            Throttled: it comes too early.
        """
        self._address = _count(ADDRESS, address)
        self._account = _count(ACCOUNT, email)

    def succeeded(self) -> None:
        """Take it back: the account starts anew, the address is as it was."""
        self._account.delete()
        self._address.failures -= 1
        self._address.blocked_until = 0
        with suppress(Conflict):  # Somebody else behind the same address: it is off by one.
            self._address.write()


def _count(limit: Limit, name: str) -> SignInThrottle:
    key = f"throttle#{limit.kind}#{digest(name)}"
    now = clock.now()
    row = SignInThrottle.find(key)
    if row is None or row.expires_at <= now:
        row = row or SignInThrottle(key)
        row.failures, row.blocked_until = 0, 0
    if row.blocked_until > now:
        raise Throttled(row.blocked_until - now)
    row.failures += 1
    row.blocked_until = now + limit.wait(int(row.failures))
    row.expires_at = now + FORGET_AFTER
    try:
        row.write()
    except Conflict:
        raise Throttled(1) from None
    return row
