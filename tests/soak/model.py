"""What must be true: which tokens must work, which must not, and which may do either, and why."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.soak.life import Life, Standing, Threat, Verdict

MAX_ACCESS_TOKENS = 10
MARGIN = 1.5
"""Seconds by which two looks at the same clock may differ, the server's in whole seconds."""
HISTORY = 25

ACCESS, REFRESH = "access token", "refresh token"


@dataclass(eq=False)
class Token:
    """A token that somebody was told."""

    kind: str
    value: str = field(repr=False)
    grant: "Grant" = field(repr=False)
    ends: tuple[float, float]
    """The earliest and the latest moment at which it can be over."""
    number: int
    """How many access tokens may have been issued by then, of the same grant."""
    life: Life = field(default_factory=Life, repr=False)
    tried_at: float | None = None
    """When it was first presented, to be traded."""

    def standing(self) -> Standing:
        """Return what must be true of it now."""
        now, threats = time.time(), self.life.begun + self.grant.life.begun
        dead = self.life.dead or self.grant.life.dead
        if dead is None and now > self.ends[1] + MARGIN:
            dead = "expired"
        if dead:
            return Standing(Verdict.DEAD, dead, threats)
        why = self.life.threat() or self.grant.life.threat()
        if why is None and now > self.ends[0] - MARGIN:
            why = "about to expire"
        if why is None and self.kind == ACCESS and self.grant.issued - self.number >= MAX_ACCESS_TOKENS - 1:
            why = "one of more than ten"
        return Standing(Verdict.EITHER, why, threats) if why else Standing(Verdict.ALIVE, "", threats)


@dataclass
class Trade:
    """A refresh token or a device code, and what it was exchanged for."""

    form: dict[str, str] = field(repr=False)
    """The request."""
    pair: tuple[str, str | None] = field(repr=False)
    began: float
    """When it was first tried."""
    ended: float
    """When the answer was there."""


@dataclass(eq=False)
class Grant:
    """An authorization."""

    client_id: str
    person: str | None = None
    made_at: float | None = None
    """When it was known that somebody had allowed it. None: not yet."""
    life: Life = field(default_factory=Life)
    access_tokens: list[Token] = field(default_factory=list)
    refresh_tokens: list[Token] = field(default_factory=list)
    """The current one last."""
    issued: int = 0
    """How many access tokens may have been issued."""
    started: float = 0.0
    """When its first refresh token can have been made at the earliest."""
    last_trade: Trade | None = None
    own_threats: list[Threat] = field(default_factory=list)
    """By requests of its application whose outcome is not known yet."""
    grant_id: str = "?"
    history: deque[str] = field(default_factory=lambda: deque(maxlen=HISTORY))
    turn: threading.Lock = field(default_factory=threading.Lock)
    """Held by who uses its code and refresh tokens."""

    def note(self, text: str) -> None:
        """Remember what was done with it, for who wonders later."""
        self.history.append(f"{time.time() - STARTED:.1f} s: {text}")

    @property
    def is_over(self) -> bool:
        return self.life.dead is not None


STARTED = time.time()


class Sweep:
    """Somebody ends all grants of a client, or of a person.

    Those that were made before it began are over when it is done. Others that come meanwhile may be
    caught or not, and nobody knows.
    """

    def __init__(self, why: str, client_id: str | None, person: str | None) -> None:
        self.made: list[Grant] = []
        self._why, self._client_id, self._person = why, client_id, person

    def meets(self, grant: Grant) -> None:
        """Threaten a grant, if it is one of those."""
        mine = grant.client_id == self._client_id if self._client_id else grant.person == self._person
        if grant.is_over or not mine:
            return
        grant.note(f"somebody begins: {self._why}")
        Threat([grant.life], self._why)
        if grant.made_at is not None:
            self.made.append(grant)

    def done(self) -> None:
        """Say that it worked."""
        for grant in self.made:
            grant.note(f"done: {self._why}")
            grant.life.kill(self._why)


@dataclass(frozen=True)
class Violation:
    """Something that must not be."""

    what: str
    seconds: float
    grant_id: str | None = None
    history: tuple[str, ...] = ()


class Ledger:
    """All that was told to anybody, and all that was wrong."""

    def __init__(self, idle_lifetime: int, lifetime: int) -> None:
        """Start empty.

        Args:
            idle_lifetime: of refresh tokens, in seconds.
            lifetime: the absolute one.
        """
        self.tokens: list[Token] = []
        self.grants: list[Grant] = []
        self.violations: list[Violation] = []
        self.untold: dict[str, int] = {}
        """How many grants of a client there may be that nobody was told of."""
        self._sweeps: list[Sweep] = []
        self._idle_lifetime, self._lifetime = idle_lifetime, lifetime
        self._lock = threading.Lock()

    def violation(self, what: str, grant: Grant | None = None) -> None:
        with self._lock:
            seconds = round(time.time() - STARTED, 1)
            history = tuple(grant.history) if grant else ()
            self.violations.append(Violation(what, seconds, grant.grant_id if grant else None, history))

    def add(self, grant: Grant) -> Grant:
        """Note a grant that is about to be made."""
        with self._lock:
            self.grants.append(grant)
            for sweep in self._sweeps:
                sweep.meets(grant)
        return grant

    def belongs(self, grant: Grant, person: str) -> None:
        """Note whose a device's grant is about to be."""
        with self._lock:
            grant.person = person
            for sweep in self._sweeps:
                sweep.meets(grant)

    @contextmanager
    def sweep(self, why: str, client_id: str | None = None, person: str | None = None) -> Iterator[Sweep]:
        """Let somebody end all grants of a client, or of a person, until the end of the block."""
        sweep = Sweep(why, client_id, person)
        with self._lock:
            for grant in self.grants:
                sweep.meets(grant)
            self._sweeps.append(sweep)
        try:
            yield sweep
        finally:
            with self._lock:
                self._sweeps.remove(sweep)

    def maybe_untold(self, client_id: str | None) -> None:
        """Note that there may be a grant of a client that nobody was told of: the answer was lost."""
        if client_id is not None:
            with self._lock:
                self.untold[client_id] = self.untold.get(client_id, 0) + 1

    def told_access(self, grant: Grant, value: str, expires_in: int, began: float) -> None:
        """Note an access token that came in an answer just now."""
        if any(token.value == value for token in grant.access_tokens):
            return
        grant.grant_id = value[4:12]
        grant.made_at = grant.made_at or time.time()  # Whoever allowed it may have had no answer.
        ends = (began + expires_in - 1, time.time() + expires_in)
        self._add(Token(ACCESS, value, grant, ends, grant.issued), grant.access_tokens)

    def told_refresh(self, grant: Grant, value: str, began: float) -> None:
        """Note the refresh token that came with it, which is the current one from now on."""
        if not grant.refresh_tokens:
            grant.started = began
        ends = (
            min(began - 1 + self._idle_lifetime, grant.started - 1 + self._lifetime),
            time.time() + self._idle_lifetime,
        )
        self._add(Token(REFRESH, value, grant, ends, grant.issued), grant.refresh_tokens)

    def _add(self, token: Token, tokens: list[Token]) -> None:
        tokens.append(token)
        with self._lock:
            self.tokens.append(token)
