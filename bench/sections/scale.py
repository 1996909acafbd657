"""Whether what an operation costs grows with what is stored, and what gets hot first as more is asked."""

import math

from bench import crowd, heat, operations
from bench.capacity import Consumption
from bench.heat import DURATION, READS, WRITES, Heat
from bench.report import Claim, Section, table
from bench.stage import Stage, stage
from tests.harness import authorize

SIZES = (1_000, 100_000, 1_000_000)
QUICK_SIZES = (1_000, 10_000)
RATES = (1, 100, 10_000)
OF_ONE, QUICK_OF_ONE = 10_000, 300
"""Grants that one user has given to one application."""
LISTED = (1, 100, 1_000)
QUICK_LISTED = (1, 100)

API_GATEWAY = 10_000
"""Requests a second: the quota of an account in a region, unless raised."""
CONCURRENCY = 1_000
"""Functions at once, likewise."""
NEW_TABLE = 4_000
"""WRU a second that a table or index takes from its first day; then twice its peak so far."""
TABLE = 40_000
"""WRU a second: the quota of a table."""


def measure(quick: bool, _: dict[str, Section]) -> Section:
    """Measure every operation over ever more rows, then the pages that list, then simulate traffic."""
    sizes, listed = (QUICK_SIZES, QUICK_LISTED) if quick else (SIZES, LISTED)
    of_one = QUICK_OF_ONE if quick else OF_ONE
    found = {f"{size:,} grants": over(size) for size in sizes}
    found[f"{of_one:,} of one user and application"] = over_one(of_one)
    pages = {number: listing(number) for number in listed}
    smallest = found[f"{sizes[0]:,} grants"]
    accesses = {name: smallest[name].accesses for name in heat.MIX}
    heats = [heat.simulate(accesses, rate) for rate in RATES]
    text = [_HOW, _by_size(found), _LISTS, _by_listed(pages), _HEAT, _hottest(heats), _FIRST, _limits(heats)]
    return Section(
        title="Scale",
        text="\n\n".join(part.strip() for part in text),
        claims=[
            Claim(
                f"growth of any operation's requests or units from {sizes[0]:,} to {sizes[-1]:,} grants, "
                f"or to {of_one:,} of one user and application",
                _growth(found),
                1,
                "times",
            ),
            Claim(
                "of what a partition takes, the hottest key at 10,000 requests a second",
                heats[-1].share,
                1,
                "times",
            ),
        ],
        data={
            str(one.rate): {
                "functions": one.functions,
                "hottest": {
                    f"{where} {'WRU' if writes else 'RRU'}": units
                    for (where, writes), units in one.hottest.items()
                },
            }
            for one in heats
        },
    )


def over(grants: int) -> dict[str, Consumption]:
    """Return what each operation consumes where so many grants are stored already."""
    with stage() as made:
        crowd.fill(made, grants)
        return _consumed(made, crowd.token(grants // 2))


def over_one(grants: int) -> dict[str, Consumption]:
    """Return the same where the user of all operations has so many grants to their application."""
    with stage() as made:
        crowd.fill_one(made, grants)
        return _consumed(made, crowd.token(grants // 2))


def _consumed(made: Stage, token: str) -> dict[str, Consumption]:
    found = {}
    for operation in operations.ALL:
        run = operation.prepare(made)
        made.warm()
        with made.meter as found[operation.name]:
            run()
    with made.meter as found["authorizer: token of one of them"]:
        authorize(token)
    return found


def listing(number: int) -> tuple[Consumption, Consumption]:
    """Return what the pages take that list a user's, and count a client's, so many grants."""
    with stage() as made:
        crowd.add(made, number)
        with made.meter as connections:
            _shown(made, "/connections")
        made.own_application()
        with made.meter as application:
            _shown(made, f"/applications/{made.app.client_id}")
    return connections, application


def _shown(made: Stage, path: str) -> None:
    answer = made.browser.get(path)
    if answer.status != 200:
        raise AssertionError(answer)


def _growth(found: dict[str, dict[str, Consumption]]) -> float:
    first, *others = found.values()
    return max(
        max(
            _ratio(more[name].requests.total(), small.requests.total()),
            _ratio(_units(more[name]), _units(small)),
        )
        for more in others
        for name, small in first.items()
    )


def _ratio(more: float, small: float) -> float:
    return more / small if small else 1.0 + more


def _units(consumption: Consumption) -> float:
    return consumption.read + consumption.write


_HOW = """
Every operation, measured as under "Round trips" on a warm function, over tables that hold so many
grants, each with its token, a client for every hundred, and a user for every ten. The rows lie in moto,
as text until they are asked for (`bench/crowd.py`), and are found by their key alone: an operation that
scanned or queried would fail. In the last column the one user of all these operations has that many grants
to the one application. Each cell is requests, RRU, WRU.
"""

_LISTS = """
Some pages list, and cost by what they list: a user's connections, and how many people use an
application, which counts the first 500 grants of each of sixteen shards. Nothing waits for them but who
looks at the page.
"""

_MIX = ", ".join(f"{share} {name}" for name, share in heat.MIX.items())

_HEAT = f"""
One application has {heat.POPULAR:.0%} of the traffic. Of 100 requests that reach a function there are so
many of each kind: {_MIX}. DynamoDB splits partitions as they get hot, but one key stays in one partition,
which takes {READS:,} RRU and {WRITES:,} WRU a second. So what counts is the hottest key. Ten seconds of
traffic, simulated (`bench/heat.py`); each warm function knows a client for 5 seconds. Each cell is the
hottest key's units a second.
"""

_FIRST = f"""
What limits first. A request is taken to hold a function for {DURATION * 1000:g} ms.
"""


def _by_size(found: dict[str, dict[str, Consumption]]) -> str:
    names = next(iter(found.values()))
    rows = [(name, *(_cell(consumed[name]) for consumed in found.values())) for name in names]
    return table(("operation", *found), rows)


def _by_listed(pages: dict[int, tuple[Consumption, Consumption]]) -> str:
    rows = [
        (f"{number:,}", _cell(connections), _cell(application))
        for number, (connections, application) in pages.items()
    ]
    return table(("grants", "the user's connections", "the application's page"), rows)


def _cell(consumption: Consumption) -> str:
    return f"{consumption.requests.total()}, {consumption.read:g}, {consumption.write:g}"


_KEYS = {
    "clients": "the popular client's row",
    "by-client": "one of its sixteen shards in the index",
    "grants": "one grant",
    "users": "one user",
    "sessions": "one session",
}


def _hottest(heats: list[Heat]) -> str:
    rows = []
    for where, key in _KEYS.items():
        for writes in (False, True):
            units = [one.hottest.get((where, writes), 0.0) for one in heats]
            if not any(units):
                continue
            limit = WRITES if writes else READS
            # The key of a grant, a user or a session is as hot as what one of them does.
            reached = (
                f"{heats[-1].rate * limit / units[-1]:,.0f}" if where in ("clients", "by-client") else "never"
            )
            rows.append(
                (key, "WRU" if writes else "RRU", *(f"{unit:.2g}" for unit in units), f"{limit:,}", reached)
            )
    head = ("key", "unit", *(f"{one.rate:,} a second" for one in heats), "a partition takes", "reached at")
    return table(head, rows)


def _limits(heats: list[Heat]) -> str:
    rows = [
        _limit("API Gateway: requests a second", heats, [one.rate for one in heats], API_GATEWAY),
        _limit("Lambda: functions at once", heats, [one.functions for one in heats], CONCURRENCY),
    ]
    for where in ("grants", "by-client"):
        name = f"DynamoDB: WRU a second of {'the table' if where == 'grants' else 'the index'} `{where}`"
        used = [one.total.get((where, True), 0.0) for one in heats]
        rows.append(_limit(f"{name}, on its first day", heats, used, NEW_TABLE))
        rows.append(_limit(f"{name}, its quota", heats, used, TABLE))
    return table(("limit", *(f"at {one.rate:,} a second" for one in heats), "there are", "reached at"), rows)


def _limit(name: str, heats: list[Heat], used: list[float], limit: int) -> tuple[object, ...]:
    reached = heats[-1].rate * limit / used[-1]
    return (name, *(f"{math.ceil(use):,}" for use in used), f"{limit:,}", f"{reached:,.0f}")
