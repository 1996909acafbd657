"""How hot the hottest keys of each table get: DynamoDB splits partitions, but never one key.

The operations are those that were measured. Who asks, and which function answers, is drawn at random.
What is not simulated: many people behind one address, who share the row that counts their wrong
passwords (a sign-in reads it, and a wrong password writes it).
"""

import math
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.capacity import Access
from chalicelib.models.grant import CLIENT_SHARDS
from chalicelib.settings import settings

CHECK = "authorizer: valid token"

MIX = {
    CHECK: 70,
    "client credentials": 10,
    "refresh": 9,
    "code exchange": 5,
    "authorization page: remembered": 4,
    "authorization page: allow": 1,
    "sign-in": 1,
}
"""Of 100 requests to API Gateway. The first are calls of an API, each with a token."""

POPULAR = 0.9
"""The share of the traffic that one application has; 999 others have the rest."""
OTHERS = 999
USERS = 1_000_000

DURATION = 0.03
"""Seconds for which a request holds a function, on average: assumed, for some CPU and two requests."""

READS, WRITES = 3000, 1000
"""Units a second of one partition, and so of one key (AWS: "Designing partition keys")."""


@dataclass(frozen=True)
class Calls:
    """How the popular application calls the API. All others have a token for each call."""

    one_token: bool = False
    """Whether all of its calls have the same token, as those of a machine that uses it until it expires."""
    kept: int = 0
    """For how many seconds API Gateway keeps a decision. It helps only whose token calls again."""


A_TOKEN_EACH = Calls()
ONE_TOKEN = Calls(one_token=True)
ONE_TOKEN_KEPT = Calls(one_token=True, kept=settings.authorizer_cache_lifetime)

Place = tuple[str, bool]
"""A table or index, and whether it is written."""


@dataclass(frozen=True)
class Heat:
    """What DynamoDB is asked in a second."""

    rate: int
    """Requests a second."""
    functions: int
    """That are busy at once, on average, if each request reaches one."""
    hottest: dict[Place, float]
    """The units of the hottest key in its busiest second."""
    total: dict[Place, float]
    """The units of the whole table or index in a second, on average."""

    @property
    def share(self) -> float:
        """How much of what a partition takes the hottest key of all takes."""
        return max(units / takes(place) for place, units in self.hottest.items())


def takes(place: Place) -> int:
    """Return what one partition takes, in units a second."""
    return WRITES if place[1] else READS


def simulate(
    accesses: Mapping[str, Sequence[Access]],
    rate: int,
    calls: Calls = A_TOKEN_EACH,
    seconds: int = 10,
    seed: int = 0,
) -> Heat:
    """Let requests come in, at an even rate.

    Args:
        accesses: what each operation of `MIX` reads and writes on a warm function.
        rate: requests a second.
        calls: how the popular application calls the API.
        seconds: for how long.
        seed: the same one draws the same.
    """
    draw = random.Random(seed)  # nosec B311 # noqa: S311 (a simulation)
    functions = max(1, math.ceil(rate * DURATION))
    # No function knows a client yet, nor API Gateway a token: the busiest second is the first.
    clients, gateway = _Memory(settings.client_cache_lifetime), _Gateway(calls.kept)
    units: defaultdict[tuple[Place, str, int], float] = defaultdict(float)
    for number in range(rate * seconds):
        now = number / rate
        (operation,) = draw.choices(list(MIX), list(MIX.values()))
        application = 0 if draw.random() < POPULAR else draw.randint(1, OTHERS)
        function, user = draw.randrange(functions), draw.randrange(USERS)
        grant = str(number)
        if operation == CHECK:
            if calls.one_token and application == 0:
                grant = "of the popular application"
            if gateway.knows(grant, now):
                continue
        elif not clients.knows((function, application), now):
            units[("clients", False), str(application), int(now)] += 1.0
        for access in accesses[operation]:
            key = {
                "grants": grant,
                "by-client": f"{application}#{draw.randrange(CLIENT_SHARDS)}",
                "audit": "the hour",
            }.get(access.where, f"{user}: {access.partition}")
            units[(access.where, access.writes), key, int(now)] += access.units
    hottest: dict[Place, float] = {}
    total: defaultdict[Place, float] = defaultdict(float)
    for (place, _, _), spent in units.items():
        hottest[place] = max(hottest.get(place, 0.0), spent)
        total[place] += spent / seconds
    return Heat(rate, functions, hottest, dict(total))


@dataclass
class _Memory:
    """What a warm function knows of clients."""

    lifetime: float
    _since: dict[tuple[int, int], float] = field(default_factory=dict)

    def knows(self, what: tuple[int, int], now: float) -> bool:
        """Whether it is known; if not, it is from now on."""
        if now - self._since.get(what, -math.inf) < self.lifetime:
            return True
        self._since[what] = now
        return False


@dataclass
class _Gateway:
    """API Gateway's cache of decisions.

    AWS does not say that calls wait for a decision that is being made: here each of them asks for
    its own, until the first one is there.
    """

    lifetime: float
    _asked: dict[str, float] = field(default_factory=dict)

    def knows(self, token: str, now: float) -> bool:
        """Whether the decision is there; if not, the authorizer is asked."""
        if not self.lifetime:
            return False
        since = now - self._asked.get(token, -math.inf)
        if since >= DURATION + self.lifetime:
            self._asked[token] = now
        return DURATION <= since < DURATION + self.lifetime
