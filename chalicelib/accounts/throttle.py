"""Slows down who guesses passwords: after a few failures, each attempt has to wait longer than the last.

For an account, an attempt counts as a failure before the password is looked at, by
compare-and-swap, and is taken back when it was right: many guesses at once count as many. It is
counted for what was typed, whether there is such an account or not. For an address, behind which
there may be many people, failures count when they happened, fade, and never cost much time.
"""

import ipaddress
from contextlib import suppress
from dataclasses import dataclass

from chalicelib import clock
from chalicelib.models.session import SignInThrottle
from chalicelib.models.table import Conflict
from chalicelib.oauth.credentials import digest

ATTEMPTS = 5
"""How often a failure is counted anew because another one was faster."""


@dataclass(frozen=True)
class Limit:
    """How many failures are free; after them the wait doubles each time. All times in seconds."""

    kind: str
    free: int
    longest_wait: int
    forget_after: int
    """So long after the last failure all of them are forgotten."""
    fades_every: int | None = None
    """How long it takes until one of the failures is forgotten."""

    def find(self, name: str) -> SignInThrottle:
        """Return what is known of an account or an address by now."""
        now = clock.now()
        key = f"throttle#{self.kind}#{digest(name)}"
        row = SignInThrottle.find(key)
        if row is None:
            return SignInThrottle(key, blocked_until=0, expires_at=now + self.forget_after)
        if row.expires_at <= now:
            row.failures = 0
        elif self.fades_every is not None:
            quiet = now - (row.expires_at - self.forget_after)
            row.failures = max(0, int(row.failures) - quiet // self.fades_every)
        return row

    def count(self, row: SignInThrottle) -> None:
        """Count a failure.

        Raises:
            Conflict: another one was faster.
        """
        now = clock.now()
        row.failures += 1
        over = int(row.failures) - self.free
        row.blocked_until = now + (min(2 ** min(over, 30), self.longest_wait) if over >= 0 else 0)
        row.expires_at = now + self.forget_after
        row.write()


ACCOUNT = Limit("account", free=5, longest_wait=900, forget_after=86400)
ADDRESS = Limit("address", free=50, longest_wait=60, forget_after=3600, fades_every=60)


class Throttled(Exception):
    """Too many failures. Nothing was tried.

    Args:
        seconds: when to come back.
    """

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(seconds)


class Attempt:
    """One attempt to guess what one has to know: a password, or a code."""

    def __init__(
        self, account: str, address: str, per_account: Limit = ACCOUNT, per_address: Limit = ADDRESS
    ) -> None:
        """Count it for the account.

        Args:
            account: for signing in, the e-mail address as it was typed.
            address: the IP address that it comes from.
            per_account: how often an account may fail.
            per_address: how often the people behind an address may fail.

        Raises:
            Throttled: it comes too early.
        """
        self._network, self._per_address = _network(address), per_address
        _check(per_address.find(self._network))
        self._account = per_account.find(account)
        _check(self._account)
        try:
            per_account.count(self._account)
        except Conflict:
            raise Throttled(1) from None

    def succeeded(self) -> None:
        """Take it back: the account starts anew."""
        self._account.delete()

    def withdrawn(self) -> None:
        """Take this one back, and no other: for what anybody can succeed in who wants to start anew."""
        self._account.failures -= 1
        self._account.blocked_until = 0
        with suppress(Conflict):
            self._account.write()

    def failed(self) -> None:
        """Count it for the address as well."""
        for _ in range(ATTEMPTS):
            try:
                return self._per_address.count(self._per_address.find(self._network))
            except Conflict:
                continue
        return None


def _check(row: SignInThrottle) -> None:
    wait = row.blocked_until - clock.now()
    if wait > 0:
        raise Throttled(wait)


def _network(address: str) -> str:
    """Return what one subscriber has: an IPv4 address, or the 2^64 addresses of an IPv6 network."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(parsed if parsed.version == 4 else ipaddress.ip_network((parsed, 64), strict=False))
