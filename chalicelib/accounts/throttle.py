"""Slows down who guesses passwords or has us send mails: each attempt has to wait longer than the last.

For an account, an attempt counts as a failure before the password is looked at, by
compare-and-swap, and is taken back when it was right: many guesses at once count as many. It is
counted for what was typed, whether there is such an account or not. For an address, behind which
there may be many people, failures count when they happened, fade, and never cost much time.

Mails count before they are sent, for whom they go to and for the address that asks for them.
"""

import ipaddress
import re
from contextlib import suppress
from dataclasses import dataclass

from chalicelib import clock
from chalicelib.catalogue import ATTEMPT_REFUSED, MAIL_THROTTLED, SIGN_IN_THROTTLED, Event
from chalicelib.journal import tell
from chalicelib.models.session import Throttle
from chalicelib.models.table import Conflict
from chalicelib.oauth.credentials import digest

ATTEMPTS = 5
"""How often a failure is counted anew because another one was faster."""


@dataclass(frozen=True)
class Limit:
    """How many attempts are free; after them the wait doubles each time. All times in seconds."""

    kind: str
    reached: Event
    """What is told when attempts have to wait: once, and again when they were forgotten."""
    free: int
    longest_wait: int
    forget_after: int
    """So long after the last attempt all of them are forgotten."""
    fades_every: int | None = None
    """How long it takes until one of the attempts is forgotten."""
    first_wait: int = 1

    def find(self, name: str) -> Throttle:
        """Return what is known of an account or an address by now."""
        now = clock.now()
        row = Throttle.find(self._key(name))
        if row is None:
            return Throttle(self._key(name), blocked_until=0, expires_at=now + self.forget_after)
        if row.expires_at <= now:
            row.failures = 0
        elif self.fades_every is not None:
            quiet = now - (row.expires_at - self.forget_after)
            row.failures = max(0, int(row.failures) - quiet // self.fades_every)
        return row

    def count(self, row: Throttle) -> None:
        """Count an attempt.

        Raises:
            Conflict: another one was faster.
        """
        now = clock.now()
        row.failures += 1
        over = int(row.failures) - self.free
        wait = min(self.first_wait * 2 ** min(over, 30), self.longest_wait)
        row.blocked_until = now + (wait if over >= 0 else 0)
        row.expires_at = now + self.forget_after
        row.write()

    def check(self, name: str) -> None:
        """Let an attempt go on.

        Raises:
            Throttled: it comes too early.
        """
        self._check(self.find(name))

    def count_first(self, name: str) -> Throttle:
        """Count an attempt before it is made, and return what is known then.

        Raises:
            Throttled: it comes too early, or at once with another one.
        """
        row = self.find(name)
        self._check(row)
        try:
            self.count(row)
        except Conflict:
            raise Throttled(1) from None
        return row

    def count_later(self, name: str) -> None:
        """Count an attempt that was made, however many others there are."""
        for _ in range(ATTEMPTS):
            row = self.find(name)
            with suppress(Conflict):
                self.count(row)
                return self.tell_if_reached(row)
        return None

    def tell_if_reached(self, row: Throttle, user_id: str | None = None) -> None:
        """Tell that attempts have to wait from now on, if it is this one that brought that about.

        Those that follow are not told: nobody may fill the audit trail by going on.
        """
        if row.failures == self.free:
            tell(self.reached, limit=self.kind, user_id=user_id)

    def _check(self, row: Throttle) -> None:
        wait = row.blocked_until - clock.now()
        if wait > 0:
            tell(ATTEMPT_REFUSED, limit=self.kind)
            raise Throttled(wait)

    def forget(self, name: str) -> None:
        """Start anew."""
        Throttle(self._key(name)).delete()

    def _key(self, name: str) -> str:
        return f"throttle#{self.kind}#{digest(name)}"


ACCOUNT = Limit("account", SIGN_IN_THROTTLED, free=5, longest_wait=900, forget_after=86400)
ADDRESS = Limit("address", SIGN_IN_THROTTLED, free=50, longest_wait=60, forget_after=3600, fades_every=60)
MAILS_TO = Limit("mails-to", MAIL_THROTTLED, free=3, longest_wait=3600, forget_after=86400, first_wait=60)
MAILS_FROM = Limit("mails-from", MAIL_THROTTLED, free=30, longest_wait=300, forget_after=3600, fades_every=60)


class Throttled(Exception):
    """Too many attempts. Nothing was tried.

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
        self._name, self._per_account = account, per_account
        per_address.check(self._network)
        self._row = per_account.count_first(account)

    def succeeded(self) -> None:
        """Take it back: the account starts anew."""
        self._per_account.forget(self._name)

    def withdrawn(self) -> None:
        """Take this one back, and no other: for what anybody can succeed in who wants to start anew."""
        self._row.failures -= 1
        self._row.blocked_until = 0
        with suppress(Conflict):
            self._row.write()

    def failed(self, user_id: str | None = None) -> None:
        """Count it for the address as well.

        Args:
            user_id: whose account it was, for the log.
        """
        self._per_account.tell_if_reached(self._row, user_id)
        self._per_address.count_later(self._network)


def count_mail(to: str, address: str) -> None:
    """Count a mail that is about to be sent.

    Args:
        to: the e-mail address. What follows a plus sign most often leads to the same mailbox.
        address: the IP address from which it was asked for.

    Raises:
        Throttled: there were too many.
    """
    network = _network(address)
    MAILS_FROM.check(network)
    name = re.sub(r"\+[^@]*", "", to)
    MAILS_TO.tell_if_reached(MAILS_TO.count_first(name))
    MAILS_FROM.count_later(network)


def _network(address: str) -> str:
    """Return what one subscriber has: an IPv4 address, or the 2^64 addresses of an IPv6 network."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(parsed if parsed.version == 4 else ipaddress.ip_network((parsed, 64), strict=False))
