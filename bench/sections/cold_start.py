"""What a cold start computes, as shipped, as `chalice package` ships it, and at the least."""

import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench import packages, subjects
from bench.packages import Unpacked
from bench.report import Chart, Claim, Section, table
from bench.stub import stub

REPEATS, QUICK_REPEATS = 11, 3

API_RATIO, AUTHORIZER_RATIO, ROUGH_RATIO = 1.5, 1.2, 2.0
"""At most, of the floor; and with --quick, on machines that are busy."""

MORE_MODULES = {"api": 125, "bearer": 30, "authorizer": 30}
"""What a function imports more than pynamodb does, at most."""

PROGRAM = Path(subjects.__file__).with_name("cold.py")
FUNCTIONS = ("api", "bearer", "authorizer")
SHOWN_PACKAGES = 14

TEXT = """
What a fresh process computes until its first answer: imports, the DynamoDB client, the first request
(client credentials, or the check of a token); and, for the API, the first page after that. Each is run
as Lambda would, with the standard library and the unpacked package alone (`python -I -S`), against a
DynamoDB of dictionaries. Nothing may write bytecode, as in Lambda's read-only `/var/task`. **As
shipped** is what `make deploy` uploads ({shipped:.1f} MB); **plain** what `chalice package` makes
({plain}). **The floor** imports pynamodb, as pip installs it and with bytecode, makes a client and reads
one row. All take turns, {repeats} times; the table shows medians of CPU time in milliseconds, since that
is what a cold start spends. Not in it, and the same for all: starting Python itself, fetching the code,
and TLS.

{steps}

The function's memory decides how much of a processor it has while it answers; while it initialises it
has a whole one. So the client is made at import, in Lambda.

**Where an API function's import goes**, by package, as `-X importtime` sees it (which makes it slower):

{imports}

Put off until somebody needs them: {put_off}.
"""

PUT_OFF = ("jinja2", "argon2", "authlib", "joserfc", "cryptography", "requests", "bcrypt")


def measure(quick: bool, found: Mapping[str, Section]) -> Section:
    """Measure."""
    floor, shipped = packages.libraries(), packages.shipped()
    plain = None if quick else packages.plain()
    cases: dict[tuple[str, str], Unpacked] = {("floor", "floor"): floor}
    cases |= {("as shipped", kind): shipped for kind in FUNCTIONS}
    if plain:
        cases |= {("plain", kind): plain for kind in FUNCTIONS}
    with stub() as endpoint:
        variables = subjects.environment(endpoint, AWS_LAMBDA_FUNCTION_NAME="oauth-bench")
        events = subjects.run("seed", variables=variables)
        runs: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
        for _ in range(QUICK_REPEATS if quick else REPEATS):
            for case, unpacked in cases.items():
                runs[case].append(_cold(case[1], unpacked, events, variables))
        imports = _imports(shipped, events, variables)
    steps = {case: _medians(several) for case, several in runs.items()}
    first = {
        case: sum(ms for step, ms in found.items() if step != "first page") for case, found in steps.items()
    }
    modules = {case: set(several[0]["modules"]) for case, several in runs.items()}
    return Section(
        title="Cold start",
        text=TEXT.format(
            shipped=shipped.zipped / 1e6,
            plain=f"{plain.zipped / 1e6:.1f} MB" if plain else "not measured",
            repeats=len(runs["floor", "floor"]),
            steps=_steps_table(steps, first, {case: len(names) for case, names in modules.items()}),
            imports=table(("package", "ms"), imports[:SHOWN_PACKAGES]),
            put_off=", ".join(name for name in PUT_OFF if name not in modules["as shipped", "api"]),
        ),
        claims=[*_ratios(first, quick), *_counts(modules)],
        charts=[
            Chart(
                "cold_start.svg",
                "CPU until the first answer",
                "ms",
                {name if name == kind else f"{kind}, {name}": ms for (name, kind), ms in first.items()},
            )
        ],
        data={
            "milliseconds": {f"{kind}, {name}": ms for (name, kind), ms in first.items()},
            "steps": {f"{kind}, {name}": found for (name, kind), found in steps.items()},
            "package_bytes": shipped.zipped,
        },
    )


def _ratios(first: Mapping[tuple[str, str], float], quick: bool) -> list[Claim]:
    claims = []
    for kind in FUNCTIONS:
        bound = ROUGH_RATIO if quick else API_RATIO if kind == "api" else AUTHORIZER_RATIO
        ours = first["as shipped", kind]
        claims.append(Claim(f"cold start of {kind}, over the floor", ours / first["floor", "floor"], bound))
        if ("plain", kind) in first:
            claims.append(
                Claim(f"cold start of {kind}, over the plain package", ours / first["plain", kind], 0.5)
            )
    return claims


def _counts(modules: Mapping[tuple[str, str], set[str]]) -> list[Claim]:
    return [
        Claim(
            f"modules that {kind} imports beyond pynamodb's",
            len(modules["as shipped", kind] - modules["floor", "floor"]),
            MORE_MODULES[kind],
        )
        for kind in FUNCTIONS
    ]


def _cold(kind: str, unpacked: Unpacked, events: Mapping[str, Any], variables: Mapping[str, str]) -> Any:
    return json.loads(_python([], kind, unpacked, events, variables).stdout.splitlines()[-1])


def _python(
    options: Sequence[str],
    kind: str,
    unpacked: Unpacked,
    events: Mapping[str, Any],
    variables: Mapping[str, str],
) -> "subprocess.CompletedProcess[str]":
    sent = {
        "floor": [events["grant_id"]],
        "api": [events["token"], events["page"]],
        "bearer": [events["bearer"]],
        "authorizer": [events["authorizer"]],
    }
    told = {"kind": kind, "path": [str(folder) for folder in unpacked.path], "events": sent[kind]}
    return subprocess.run(
        [sys.executable, "-I", "-S", "-B", *options, str(PROGRAM), json.dumps(told)],
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )


def _imports(
    unpacked: Unpacked, events: Mapping[str, Any], variables: Mapping[str, str]
) -> list[tuple[str, float]]:
    """Return what each package's own modules take to import, in milliseconds, the longest first."""
    told = _python(["-X", "importtime"], "api", unpacked, events, variables).stderr
    return by_package(told)


def by_package(told: str) -> list[tuple[str, float]]:
    """Add up what `-X importtime` tells of each package, and return milliseconds, the most first."""
    spent: Counter[str] = Counter()
    for line in told.splitlines():
        own, _, rest = line.removeprefix("import time:").partition("|")
        if line.startswith("import time:") and own.strip().isdigit():
            package = rest.partition("|")[2].strip().partition(".")[0]
            spent["the standard library" if package in sys.stdlib_module_names else package] += int(own)
    return [(package, microseconds / 1000) for package, microseconds in spent.most_common()]


def _medians(runs: Sequence[Any]) -> dict[str, float]:
    return {step: median(run["steps"][step][0] for run in runs) for step in runs[0]["steps"]}


def _steps_table(
    steps: Mapping[tuple[str, str], Mapping[str, float]],
    first: Mapping[tuple[str, str], float],
    modules: Mapping[tuple[str, str], int],
) -> str:
    floor = first["floor", "floor"]
    rows = [
        (
            "" if kind == "floor" else kind,
            name,
            *(found[step] for step in ("import", "client", "first request")),
            first[name, kind],
            first[name, kind] / floor,
            found.get("first page", ""),
            modules[name, kind],
        )
        for (name, kind), found in steps.items()
    ]
    head = (
        "function",
        "",
        "import",
        "client",
        "first request",
        "sum",
        "of the floor",
        "first page",
        "modules",
    )
    return table(head, rows)
