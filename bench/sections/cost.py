"""Dollars: by operation, by grant, by decision, and by month, from what the other sections measured."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app import app
from bench import cost, packages
from bench.capacity import STORAGE_OVERHEAD
from bench.cost import MILLION, PRICES, Work
from bench.report import Chart, Claim, Section, table
from bench.sections import round_trips
from bench.sections.round_trips import DEVICE_DECISION, DEVICE_PAGES
from bench.storage import DAY, ENDLESS, LATE
from chalicelib.catalogue import DECISION, EVENTS, SECURITY, Metric
from chalicelib.endpoints.requests import group
from chalicelib.oauth.errors import OAuthError
from chalicelib.oauth.grants import GRANT_TYPES
from chalicelib.settings import settings
from management.infrastructure import template
from management.stage_settings import StageSettings

TIMED = {
    "client credentials": "client credentials",
    "client credentials, `private_key_jwt`": "",
    "authorization page: to be asked": "",
    "authorization page: allow": "",
    "authorization page: remembered": "",
    "code exchange": "code exchange",
    "refresh": "refresh",
    "device: start": "",
    "device: poll, undecided": "",
    DEVICE_DECISION.name: "",
    "device: poll, allowed": "",
}
"""The operations that lead to a token, and what they are called in the section `cpu`, if they are there."""

POLLS = 5
"""How often a device asks before its user has decided: assumed, 25 seconds."""

GRANTS: Mapping[str, Mapping[str, int]] = {
    "client credentials": {"client credentials": 1},
    "client credentials, `private_key_jwt`": {"client credentials, `private_key_jwt`": 1},
    "authorization code, consent remembered": {"authorization page: remembered": 1, "code exchange": 1},
    "authorization code, user is asked": {
        "authorization page: to be asked": 1,
        "authorization page: allow": 1,
        "code exchange": 1,
    },
    "refresh token": {"refresh": 1},
    "device code": {
        "device: start": 1,
        "device: poll, undecided": POLLS,
        DEVICE_DECISION.name: 1,
        "device: poll, allowed": 1,
    },
}
"""What leads to one token, by grant, and how often. Signing in is once in a session, and not among it."""

DEFAULT_CPU = 3.0
"""Milliseconds of a request, where the section `cpu` has none, or was not run with this one."""

TARGET, ROUGH = 6.0, 6.5
"""Dollars for a million client credentials tokens, at most; and with --quick, where CPU is assumed."""
TIMES, ROUGH_TIMES = 350, 330
"""How many times less than Cognito that is, likewise."""

CACHES = (0, 60, 300)
INTERVAL = 10
"""Seconds between two calls with one token, in the table by cache time."""

CLIENTS = 10
"""That a platform has. They share a million tokens in a month, one as often as the other: assumed."""


def measure(quick: bool, found: dict[str, Section]) -> Section:
    """Calculate. What was not measured in this run is measured now, or is assumed and said to be."""
    counted: dict[str, Any] = found["round_trips"].data if "round_trips" in found else _counted()
    timed = found["cpu"].data["milliseconds"] if "cpu" in found else {}
    cold = found["cold_start"].data["milliseconds"] if "cold_start" in found else {}
    assert isinstance(timed, dict)  # noqa: S101 (for the type checker)
    assert isinstance(cold, dict)  # noqa: S101
    memory, authorizer_memory = packages.memory_size("api_handler"), packages.memory_size("bearer")
    works = {
        name: _work(name, counted[name], timed.get(timed_as), cold.get("api, as shipped"))
        for name, timed_as in TIMED.items()
    }
    bills = {name: cost.per_million(work, memory) for name, work in works.items()}
    grants = {name: _together(bills, parts) for name, parts in GRANTS.items()}
    arm = {name: cost.per_million(work, memory, "arm64") for name, work in works.items()}
    decision = _decision(
        counted["authorizer: valid token"],
        timed.get("authorizer, any API"),
        cold.get("bearer, as shipped"),
    )
    decisions = sum(cost.per_million(decision, authorizer_memory).values())
    by_cache = {seconds: decisions * cost.decided(seconds, INTERVAL) for seconds in CACHES}
    bill = grants["client credentials"]
    machine = sum(bill.values())
    alarms, dashboards = _watched(StageSettings.of("prod"))
    free, full = (cost.at_rest(alarms, dashboards, allowances=which) for which in (True, False))
    metrics = sum(map(len, metric_values().values()))
    month_more = _month_more(counted["refresh"]["largest row"])
    text = [
        _HOW.format(memory=memory, authorizer_memory=authorizer_memory),
        _known(bool(timed), cold.get("api, as shipped"), counted["client credentials"]["logged"]),
        _OPERATIONS,
        _bills(bills),
        _BY_GRANT.format(polls=POLLS, pages=DEVICE_PAGES),
        _bills(grants, {name: sum(_together(arm, parts).values()) for name, parts in GRANTS.items()}),
        _otherwise(_never_known(works["client credentials"], memory), month_more),
        _DECISIONS,
        table(
            ("cache time, s", f"one call in {INTERVAL} s", "one call a second", "each call with a new token"),
            [
                (
                    seconds,
                    _money(by_cache[seconds]),
                    _money(decisions * cost.decided(seconds, 1)),
                    _money(decisions),
                )
                for seconds in CACHES
            ],
        ),
        _months(alarms, dashboards, (free, full), metrics, len(counted["metrics"])),
        _others(machine),
        _prices(),
    ]
    return Section(
        title="Cost",
        text="\n\n".join(part.strip() for part in text),
        claims=[
            Claim(
                "a million client credentials tokens, with a month of storage and all logs",
                machine,
                ROUGH if quick else TARGET,
                "USD",
                _why(bill),
            ),
            Claim(
                "of what Cognito asks for a million machine-to-machine tokens at its first tier's price",
                machine / cost.cognito(MILLION, 0),
                1 / (ROUGH_TIMES if quick else TIMES),
                "times",
                _why(bill),
            ),
            Claim(
                f"a month without traffic, if the account's {cost.FREE_ALARMS} alarms and "
                f"{cost.FREE_DASHBOARDS} dashboards that are free are left to it",
                free,
                1,
                "USD",
            ),
        ],
        charts=[
            Chart(
                "cost_million_tokens.svg",
                f"A million client credentials tokens in a month, {CLIENTS} clients",
                "USD",
                {
                    "this server": machine,
                    "two containers and a database": sum(cost.containers().values()),
                    "Cognito, first tier": cost.cognito(MILLION, CLIENTS),
                },
            )
        ],
        data={
            "operations": bills,
            "grants": grants,
            "a month more": month_more,
            "decisions": {str(seconds): value for seconds, value in by_cache.items()},
            "month without traffic": {"with allowances": free, "without": full},
            "metrics at the most": metrics,
        },
    )


def metric_values() -> dict[Metric, set[str]]:
    """Return which values the dimension of each metric can have: each makes a metric that is paid for."""
    values = {
        "Endpoint": {group(path) for path in app.routes},
        "Error": _errors(OAuthError),
        "GrantType": set(GRANT_TYPES),
        "Decision": {event.name.rpartition(".")[2] for event in EVENTS.values() if event.metrics == DECISION},
        "Event": {event.name for event in EVENTS.values() if event.metrics == SECURITY},
        "": {""},
    }
    metrics = {metric for event in EVENTS.values() for metric in event.metrics}
    return {metric: values[metric.dimension] for metric in metrics}


def _errors(kind: type[OAuthError]) -> set[str]:
    """Return the codes of all errors of a kind."""
    codes = {kind.error} if hasattr(kind, "error") else set()
    return codes.union(*map(_errors, kind.__subclasses__()))


def _counted() -> dict[str, Any]:
    return dict(round_trips.measure(True, {}).data)


def _reads_client() -> float:
    """Return at which share of token requests a function reads the client's row: one is warm, and busy."""
    return cost.unknown(cost.MONTH * CLIENTS / MILLION, settings.client_cache_lifetime)


def _work(name: str, counted: Any, cpu: float | None, cold: float | None) -> Work:
    """Return what an operation takes, with reading the client's row now and then."""
    calls = DEVICE_PAGES if name == DEVICE_DECISION.name else 1
    return Work(
        cpu=cpu or DEFAULT_CPU * calls,
        requests=counted["requests"] + _reads_client(),
        read=counted["read"] + _reads_client(),
        write=counted["write"],
        logged=counted["logged"],
        rows=counted["rows"],
        entries=counted["entries"],
        calls=calls,
        cold=cold or cost.COLD_CPU,
    )


def _decision(counted: Any, cpu: float | None, cold: float | None) -> Work:
    return Work(
        cpu=cpu or DEFAULT_CPU,
        requests=counted["requests"],
        read=counted["read"],
        write=counted["write"],
        logged=counted["logged"],
        through_gateway=False,
        cold=cold or cost.COLD_CPU,
    )


def _together(bills: Mapping[str, dict[str, float]], parts: Mapping[str, int]) -> dict[str, float]:
    """Return the bill of several operations, each as often as it says."""
    items = next(iter(bills.values()))
    return {item: sum(times * bills[name][item] for name, times in parts.items()) for item in items}


def _watched(stage: StageSettings) -> tuple[int, int]:
    """Count what the template has that costs without traffic."""
    types = [resource.get("Type") for resource in template(stage)["Resources"].values()]
    return types.count("AWS::CloudWatch::Alarm"), types.count("AWS::CloudWatch::Dashboard")


def _why(bill: dict[str, float]) -> str:
    parts = sorted(bill.items(), key=lambda part: -part[1])
    return "it is " + ", ".join(f"{_money(price)} for {item}" for item, price in parts)


_HOW = """
US dollars, us-east-1, without free allowances unless they are spoken of, for a million of each: on a
function of {memory} MB, an authorizer of {authorizer_memory} MB, x86_64.
"""

_OPERATIONS = "By operation:"

_BY_GRANT = """
**By grant**, all that leads to a token: the pages for who is signed in; of a device, {polls} polls before its
user has decided, and {pages} pages. "On arm64" is the sum where `lambda_architecture` is that.
"""

_DECISIONS = """
A million calls of an API that the authorizer protects. API Gateway remembers its decision about a token
for the cache time; what it asks for the calls themselves is the API's. US dollars:
"""


def _known(timed: bool, cold: float | None, logged: int) -> str:
    """Say of each number that goes into the model whether it was measured, and if not, what is assumed."""
    interval = cost.MONTH * CLIENTS / MILLION
    started = f"{cold:.0f} ms as measured above" if cold else f"{cost.COLD_CPU} ms"
    rows = [
        (
            "requests to DynamoDB, capacity",
            'measured under "Round trips". What a transaction writes into an index counts twice, to be safe: '
            "AWS does not say",
        ),
        (
            "the client's row, read besides",
            f"by {100 * _reads_client():.0f}% of token requests, calculated: {CLIENTS} clients that share a "
            f"million tokens in a month ask every {interval:.0f} s each, one function is enough for them, "
            f"and it knows a client for {settings.client_cache_lifetime} s",
        ),
        (
            "CPU",
            ("measured above; where it was not, " if timed else "") + f"{DEFAULT_CPU:g} ms for a request, "
            "assumed. A function has less of a processor if it has less memory, and is busy for longer",
        ),
        ("waiting", f"{cost.WAIT} ms for each request to DynamoDB, assumed"),
        (
            "cold starts",
            f"one request in a thousand, assumed: {started}, and {cost.COLD_BESIDES} ms for Python itself "
            "and TLS, assumed",
        ),
        ("our lines in the log", f"measured: {logged} bytes for client credentials"),
        ("Lambda's lines", f"{cost.LAMBDA_LINES} bytes: START, END and REPORT, with values of usual length"),
        (
            "the access log's line",
            f"{cost.ACCESS_LINE} bytes: its format, filled in for a token request",
        ),
        (
            "storage",
            "measured: the bytes that are there afterwards and were not before, for as long as our settings "
            f"let them stay, and {LATE // DAY} days more until DynamoDB deletes them, assumed; rows without "
            f"an end (consents) for {ENDLESS // DAY} days, assumed. Rows have point-in-time recovery, which "
            "is not charged for an index",
        ),
        ("answers", f"{cost.ANSWER} bytes with headers, assumed"),
        ("left out", "keeping the logs (compressed: about a cent); metrics and alarms, which are below"),
    ]
    return table(("what", "how much, and how that is known"), rows)


def _bills(bills: Mapping[str, dict[str, float]], besides: Mapping[str, float] | None = None) -> str:
    items = list(next(iter(bills.values())))
    rows = [
        (
            name,
            *(_money(bill[item]) for item in items),
            _money(sum(bill.values())),
            *([_money(besides[name])] if besides else []),
        )
        for name, bill in bills.items()
    ]
    return table(("a million of", *items, "together", *(["on arm64"] if besides else [])), rows)


def _never_known(work: Work, memory: int) -> float:
    """Return what a million of an operation cost where no function ever knows a client."""
    more = 1 - _reads_client()
    often = replace(work, requests=work.requests + more, read=work.read + more)
    return sum(cost.per_million(often, memory).values())


def _month_more(row: float) -> float:
    """Return what it costs to keep a million rows of so many bytes for a month."""
    kept = Work(cpu=0, requests=0, read=0, write=0, logged=0, rows=row + STORAGE_OVERHEAD)
    return cost.per_million(kept, memory=512)["storage"]


def _otherwise(never: float, month: float) -> str:
    return (
        f"If no function ever knew a client, client credentials would cost {_money(never)}. A refresh keeps "
        "its grant for as much longer as has passed since the last one, which was no time at all here: "
        f"{_money(month)} more for each month of it."
    )


def _months(alarms: int, dashboards: int, at_rest: tuple[float, float], metrics: int, filled: int) -> str:
    free, full = at_rest
    each, watching = cost.dollars("CloudWatch, metric"), cost.dollars("CloudWatch, dashboard")
    beyond = max(0, metrics - cost.FREE_METRICS)
    return (
        f"**A month without traffic** costs {_money(free)} USD if nothing else in the account uses what is "
        f"free: the template of `prod` has {alarms} alarms and {dashboards} dashboard, of which an account "
        f"has {cost.FREE_ALARMS} and {cost.FREE_DASHBOARDS} free. Without these allowances it costs "
        f"{_money(full)} USD, and the target of less than 1 is missed by {_money(full - 1)}: "
        f"{_money(dashboards * watching)} of it is the dashboard. There is no setting that leaves it out of "
        "`prod`; another stage has alarms and a dashboard only if it has an `alarm_email`, and costs nothing "
        "without. Empty tables and silent logs cost nothing.\n\n"
        f"**Metrics.** {metrics} can be filled at the most, by all values that the dimensions can have; the "
        f"operations measured here fill {filled}. Each is {each:.2f} USD in a month in which it gets numbers "
        f"at every hour, however many tokens there are: at the most {_money(metrics * each)} USD, or "
        f"{_money(beyond * each)} where the account's {cost.FREE_METRICS} free ones are left to it. They are "
        "not in the sums above."
    )


def _others(machine: float) -> str:
    parts = cost.containers()
    month = sum(parts.values())
    listed = ", ".join(f"{name} {_money(price)}" for name, price in parts.items())
    theirs, client = cost.cognito(MILLION, 0), cost.dollars("Cognito, machine client")
    return (
        f"**Beside it** (published prices, not measured). At the price of its first tier "
        f"({_money(cost.dollars('Cognito, machine-to-machine token'))} USD for a thousand), Cognito asks "
        f"{_money(theirs)} USD for a million machine-to-machine tokens, {theirs / machine:,.0f} times as "
        f"much. From some number on it asks less for each; the tiers could not be found, so what a million "
        f"really cost may be less than that. It asks {_money(client)} USD a month for each client besides "
        '(a later edition of AWS\'s user guide, "Monitoring and managing costs", names tokens alone). '
        f"What is always on costs, used or not, {_money(month)} USD a month: {listed}. As much as "
        f"{month / machine:,.1f} million client credentials tokens here."
    )


def _prices() -> str:
    rows = [
        (
            name,
            f"{price.dollars:.10f}".rstrip("0").rstrip("."),
            price.per,
            f"aws.amazon.com/{price.published}",
            price.read,
        )
        for name, price in PRICES.items()
    ]
    return (
        "Prices of us-east-1. AWS's price lists could not be read where this was written, so each was looked "
        f"up on {cost.LOOKED_UP} where the last column says, with what the page says of its own age. Look at "
        "AWS's before you rely on one.\n\n" + table(("", "USD", "for a", "AWS's list", "read"), rows)
    )


def _money(value: float) -> str:
    """Write cents, and of less than a cent two digits that count."""
    return f"{value:.2g}" if 0 < value < 0.01 else f"{value:,.2f}"
