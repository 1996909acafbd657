"""Whether what an operation costs grows with what is stored, and what gets hot first as more is asked."""

import math
from collections.abc import Mapping, Sequence
from unittest import mock

from bench import crowd, heat, operations
from bench.capacity import Access, Consumption
from bench.heat import DURATION, MIX, READS, WRITES, Calls, Heat, Place
from bench.report import Claim, Section, table
from bench.stage import Stage, stage
from chalicelib import deadline
from chalicelib.settings import settings
from management.infrastructure import throttling
from tests.harness import authorize

SIZES = (1_000, 100_000, 1_000_000)
QUICK_SIZES = (1_000, 10_000)
RATES = (1, 100, 10_000)
OF_ONE, QUICK_OF_ONE = 10_000, 300
"""Grants that one user has given to one application."""
LISTED = (1, 100, 1_000)
"""No more: moto takes milliseconds for each row, 40 s for 10,000."""
QUICK_LISTED = (1, 100)

API_GATEWAY = 10_000
"""Requests a second: the quota of an account in a region, unless raised."""
CONCURRENCY = 1_000
"""Functions at once, likewise."""
INVOCATIONS = 10 * CONCURRENCY
"""Requests a second to all functions, however short, likewise.

AWS: "Understanding concurrency and requests per second"
(docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html). It grows with the concurrency alone.
"""
NEW_READS, NEW_WRITES = 12_000, 4_000
"""RRU and WRU a second that a table or index takes from its first day; then twice its peak so far."""
QUOTA = 40_000
"""RRU, and WRU, a second: the quota of each table and index, unless raised."""
SHOWN = 200_000
"""Limits that are reached at a higher rate are not shown."""

TOKEN_REQUESTS = ("client credentials", "refresh", "code exchange")


def measure(quick: bool, _: dict[str, Section]) -> Section:
    """Measure every operation over ever more rows, then the pages that list, then simulate traffic."""
    sizes, listed = (QUICK_SIZES, QUICK_LISTED) if quick else (SIZES, LISTED)
    of_one = QUICK_OF_ONE if quick else OF_ONE
    found = {f"{size:,} grants": over(size) for size in sizes}
    found[f"{of_one:,} of one user and application"] = over_one(of_one)
    pages = {number: listing(number) for number in listed}
    smallest = found[f"{sizes[0]:,} grants"]
    accesses = {name: smallest[name].accesses for name in MIX}
    heats = {calls: _heats(accesses, calls) for calls in _CALLS}
    each = heats[heat.A_TOKEN_EACH]
    text = [
        _HOW,
        _by_size(found),
        _LISTS,
        _by_listed(pages),
        _HEAT,
        _hottest(heats),
        _HOT,
        _FIRST,
        _limits(each),
    ]
    grows = Claim(
        f"growth of any operation's requests or units from {sizes[0]:,} to {sizes[-1]:,} grants, "
        f"or to {of_one:,} of one user and application",
        _growth(found),
        1,
        "times",
    )
    # That one token is too much without the cache is known, and no reason for --quick to fail.
    claimed = [calls for calls in heats if not (quick and calls == heat.ONE_TOKEN)]
    return Section(
        title="Scale",
        text="\n\n".join(part.strip() for part in text),
        claims=[grows, *(_claim(calls, heats[calls][-1]) for calls in claimed)],
        data={_CALLS[calls]: [_data(one) for one in ones] for calls, ones in heats.items()},
    )


_CALLS = {
    heat.A_TOKEN_EACH: "a token for each call",
    heat.ONE_TOKEN_KEPT: "the popular application calls with one token, "
    f"decisions kept for {settings.authorizer_cache_lifetime} s",
    heat.ONE_TOKEN: "the popular application calls with one token, decisions not kept",
}


def _heats(accesses: Mapping[str, Sequence[Access]], calls: Calls) -> list[Heat]:
    return [heat.simulate(accesses, rate, calls) for rate in RATES]


def _claim(calls: Calls, busiest: Heat) -> Claim:
    return Claim(
        f"hottest key's share of a partition at {busiest.rate:,} requests a second: {_CALLS[calls]}",
        busiest.share,
        1,
        "",
        f"each call reads the token's grant, and a partition takes {READS:,} reads a second; remedy: "
        "OAUTH_AUTHORIZER_CACHE_LIFETIME above 0, which is the default, or several tokens",
    )


def _data(one: Heat) -> dict[str, object]:
    hottest = {f"{where} {_unit(writes)}": units for (where, writes), units in one.hottest.items()}
    return {"rate": one.rate, "functions": one.functions, "hottest": hottest}


def _unit(writes: bool) -> str:
    return "WRU" if writes else "RRU"


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
    # Requests are counted here, and moto is slow: a page may take longer than a client would wait.
    with stage() as made, mock.patch.object(deadline, "REQUEST", math.inf):
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
to the one application. Requests / RRU / WRU:
"""

_LISTS = """
Some pages list, and cost by what they list: a user's connections, and how many people use an
application, which counts the first 500 grants of each of sixteen shards. Nothing waits for them but who
looks at the page. Requests / RRU / WRU:
"""

_MIX = ", ".join(f"{share} {name}" for name, share in MIX.items())

_HEAT = f"""
Which key gets hot. One application has {heat.POPULAR:.0%} of the traffic. Of 100 requests there are so many
of each kind: {_MIX}. DynamoDB splits partitions as they get hot, and may leave a hot key a partition of its
own; but one key stays in one partition, which takes {READS:,} RRU and {WRITES:,} WRU a second. So what counts
is the hottest key. Ten seconds of traffic are simulated (`bench/heat.py`), in which all functions start at
once; each knows a client for {settings.client_cache_lifetime} seconds. Units of the hottest key, in its
busiest second:
"""

_HOT = f"""
A dash: it is as hot as one person or one device makes it, however many others there are. For grants that
holds as long as many tokens share the calls. A machine that uses one token for all of its calls has one
grant, which is read for each decision: so with one token there are {READS:,} decisions a second at most, and
then calls fail. With API Gateway's cache there is one decision whenever the last one is over, and one for
each call that comes in while it is made ({DURATION * 1000:g} ms; that calls do not wait for one another's is
assumed). Otherwise several tokens help, each with a grant of its own.

Not simulated: people who sign in from one address, whose wrong passwords one row counts ({READS:,} sign-ins a
second from there); introspection, which reads the grant each time, and which no gateway remembers; who
attacks.
"""

_FIRST = f"""
What limits first, where each call has a token of its own: API Gateway's cache does not help then, so that
each request reaches a function, which it is taken to hold for {DURATION * 1000:g} ms. Lambda counts requests
to all functions of the account in a region: those to the authorizer, and those to a function behind it as
well, which are not among these. "First day": what a new table takes. Limits that are reached beyond
{SHOWN:,} requests a second are left out.
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
    return f"{consumption.requests.total()} / {consumption.read:,g} / {consumption.write:,g}"


_GROW = {
    "clients": "the popular client's row",
    "by-client": "one of its sixteen shards in the index",
    "audit": "the hour in the audit trail",
}
"""Keys that get hotter as more is asked."""
_STAY = {
    "grants": "one grant",
    "users": "one user",
    "sessions": "one session, or count of wrong passwords",
}
"""Keys that are as hot as what one person or device does."""


def _hottest(heats: Mapping[Calls, list[Heat]]) -> str:
    each = heats[heat.A_TOKEN_EACH]
    rows = [
        _key(key, (where, writes), each, grows=where in _GROW)
        for where, key in (_GROW | _STAY).items()
        for writes in (False, True)
        if (where, writes) in each[-1].hottest
    ]
    rows += [
        _key(f"one grant: {_CALLS[calls]}", ("grants", False), heats[calls], grows=True)
        for calls in (heat.ONE_TOKEN, heat.ONE_TOKEN_KEPT)
    ]
    return table(("key", "unit", *_AT, "a partition takes", "reached at"), rows)


_AT = tuple(f"at {rate:,} a second" for rate in RATES)


def _key(name: str, place: Place, heats: list[Heat], *, grows: bool) -> tuple[object, ...]:
    units = [one.hottest.get(place, 0.0) for one in heats]
    reached = heats[-1].rate * heat.takes(place) / units[-1]
    limit = f"{heat.takes(place):,}"
    return (name, _unit(place[1]), *map(_about, units), limit, _about(reached) if grows else "-")


def _limits(heats: list[Heat]) -> str:
    return table(("limit", *_AT, "quota", "reached at"), limits(heats))


def limits(heats: list[Heat]) -> list[tuple[object, ...]]:
    """Return what limits first, as rows of the table, from the lowest rate of requests on."""
    each = [float(one.rate) for one in heats]
    found = [
        _throttle("the token endpoint", "POST /oauth2/access_token", TOKEN_REQUESTS, each),
        _throttle("signing in", "POST /sign-in", ("sign-in",), each),
        ("API Gateway: requests a second of the account", each, API_GATEWAY),
        ("Lambda: requests a second to all functions", each, INVOCATIONS),
        ("Lambda: functions at once", [rate * DURATION for rate in each], CONCURRENCY),
    ]
    for where, writes in heats[-1].total:
        used = [one.total.get((where, writes), 0.0) for one in heats]
        name = f"DynamoDB: {_unit(writes)} a second of `{where}`"
        found.append((f"{name}, first day", used, NEW_WRITES if writes else NEW_READS))
        found.append((name, used, QUOTA))
    reached = sorted((each[-1] * limit / used[-1], name, used, limit) for name, used, limit in found)
    return [
        (name, *map(_about, used), f"{limit:,}", _about(rate))
        for rate, name, used, limit in reached
        if rate <= SHOWN
    ]


def _throttle(
    name: str, route: str, among: Sequence[str], rates: list[float]
) -> tuple[str, list[float], int]:
    share = sum(MIX[operation] for operation in among) / 100
    limit = int(throttling.DEFAULTS[route]["rate"])
    return f"API Gateway: the stage's throttle of {name}", [rate * share for rate in rates], limit


def _about(number: float) -> str:
    """Write three significant digits, with thousands apart."""
    if number < 10:
        return f"{number:.2g}"
    return f"{round(number, 2 - math.floor(math.log10(number))):,.0f}"
