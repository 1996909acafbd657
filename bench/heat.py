"""How hot the hottest keys of each table get: DynamoDB splits partitions, but never one key.

The operations are those that were measured. Who asks, and which function answers, is drawn at random.
"""

import math
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.capacity import Access
from chalicelib.models.grant import CLIENT_SHARDS
from chalicelib.settings import settings

MIX = {
    "authorizer: valid token": 70,
    "client credentials": 10,
    "refresh": 10,
    "code exchange": 5,
    "authorization page: remembered": 5,
}
"""Of 100 requests that reach a function. What API Gateway answers from its cache is not among them."""

POPULAR = 0.9
"""The share of the traffic that one application has; 999 others have the rest."""
OTHERS = 999
USERS = 1_000_000

DURATION = 0.03
"""Seconds for which a request holds a function: assumed, for some CPU and two requests."""

READS, WRITES = 3000, 1000
"""Units a second of one partition, and so of one key (AWS: "Designing partition keys")."""


@dataclass(frozen=True)
class Heat:
    """A second, on average."""

    rate: int
    """Requests a second."""
    functions: int
    """That are warm, and each know clients for `client_cache_lifetime`."""
    hottest: dict[tuple[str, bool], float]
    """The units of the hottest key, by the table or index and whether they are written."""
    total: dict[tuple[str, bool], float]
    """Those of the whole table or index."""

    @property
    def share(self) -> float:
        """How much of what a partition may take the hottest key of all takes."""
        return max(units / (WRITES if writes else READS) for (_, writes), units in self.hottest.items())


def simulate(accesses: Mapping[str, Sequence[Access]], rate: int, seconds: int = 10, seed: int = 0) -> Heat:
    """Let requests come in.

    Args:
        accesses: what each operation of `MIX` reads and writes on a warm function.
        rate: requests a second.
        seconds: for how long.
        seed: the same one draws the same.
    """
    draw = random.Random(seed)  # nosec B311 # noqa: S311 (a simulation)
    functions = max(1, math.ceil(rate * DURATION))
    known: dict[tuple[int, int], float] = {}
    units: defaultdict[tuple[str, bool, str], float] = defaultdict(float)
    for number in range(rate * seconds):
        now = number / rate
        (operation,) = draw.choices(list(MIX), list(MIX.values()))
        application = 0 if draw.random() < POPULAR else draw.randint(1, OTHERS)
        function, user = draw.randrange(functions), draw.randrange(USERS)
        if not operation.startswith("authorizer") and _forgotten(known, (function, application), now):
            units["clients", False, str(application)] += 1.0
        for access in accesses[operation]:
            where = access.where.rpartition("-")[2] if access.where != "by-client" else access.where
            key = {
                "by-client": f"{application}#{draw.randrange(CLIENT_SHARDS)}",
                "users": str(user),
            }.get(where, str(number))
            units[where, access.writes, key] += access.units
    hottest: dict[tuple[str, bool], float] = {}
    total: defaultdict[tuple[str, bool], float] = defaultdict(float)
    for (where, writes, _), spent in units.items():
        hottest[where, writes] = max(hottest.get((where, writes), 0.0), spent / seconds)
        total[where, writes] += spent / seconds
    return Heat(rate, functions, hottest, dict(total))


def _forgotten(known: dict[tuple[int, int], float], who: tuple[int, int], now: float) -> bool:
    """Whether a function has to read a client's row; it knows it afterwards."""
    if now - known.get(who, -math.inf) < settings.client_cache_lifetime:
        return False
    known[who] = now
    return True
