"""Requests to DynamoDB, and what they consume, for every operation; and what peers ask of their storage."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import boto3
from moto.server import ThreadedMotoServer

from bench import operations, peers, storage
from bench.capacity import Consumption
from bench.operations import Operation, Run
from bench.report import Chart, Claim, Section, table
from bench.stage import Stage, stage
from chalicelib.catalogue import EVENTS
from chalicelib.oauth import clients

COMPARED = {
    "client_credentials": "client credentials",
    "code_exchange": "code exchange",
    "refresh": "refresh",
    "bearer": "authorizer: valid token",
    "introspection": "introspection",
    "revocation": "revocation: access token",
}
"""What peers do as well: their name for it, and ours."""

TRANSACTION_CONTROL = {"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE"}


DEVICE_PAGES = 3
"""The form for the user code, the page that asks, and the answer to it."""


def _decide(stage: Stage) -> Run:
    user_code = stage.app.start_device().json["user_code"]
    return lambda: stage.deployment.decide(user_code, stage.browser)


DEVICE_DECISION = Operation("device: pages, allowed", _decide, 0, 0, "")
"""Several requests: it has no budget, and is not in the table. `cost` needs what it takes."""

STORING = (*operations.TOKEN, *operations.PAGES, DEVICE_DECISION)
"""Of these `cost` needs what they leave behind."""


def measure(quick: bool, _: dict[str, Section]) -> Section:
    """Count through `app(event, context)`, on moto. Peers are left out if it has to be quick."""
    with stage() as made:
        found = {operation.name: count(made, operation) for operation in operations.ALL}
        decision = count(made, DEVICE_DECISION)[0]
        metrics = _metrics(made.log.getvalue())
    with stage() as made:  # Another one, since looking through all that is stored takes time.
        kept = {operation.name: _kept(made, operation) for operation in STORING}
    reports, absent = ([], []) if quick else _peers()
    text = [_HOW, _own_table(found)]
    if not quick:
        text += [_PEERS, _peer_table(found, reports), *(f"- {line}" for line in _configured(reports, absent))]
    counted = {name: warm for name, (warm, _) in found.items()} | {DEVICE_DECISION.name: decision}
    data: dict[str, object] = {name: numbers(warm) | kept.get(name, {}) for name, warm in counted.items()}
    data["metrics"] = metrics
    return Section(
        title="Round trips and capacity",
        text="\n\n".join(text[:4]) + "\n\n" + "\n".join(text[4:]),
        claims=_claims(found),
        charts=[] if quick else _charts(found, reports),
        data=data,
    )


def count(made: Stage, operation: Operation) -> tuple[Consumption, Consumption]:
    """Return what an operation consumes on a warm function, and on a cold one."""
    cold_run = operation.prepare(made)
    clients.forget()
    with made.meter as cold:
        cold_run()
    warm_run = operation.prepare(made)
    made.warm()
    before = made.log.tell()
    with made.meter as warm:
        warm_run()
    warm.logged = made.logged_since(before)
    return warm, cold


_HOW = """
Counted through `app(event, context)` and the authorizer, against moto. A cold function does not know the
client yet; a warm one has read its row within the last 5 seconds. Capacity is computed from the rows
before and after each request by DynamoDB's documented rules (`bench/capacity.py`), since engines on one
machine do not follow them: what moto says is one number for each kind of request, whatever its size, and
MiniStack overlooks the size of what is read. RRU and WRU are read and write request units.

"Demanded" is what an operation cannot do without, written down by hand beside it (`bench/operations.py`)
and explained in the last column: which rows, each once, of which a consistent read of up to 4 KB is 1 RRU,
and a write of up to 1 KB 1 WRU, in a transaction 2; entries of the index by client count as rows. Whether
those rows are the least is for the reader to judge; that no more is consumed is measured.
"""

_PEERS = """
The same operations on other servers, which authenticate the client and store their tokens durably, unless it
is said below that they do not. Theirs are SQL statements on SQLite (those that open and close transactions in
brackets), calls of the storage adapter, or requests to DynamoDB. All are warm. Ours are requests to DynamoDB.
"""


def _own_table(found: dict[str, tuple[Consumption, Consumption]]) -> str:
    rows = []
    for operation in operations.ALL:
        warm, cold = found[operation.name]
        rows.append(
            (
                operation.name,
                warm.requests.total(),
                "" if operation.budget is None else operation.budget,
                cold.requests.total(),
                f"{warm.read:g} / {warm.write:g}",
                f"{cold.read:g} / {cold.write:g}",
                f"{operation.reads:g} / {operation.writes:g}",
                operation.why,
            )
        )
    head = ("operation", "requests", "at most", "cold", "RRU / WRU", "cold", "demanded", "by which rows")
    return table(head, rows)


def _claims(found: dict[str, tuple[Consumption, Consumption]]) -> list[Claim]:
    budgeted = [operation for operation in operations.ALL if operation.budget is not None]
    over = max(found[o.name][0].requests.total() - (o.budget or 0) for o in budgeted)
    ratios = {o.name: _excess(found[o.name][0], o) for o in operations.ALL}
    worst = max(ratios, key=lambda name: ratios[name])
    cold = max(cold.requests.total() - warm.requests.total() for warm, cold in found.values())
    return [
        Claim("requests beyond the budget, of any operation", over, 0, "requests"),
        Claim("requests that a cold function makes besides", cold, 1, "requests"),
        Claim("capacity to what the rows demand, of any operation", ratios[worst], 1, "times", worst),
    ]


def _excess(consumption: Consumption, operation: Operation) -> float:
    demanded = operation.reads + operation.writes
    consumed = consumption.read + consumption.write
    if not demanded:
        return 1.0 + consumed
    return max(consumed / demanded, _ratio(consumption.write, operation.writes))


def _ratio(consumed: float, demanded: float) -> float:
    return consumed / demanded if demanded else 1.0 + consumed


def numbers(consumption: Consumption) -> dict[str, float]:
    """Return what other sections need of it: counts, units, and bytes."""
    return {
        "requests": consumption.requests.total(),
        "read": consumption.read,
        "write": consumption.write,
        "logged": consumption.logged,
        "largest row": max((access.size for access in consumption.accesses), default=0),
    }


def _kept(made: Stage, operation: Operation) -> dict[str, float]:
    """Return what an operation leaves behind: bytes times months, of rows and of entries of indexes."""
    run = operation.prepare(made)
    before = storage.held(made)
    run()
    return {where: after - before[where] for where, after in storage.held(made).items()}


def _metrics(log: str) -> list[str]:
    """Return the metrics that CloudWatch reads out of the log, each with the value of its dimension."""
    metrics = set()
    for line in map(json.loads, log.splitlines()):
        for metric in EVENTS[line["event"]].metrics:
            field, least = metric.least or ("status", 0)
            if line.get(field, 0) >= least:
                metrics.add(f"{metric.name} {line[metric.of]}" if metric.of else metric.name)
    return sorted(metrics)


def _peers() -> tuple[list[peers.Report], list[str]]:
    reports, absent = [], []
    with _dynamodb() as environment:
        for peer in (*peers.PYTHON_PEERS, *peers.NODE_PEERS):
            try:
                reports.append(
                    peers.report(peer) if peer in peers.PYTHON_PEERS else peers.node_report(peer, environment)
                )
            except peers.Unavailable as error:
                absent.append(f"Left out: {error}")
    return reports, absent


@contextmanager
def _dynamodb() -> Iterator[dict[str, str]]:
    """Serve DynamoDB with a table for OpenAuth; what its program asks of the environment."""
    credentials = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_REGION": "us-east-1"}
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint, table_name = f"http://{host}:{port}", "openauth"
    try:
        boto3.client("dynamodb", region_name="us-east-1", endpoint_url=endpoint).create_table(
            TableName=table_name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        )
        yield credentials | {"ENDPOINT": endpoint, "TABLE": table_name}
    finally:
        server.stop()


def _peer_table(found: dict[str, tuple[Consumption, Consumption]], reports: list[peers.Report]) -> str:
    rows = []
    for theirs, ours in COMPARED.items():
        cells = [_cell(report.operations.get(theirs)) for report in reports]
        rows.append((ours, found[ours][0].requests.total(), *cells))
    return table(("operation", "this server", *(report.name for report in reports)), rows)


def _cell(operation: peers.Operation | None) -> str:
    if operation is None:
        return "-"
    statements, control = _statements(operation)
    return f"{statements} (+{control})" if control else str(statements)


def _statements(operation: peers.Operation) -> tuple[int, int]:
    """Return how many storage operations there are, and how many that open and close transactions."""
    control = sum(number for kind, number in operation.storage.items() if kind in TRANSACTION_CONTROL)
    return sum(operation.storage.values()) - control, control


def _configured(reports: list[peers.Report], absent: list[str]) -> list[str]:
    told = []
    for report in reports:
        versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
        told.append(f"{versions}: {report.how}.")
    return told + absent


def _charts(found: dict[str, tuple[Consumption, Consumption]], reports: list[peers.Report]) -> list[Chart]:
    charts = []
    for theirs in ("code_exchange", "refresh"):
        values = {"this server": float(found[COMPARED[theirs]][0].requests.total())}
        for report in reports:
            if theirs in report.operations:
                values[report.name] = float(_statements(report.operations[theirs])[0])
        title = f"Storage operations of a {COMPARED[theirs]}"
        charts.append(Chart(f"round_trips_{theirs}.svg", title, "operations", values))
    return charts
