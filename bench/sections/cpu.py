"""CPU time per operation, beside its requests alone and beside other servers."""

from collections.abc import Mapping, Sequence
from statistics import median

from bench import packages, peers, subjects
from bench.report import Chart, Claim, Section, table
from bench.stub import stub

ROUNDS, QUICK_ROUNDS = 300, 40
PARTS = 10
"""Of the rounds, each with a ratio of its own: how far they are apart."""
PEER_REPEATS = 11

FLOOR_RATIO, ROUGH_RATIO = 1.3, 2.0
"""At most, of the CPU time of the requests alone; and with --quick, on machines that are busy."""

PEER_NAMES = {
    "client credentials": "client_credentials",
    "code exchange": "code_exchange",
    "refresh": "refresh",
    "authorizer, own API": "bearer",
    "introspection": "introspection",
    "revocation": "revocation",
}
AIMED_AT = ("client credentials", "code exchange", "refresh", "authorizer, own API", "authorizer, any API")
"""Issue and validation of tokens."""


TEXT = """
What a warm function computes. An event of API Gateway goes in at `app(event, context)` or at an
authorizer's handler, and the response comes out; in between there are real Chalice, pynamodb, botocore
and HTTP, to a DynamoDB of dictionaries (`bench/stub.py`) in another process, whose CPU does not count.
**The floor** is the same requests by bare botocore, as pip installs it and pynamodb sets it up: after
each operation, the same process sends the very bodies that it sent, and is answered the very bytes. What
we spare botocore is no part of the floor: our requests have a User-Agent of one word, and botocore's data,
as it is shipped, has no rules by which it would work out the endpoint anew for each request.

What counts is CPU time of the process, user and system, one operation after the other, {rounds} rounds,
of which the table shows medians. Operation and floor each come after another token request that does not
count, so that the processor's caches are as warm for the one as for the other. The function knows the
client, as it does for some seconds after it read it. There is no TLS on either side.

{operations}

A ratio is that of the medians; "tenths" are the least and the largest of those of {parts} parts of the
rounds. "Its requests" is the time in botocore below pynamodb, as part of the operation; "the rest" is ours,
Chalice's and pynamodb's: the event, the checks, the row to DynamoDB's JSON and back, the token, and two
lines of log.

{peers}
"""

PEERS_TEXT = """
**The same by other servers** (milliseconds, the median of {repeats}, and of {rounds} here): the client
authenticates by HTTP Basic, with PKCE, and the token is stored durably. They run in process, called by
WSGI, over SQLite in a file, so that no request over a network is in their numbers, while ours contain an
HTTP request to the database, or two: "less its requests" is without. Where django-oauth-toolkit
authenticates the client, nearly all of its time is its default of hashing the secret slowly, which can be
set (`CLIENT_SECRET_HASHER`); checking a token has none of that on any side.

{rows}

{how}
"""


def measure(quick: bool, found: Mapping[str, Section]) -> Section:
    """Measure."""
    rounds = QUICK_ROUNDS if quick else ROUNDS
    with stub() as endpoint:
        data = packages.shipped().path[0] / "botocore" / "data"
        measured = subjects.run("cpu", str(rounds), str(data), variables=subjects.environment(endpoint))
    operations: dict[str, list[float]] = measured["operations"]
    floors: dict[str, list[float]] = measured["floors"]
    ratios = {name: median(operations[name]) / median(floors[name]) for name in operations}
    bound = ROUGH_RATIO if quick else FLOOR_RATIO
    milliseconds = {name: median(times) / 1e6 for name, times in operations.items()}
    floor = {name: median(times) / 1e6 for name, times in floors.items()}
    sending = {name: median(times) / 1e6 for name, times in measured["sending"].items()}
    claims = [
        Claim(
            f"CPU of {name}, over its requests alone",
            ratios[name],
            bound,
            because=f"{milliseconds[name] - sending[name]:.2f} ms are Chalice's, pynamodb's and ours, and "
            f"its requests take {sending[name] / floor[name]:.0%} of the floor",
        )
        for name in AIMED_AT
    ]
    reports, absent = ([], []) if quick else _peers()
    claims += [
        Claim(
            f"CPU of {name}, over {report.name}",
            milliseconds[name] / theirs,
            1,
            because=f"{sending[name]:.2f} of our {milliseconds[name]:.2f} ms send requests to DynamoDB over "
            f"HTTP; theirs, {theirs:.2f} ms, looks into SQLite in its own process",
        )
        for report in reports
        for name, peer_name in PEER_NAMES.items()
        if (theirs := report.operations[peer_name].cpu_ms)
    ]
    rows = [
        (
            name,
            " + ".join(measured["requests"][name]),
            milliseconds[name],
            sending[name],
            milliseconds[name] - sending[name],
            floor[name],
            ratios[name],
            _tenths(operations[name], floors[name]),
        )
        for name in operations
    ]
    head = ("operation", "requests", "CPU, ms", "its requests", "the rest", "floor, ms", "ratio", "tenths")
    text = TEXT.format(
        rounds=rounds,
        parts=PARTS,
        operations=table(head, rows),
        peers=_peers_text(milliseconds, sending, rounds, reports, absent),
    )
    return Section(
        title="CPU per operation",
        text=text,
        claims=claims,
        charts=[_floor_chart(ratios), *([_peer_chart(milliseconds, reports)] if reports else [])],
        data={
            "milliseconds": milliseconds,
            "milliseconds of its requests": sending,
            "floor_milliseconds": floor,
            "ratios": ratios,
            "peers": {report.name: _milliseconds(report) for report in reports},
        },
    )


def _tenths(operations: Sequence[float], floors: Sequence[float]) -> str:
    """Return how far the ratios of parts of the rounds are apart."""
    size = max(1, len(operations) // PARTS)
    parts = [slice(first, first + size) for first in range(0, len(operations), size)]
    ratios = [median(operations[part]) / median(floors[part]) for part in parts]
    return f"{min(ratios):.2f} to {max(ratios):.2f}"


def _floor_chart(ratios: Mapping[str, float]) -> Chart:
    values = {"its requests alone": 1.0} | {f"ours, {name}": ratio for name, ratio in ratios.items()}
    return Chart("cpu.svg", "CPU, as a multiple of its requests alone", "", values)


def _peer_chart(milliseconds: Mapping[str, float], reports: Sequence[peers.Report]) -> Chart:
    theirs = {report.name: report.operations["code_exchange"].cpu_ms or 0.0 for report in reports}
    return Chart(
        "cpu_peers.svg",
        "CPU of a code exchange",
        "ms",
        {"this server": milliseconds["code exchange"]} | theirs,
    )


def _peers() -> tuple[list[peers.Report], list[str]]:
    """Return what peers needed, and why others are absent."""
    reports, absent = [], []
    for peer in peers.PYTHON_PEERS:
        try:
            reports.append(peers.report(peer, PEER_REPEATS))
        except peers.Unavailable as unavailable:
            absent.append(str(unavailable))
    return reports, absent


def _milliseconds(report: peers.Report) -> dict[str, float | None]:
    return {name: operation.cpu_ms for name, operation in report.operations.items()}


def _peers_text(
    ours: Mapping[str, float],
    sending: Mapping[str, float],
    rounds: int,
    reports: Sequence[peers.Report],
    absent: Sequence[str],
) -> str:
    if not reports:
        return "\n".join(absent)
    rows = [
        (
            name,
            ours[name],
            ours[name] - sending[name],
            *(report.operations[peer_name].cpu_ms for report in reports),
        )
        for name, peer_name in PEER_NAMES.items()
    ]
    how = [f"- {report.name} ({_versions(report)}): {report.how}." for report in reports]
    return PEERS_TEXT.format(
        repeats=PEER_REPEATS,
        rounds=rounds,
        rows=table(
            ("operation", "this server", "less its requests", *(report.name for report in reports)), rows
        ),
        how="\n".join([*how, *(f"- {reason}" for reason in absent)]),
    ).strip()


def _versions(report: peers.Report) -> str:
    return ", ".join(f"{name} {version}" for name, version in report.versions.items())
