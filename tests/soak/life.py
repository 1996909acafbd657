"""Lives, and what may end them: what is asked of the server in between may be answered either way.

Nothing comes back to life. So no order is needed among those who act at the same time: who is about
to end something says so first, and what came of it afterwards.
"""

import itertools
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """What a look at the server has to find."""

    ALIVE = "must work"
    DEAD = "must not work"
    EITHER = "either"


@dataclass(frozen=True)
class Standing:
    """What is known of a token in a moment."""

    verdict: Verdict
    why: str = ""
    threats: int = 0
    """How many there have been so far."""


class Life:
    """Whether something may have ended. Once it has, it stays so."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threats: dict[int, str] = {}
        self.begun = 0
        self.dead: str | None = None

    def threat(self, but: "Iterable[Threat]" = ()) -> str | None:
        """Return why it may be dead, some threats aside."""
        aside = {threat.number for threat in but}
        with self._lock:
            return next((why for number, why in self._threats.items() if number not in aside), None)

    def kill(self, why: str) -> None:
        self.dead = self.dead or why

    def threatened_since(self, begun: int, but: "Iterable[Threat]" = ()) -> str | None:
        """Return why it is dead, or may be, or may have been since so many threats had begun."""
        return self.dead or self.threat(but) or ("a threat that passed" if self.begun != begun else None)

    def _threaten(self, number: int, why: str) -> None:
        with self._lock:
            self._threats[number] = why
            self.begun += 1

    def _relieve(self, number: int) -> None:
        with self._lock:
            self._threats.pop(number, None)


class Threat:
    """What may end some lives, from before it is asked for until its outcome is known.

    If that is never known, it stays: those lives may be either from then on.
    """

    _numbers = itertools.count()

    def __init__(self, lives: Iterable[Life], why: str) -> None:
        self.number, self._lives, self._why = next(self._numbers), list(lives), why
        for life in self._lives:
            life._threaten(self.number, why)

    def killed(self, why: str = "") -> None:
        """Say that it did."""
        for life in self._lives:
            life.kill(why or self._why)
        self.passed()

    def passed(self) -> None:
        """Say that it did nothing."""
        for life in self._lives:
            life._relieve(self.number)


class Fact:
    """Something that operators switch on and off, and that functions may know late."""

    def __init__(self, value: bool, known_after: float = 0) -> None:
        """Make it.

        Args:
            value: what holds.
            known_after: seconds after a change for which functions may go on with what was.
        """
        self._value, self._known_after = value, known_after
        self._changing, self._settled_at = 0, 0.0

    def begin(self, value: bool) -> None:
        self._changing += 1
        self._value = value

    def done(self) -> None:
        self._settled_at = time.time() + self._known_after
        self._changing -= 1

    def is_certainly(self, value: bool, since: float) -> bool:
        """Tell whether it has had a value, and everybody knew, from a moment until now."""
        return self._value is value and not self._changing and self._settled_at <= since
