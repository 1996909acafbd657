"""Dollars: by token, by decision, and by month, from what the other sections measured."""

from typing import Any

from bench import cost
from bench.cost import MILLION, PRICES, Work
from bench.report import Chart, Claim, Section, table
from bench.sections import round_trips
from management import stage as stages
from management.infrastructure import template
from management.stage_settings import StageSettings

TOKENS = {
    "client credentials": "client credentials",
    "client credentials, `private_key_jwt`": "client credentials, `private_key_jwt`",
    "code exchange": "code exchange",
    "refresh": "refresh",
    "device: poll, allowed": "device poll",
    "authorization page: to be asked": "authorization page",
    "authorization page: allow": "allow",
    "authorization page: remembered": "authorization page, remembered",
}
"""The operations that yield a token, and the pages before a code: there, and in the section `cpu`."""

DEFAULT_CPU = 3.0
"""Milliseconds, where the section `cpu` was not run with this one."""

TARGET, ROUGH = 6.0, 7.0
"""Dollars for a million client credentials tokens, at most; and with --quick, where CPU is assumed."""
TIMES, ROUGH_TIMES = 350, 300
"""How many times less than Cognito that is, likewise."""

CACHES = (0, 60, 300)
INTERVAL = 10
"""Seconds between two calls with one token, in the table by cache time."""

CLIENTS = 10
"""That a platform has, where Cognito asks for each."""


def measure(quick: bool, found: dict[str, Section]) -> Section:
    """Calculate. What was not measured in this run is measured now, or is assumed and said to be."""
    counted: dict[str, Any] = found["round_trips"].data if "round_trips" in found else _counted()
    timed = found["cpu"].data["milliseconds"] if "cpu" in found else {}
    assert isinstance(timed, dict)  # noqa: S101 (for the type checker)
    stage = StageSettings.of("prod")
    memory, authorizer_memory = _memory("api_handler"), _memory("bearer")
    bills = {
        name: cost.per_million(_work(counted[name], timed.get(timed_as, DEFAULT_CPU)), memory)
        for name, timed_as in TOKENS.items()
    }
    decision = _work(
        counted["authorizer: valid token"], timed.get("authorizer, any API", DEFAULT_CPU), own_request=False
    )
    by_cache = {seconds: _decisions(decision, authorizer_memory, seconds) for seconds in CACHES}
    machine = sum(bills["client credentials"].values())
    alarms, dashboards = _watched(stage)
    at_rest = cost.at_rest(alarms, dashboards, allowances=True)
    metrics = counted["metrics"]
    text = [
        _HOW.format(
            memory=memory,
            authorizer_memory=authorizer_memory,
            cpu=("as measured above, and otherwise " if timed else "") + f"assumed to be {DEFAULT_CPU:g} ms",
        ),
        _tokens(bills),
        _DECISIONS,
        table(
            ("cache time, s", f"one call in {INTERVAL} s", "one call a second", "each call with a new token"),
            [
                (
                    seconds,
                    _money(by_cache[seconds]),
                    _money(_decisions(decision, authorizer_memory, seconds, 1)),
                    _money(_decisions(decision, authorizer_memory, 0)),
                )
                for seconds in CACHES
            ],
        ),
        _months(alarms, dashboards, len(metrics)),
        _others(machine),
        _prices(),
    ]
    return Section(
        title="Cost",
        text="\n\n".join(part.strip() for part in text),
        claims=[
            Claim(
                "a million client credentials tokens, all included",
                machine,
                ROUGH if quick else TARGET,
                "USD",
                _why(bills["client credentials"]),
            ),
            Claim(
                "of what Cognito asks for machine-to-machine tokens",
                machine / cost.cognito(MILLION, 0),
                1 / (ROUGH_TIMES if quick else TIMES),
                "times",
                _why(bills["client credentials"]),
            ),
            Claim("a month without traffic", at_rest, 1, "USD"),
        ],
        charts=[
            Chart(
                "cost_million_tokens.svg",
                f"A million client credentials tokens in a month, {CLIENTS} clients",
                "USD",
                {
                    "this server": machine,
                    "two containers and a database": sum(cost.containers().values()),
                    "Cognito": cost.cognito(MILLION, CLIENTS),
                },
            )
        ],
        data={
            "tokens": bills,
            "decisions": {str(seconds): value for seconds, value in by_cache.items()},
            "month without traffic": at_rest,
        },
    )


def _counted() -> dict[str, Any]:
    return dict(round_trips.measure(True, {}).data)


def _work(counted: Any, cpu: float, *, own_request: bool = True) -> Work:
    """Return what an operation takes. Each token request is taken to read the client's row besides."""
    return Work(
        cpu=cpu,
        requests=counted["requests"] + own_request,
        read=counted["read"] + own_request,
        write=counted["write"],
        logged=counted["logged"],
        stored=counted["stored"],
        answered=cost.ANSWER * own_request,
        through_gateway=own_request,
    )


def _decisions(work: Work, memory: int, cache: int, interval: int = INTERVAL) -> float:
    return sum(cost.per_million(work, memory).values()) * cost.decided(cache, interval)


def _memory(function: str) -> int:
    config = stages.config()
    of_stage = config["stages"]["prod"]
    of_function = of_stage.get("lambda_functions", {}).get(function, {})
    return int((config | of_stage | of_function)["lambda_memory_size"])


def _watched(stage: StageSettings) -> tuple[int, int]:
    """Count what the template has that costs without traffic."""
    types = [resource.get("Type") for resource in template(stage)["Resources"].values()]
    return types.count("AWS::CloudWatch::Alarm"), types.count("AWS::CloudWatch::Dashboard")


def _why(bill: dict[str, float]) -> str:
    return (
        f"{_money(bill['logs'])} of it is for log lines, {_money(bill['storage'])} for a month of storage, "
        f"{_money(bill['API Gateway'])} for API Gateway"
    )


_HOW = """
From the capacity, rows and log lines that were measured under "Round trips", on a function of {memory}
MB and an authorizer of {authorizer_memory} MB, x86_64. CPU is {cpu}; less memory is less CPU, so a
function is busy for longer; a request to DynamoDB is taken to last 5 ms, and one request in a thousand
to meet a cold start. Each token request reads the client's row, as if no function were warm. Rows stay
for a month, with point-in-time recovery; without access logs and without free allowances. US dollars for
a million:
"""

_DECISIONS = """
A million calls of an API that the authorizer protects. API Gateway remembers its decision about a token
for the cache time; what it asks for the calls themselves is the API's. US dollars:
"""


def _tokens(bills: dict[str, dict[str, float]]) -> str:
    items = list(next(iter(bills.values())))
    rows = [
        (name, *(_money(bill[item]) for item in items), _money(sum(bill.values())))
        for name, bill in bills.items()
    ]
    return table(("a million of", *items, "together"), rows)


def _months(alarms: int, dashboards: int, metrics: int) -> str:
    free = cost.at_rest(alarms, dashboards, allowances=True)
    full = cost.at_rest(alarms, dashboards, allowances=False)
    each = cost.dollars("CloudWatch, metric")
    beyond = max(0, metrics - cost.FREE_METRICS)
    return (
        f"A month without traffic costs {_money(free)} USD: the template has {alarms} alarms and "
        f"{dashboards} dashboard, of which an account has {cost.FREE_ALARMS} and {cost.FREE_DASHBOARDS} "
        f"free; where others use those up, {_money(full)} USD. Empty tables and silent logs cost nothing.\n\n"
        f"All operations measured here fill {metrics} metrics. Each is {each:.2f} USD in a month in which it "
        f"gets numbers at every hour, {cost.FREE_METRICS} are free: {_money(beyond * each)} USD at the most, "
        "however many tokens there are."
    )


def _others(machine: float) -> str:
    parts = cost.containers()
    month = sum(parts.values())
    listed = ", ".join(f"{name} {_money(price)}" for name, price in parts.items())
    theirs, client = cost.cognito(MILLION, 0), cost.dollars("Cognito, machine client")
    return (
        f"**Beside it** (published prices, not measured). Cognito asks {_money(theirs)} USD for a million "
        f"machine-to-machine tokens, {theirs / machine:,.0f} times as much, and {_money(client)} USD a month "
        f"for each client. What is always on costs, used or not, {_money(month)} USD a month: {listed}. As "
        f"much as {month / machine:,.1f} million client credentials tokens here."
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
    return f"{value:,.2f}"
