"""CPU time per operation, beside its requests alone and beside other servers."""

from collections.abc import Mapping, Sequence
from statistics import median

from bench import packages, peers, subjects
from bench.report import Chart, Claim, Section, table
from bench.stub import stub

ROUNDS, QUICK_ROUNDS = 300, 40
PEER_REPEATS = 10

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

WHY_ABOVE = (
    "Chalice, the row and its condition in pynamodb, the token, the checks and two log lines take two fifths "
    "of what a request by botocore does, which here takes an eighth less than at the floor"
)
WHY_A_PEER = "theirs looks into SQLite in its own process, ours sends a signed request over HTTP, or two"

TEXT = """
What a warm function computes. An event of API Gateway goes in at `app(event, context)` or at an
authorizer's handler, and the response comes out; in between there are real Chalice, pynamodb, botocore
and HTTP, to a DynamoDB of dictionaries (`bench/stub.py`) in another process, whose CPU does not count.
**The floor** are the same requests by bare botocore, as pip installs it and pynamodb sets it up: after
each operation, the same process sends the very bodies that it sent, and is answered the very bytes. What
we spare botocore is no part of the floor: ours say in one word who asks, and take their URL from the data
that is shipped, which has no rules to work it out anew for each request.

What counts is CPU time of the process, user and system, single operations in turns, {rounds} rounds; of
which the table shows the median and, as the machine may have been busy, the least. Both come after
another token request that does not count, so that caches are as warm for the one as for the other.
There is no TLS on either side.

{operations}

An operation's ratio is that of the medians. What is above the floor is, for client credentials:
Chalice's handler, the row to DynamoDB's JSON and its condition (pynamodb), drawing and hashing the
token, and checking client and parameters.

{peers}
"""

PEERS_TEXT = """
**The same by other servers** (milliseconds, the least of {repeats}): the client authenticates and the
token is stored durably. They run in process, called by WSGI, over SQLite in a file, so that no request
over a network is in their numbers, while ours contain an HTTP request to the database, or two. Where
django-oauth-toolkit authenticates the client, nearly all of its time is its default of hashing the secret
slowly, which can be set (`CLIENT_SECRET_HASHER`); checking a token has none of that on any side.

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
    claims = [
        Claim(f"CPU of {name}, over its requests alone", ratios[name], bound, because=WHY_ABOVE)
        for name in AIMED_AT
    ]
    least = {name: min(times) / 1e6 for name, times in operations.items()}
    reports, absent = ([], []) if quick else _peers()
    claims += [
        Claim(f"CPU of {name}, over {report.name}", least[name] / theirs, 1, because=WHY_A_PEER)
        for report in reports
        for name, peer_name in PEER_NAMES.items()
        if (theirs := report.operations[peer_name].cpu_ms)
    ]
    rows = [
        (
            name,
            " + ".join(measured["requests"][name]),
            median(operations[name]) / 1e6,
            median(floors[name]) / 1e6,
            ratios[name],
            least[name],
            min(floors[name]) / 1e6,
        )
        for name in operations
    ]
    head = ("operation", "requests", "CPU, ms", "floor, ms", "ratio", "least, ms", "least floor, ms")
    text = TEXT.format(rounds=rounds, operations=table(head, rows), peers=_peers_text(least, reports, absent))
    return Section(
        title="CPU per operation",
        text=text,
        claims=claims,
        charts=[Chart("cpu.svg", "CPU, as a multiple of its requests alone", "", ratios)],
        data={
            "milliseconds": {name: median(times) / 1e6 for name, times in operations.items()},
            "floor_milliseconds": {name: median(times) / 1e6 for name, times in floors.items()},
            "ratios": ratios,
            "peers": {report.name: _milliseconds(report) for report in reports},
        },
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


def _peers_text(least: Mapping[str, float], reports: Sequence[peers.Report], absent: Sequence[str]) -> str:
    if not reports:
        return "\n".join(absent)
    rows = [
        (name, least[name], *(report.operations[peer_name].cpu_ms for report in reports))
        for name, peer_name in PEER_NAMES.items()
    ]
    how = [f"- {report.name} ({_versions(report)}): {report.how}." for report in reports]
    return PEERS_TEXT.format(
        repeats=PEER_REPEATS,
        rows=table(("operation", "this server", *(report.name for report in reports)), rows),
        how="\n".join([*how, *(f"- {reason}" for reason in absent)]),
    ).strip()


def _versions(report: peers.Report) -> str:
    return ", ".join(f"{name} {version}" for name, version in report.versions.items())
