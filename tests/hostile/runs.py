"""Many requests in a row, and what came of them."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from tests.hostile import events
from tests.hostile.described import described
from tests.hostile.promises import Sent, broken, invoke
from tests.hostile.spoilt import spoilt
from tests.hostile.world import World

REPLAY = ".venv/bin/python -m tests.hostile replay"


@dataclass
class Run:
    """What was sent, and what came of it."""

    name: str
    seed: int
    requests: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    """Seconds of a processor, of one request."""
    largest: int = 0
    """Bytes, by which one request made the process grow."""
    outcomes: Counter[str] = field(default_factory=Counter)
    called: set[tuple[str, str]] = field(default_factory=set)
    """The routes that were called, and the methods."""
    failures: list[str] = field(default_factory=list)
    """Which promise was broken, and how to see it again; the first few of each kind."""

    def send(self, world: World, requests: Iterable[Sent], until: float = float("inf")) -> None:
        """Send requests, and hold each answer against what was promised.

        Args:
            world: where to.
            requests: what.
            until: when to stop, on the clock of `time.monotonic`.
        """
        began = time.monotonic()
        kinds = Counter[str]()
        for sent in requests:
            outcome = invoke(world, sent)
            self.requests += 1
            self.outcomes[f"{sent.function} {outcome.summary}"] += 1
            if sent.function == "api" and sent.possible:
                self.called.add((sent.event["resource"], sent.event["httpMethod"]))
            self.slowest = max(self.slowest, outcome.seconds)
            self.largest = max(self.largest, outcome.bytes)
            problems = broken(world, sent, outcome)
            if problems:
                kinds[problems[0][:40]] += 1
                if kinds[problems[0][:40]] <= 3:
                    self.failures.append("\n".join((*problems, f"    {REPLAY} {sent.packed()}")))
            if time.monotonic() > until:
                break
        self.seconds += time.monotonic() - began

    def summary(self) -> str:
        """Return it in a line, and what failed in more."""
        outcomes = ", ".join(f"{what}: {count}" for what, count in sorted(self.outcomes.items()))
        line = (
            f"{self.name}, seed {self.seed}: {self.requests} requests in {self.seconds:.0f} s,"
            f" at most {self.slowest * 1000:.0f} ms and {self.largest >> 20} MB each ({outcomes})"
        )
        return "\n".join((line, *self.failures))


def _random(make: Callable[[World, random.Random], Sent], world: World, seed: int) -> Iterator[Sent]:
    chance = random.Random(seed)  # noqa: S311 (it has to be the same again)
    while True:
        yield make(world, chance)


MAKERS: Mapping[str, Callable[[World, int], Iterator[Sent]]] = {
    "described": described,
    "spoilt": partial(_random, spoilt),
    "events": partial(_random, events.events),
    "large bodies": partial(_random, events.large),
}
"""What makes the requests of a kind, without end, from a seed."""


def requests(kind: str, world: World, seed: int, count: int) -> Iterator[Sent]:
    """Return so many requests of a kind."""
    return islice(MAKERS[kind](world, seed), count)
