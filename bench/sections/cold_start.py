"""What a cold start computes, as shipped, as `chalice package` ships it, and at the least."""

import json
import ssl
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from statistics import median
from typing import Any

from bench import packages, subjects
from bench.cost import FULL_CPU
from bench.packages import Unpacked
from bench.report import Chart, Claim, Section, table
from bench.stub import secure_stub

REPEATS, QUICK_REPEATS = 11, 3
TRACED = 5
"""Runs of which one is shown by package."""

API_RATIO, AUTHORIZER_RATIO, ROUGH_RATIO = 1.5, 1.2, 2.0
"""At most, of the floor; and with --quick, on machines that are busy."""

MORE_MODULES = {"api": 125, "bearer": 30, "authorizer": 30}
"""What a function imports more than pynamodb does, at most."""

PROGRAM = Path(subjects.__file__).with_name("cold.py")
FUNCTIONS = ("api", "bearer", "authorizer")
FLOOR = ("floor", "floor")
LATE = ("as shipped, not in Lambda", "api")
"""As shipped, but outside of Lambda, where imports leave the client and whom it trusts for later."""

SHOWN_PACKAGES = 12
CLIENT = "chalicelib.models.table"
"""Makes the client, and reads whom it trusts, where it is imported in Lambda."""
ARGON2 = ("argon2", "_argon2_cffi_bindings", "_cffi_backend")
"""Needed by few requests, and imported at the start nevertheless."""

TEXT = """
What a fresh process computes until its first answer: imports, the DynamoDB client, the first request
(client credentials, or the check of a token); and, for the API, the first page after that. Each is run
as Lambda would, with the standard library and the unpacked package alone (`python -I -S`), against a
DynamoDB of dictionaries that speaks TLS, so that the first request reads the certificates of as many
authorities as it does for AWS ({openssl}). Nothing may write bytecode, as in Lambda's read-only
`/var/task`. **As shipped** is what `make deploy` uploads ({shipped:.1f} MB); **plain** what
`chalice package` makes ({plain}). **The floor** imports pynamodb, as pip installs it and with bytecode,
makes a client and reads one row. All take turns, {repeats} times; the table shows medians of CPU time in
milliseconds, since that is what a cold start spends. Not in it, and the same for all: starting Python
itself, fetching the code, and waiting for DynamoDB.

{steps}

**Where an API function's import goes**, until its first token, by package, as `-X importtime` sees it,
which makes it slower, and by the clock; the shortest of {traced} runs, in milliseconds:

{imports}

Shipped, and not loaded until somebody needs them: {put_off}.{argon2}

**What is done about it**, in milliseconds of CPU where it is measured here:

- Bytecode, and of botocore the data of two services alone: with both, the API function starts in
  {shipped_sum:.0f}{plain_sum}.
- While a function initialises it has a whole processor, and while it answers what its memory entitles it
  to. So, in Lambda, the client is made at import ({client:.0f}), and the certificates of the authorities
  that it trusts are read then, and once ({authorities:.0f}); botocore reads them for each connection. In the
  first answer at {memory} MB the two would take {share:.1f} times as long.
- All models share that client; left alone, pynamodb makes one for each.
- Libraries of pages, signatures and OpenID providers are put off, as above: the first page pays {page:.0f}.
- SnapStart is a setting, `deployment.snap_start`, for functions on Python 3.12 or later. It would spare a
  start its imports and its client, {initialised:.0f} for the API function, and cost the time to restore
  the snapshot, which is not known here: there is no emulator of it to measure.
"""


def measure(quick: bool, found: Mapping[str, Section]) -> Section:
    """Measure."""
    floor, shipped = packages.libraries(), packages.shipped()
    plain = None if quick else packages.plain()
    cases: dict[tuple[str, str], Unpacked] = {FLOOR: floor}
    cases |= {("as shipped", kind): shipped for kind in FUNCTIONS}
    cases[LATE] = shipped
    if plain:
        cases |= {("plain", kind): plain for kind in FUNCTIONS}
    with secure_stub() as (endpoint, trusted):
        outside = subjects.environment(endpoint, AWS_CA_BUNDLE=str(trusted))
        lambdas = outside | {"AWS_LAMBDA_FUNCTION_NAME": "oauth-bench"}
        events = subjects.run("seed", variables=lambdas)
        runs: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
        for _ in range(QUICK_REPEATS if quick else REPEATS):
            for case, unpacked in cases.items():
                variables = outside if case == LATE else lambdas
                runs[case].append(_cold(case[1], unpacked, events, variables))
        imports = min((_imports(shipped, events, lambdas) for _ in range(TRACED)), key=_together)
    late = _medians(runs.pop(LATE))
    steps = {case: _medians(several) for case, several in runs.items()}
    first = {
        case: sum(ms for step, ms in found.items() if step != "first page") for case, found in steps.items()
    }
    modules = {case: set(several[0]["modules"]) for case, several in runs.items()}
    api = steps["as shipped", "api"]
    memory = packages.memory_size(packages.NAMES["api"])
    return Section(
        title="Cold start",
        text=TEXT.format(
            openssl=" ".join(ssl.OPENSSL_VERSION.split()[:2]),
            shipped=shipped.zipped / 1e6,
            plain=f"{plain.zipped / 1e6:.1f} MB" if plain else "not measured",
            repeats=len(runs[FLOOR]),
            steps=_steps_table(steps, first, {case: len(names) for case, names in modules.items()}),
            traced=TRACED,
            imports=table(("package", "ms"), shown(imports)),
            put_off=", ".join(sorted(put_off(shipped.libraries(), modules["as shipped", "api"]))),
            argon2=_argon2(dict(imports)),
            shipped_sum=first["as shipped", "api"],
            plain_sum=f" instead of {first['plain', 'api']:.0f}" if plain else "",
            client=late["client"],
            authorities=late["first request"] - api["first request"],
            share=max(1, FULL_CPU / memory),
            memory=memory,
            page=api["first page"],
            initialised=api["import"] + api["client"],
        ),
        claims=[*_ratios(first, quick), *_counts(modules)],
        charts=[
            Chart(
                "cold_start.svg",
                "CPU until the first answer",
                "ms",
                {
                    {"floor": "the floor", "as shipped": f"this server, {kind}"}.get(
                        name, f"{kind}, {name}"
                    ): ms
                    for (name, kind), ms in first.items()
                },
            )
        ],
        data={
            "milliseconds": {f"{kind}, {name}": ms for (name, kind), ms in first.items()},
            "steps": {f"{kind}, {name}": found for (name, kind), found in steps.items()},
            "client": late["client"],
            "authorities": late["first request"] - api["first request"],
            "first": {
                kind: {
                    "start": steps["as shipped", kind]["import"] + steps["as shipped", kind]["client"],
                    "cpu": steps["as shipped", kind]["first request"],
                    "requests": runs["as shipped", kind][0]["requests"],
                }
                for kind in FUNCTIONS
            },
            "package_bytes": shipped.zipped,
        },
    )


def shown(imports: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    """Return the packages that take longest, what all others take, and the sum."""
    rest = imports[SHOWN_PACKAGES:]
    return [
        *imports[:SHOWN_PACKAGES],
        (f"{len(rest)} more", _together(rest)),
        ("together", _together(imports)),
    ]


def _together(imports: Sequence[tuple[str, float]]) -> float:
    return sum(ms for _, ms in imports)


def put_off(libraries: AbstractSet[str], loaded: AbstractSet[str]) -> AbstractSet[str]:
    """Return which libraries had not been loaded."""
    return libraries - {name.partition(".")[0] for name in loaded}


def _argon2(imports: Mapping[str, float]) -> str:
    """Say why argon2 is loaded, if it is."""
    spent = sum(imports.get(name, 0) for name in ARGON2)
    if not spent:
        return ""
    return (
        f" What hashes passwords (argon2, {spent:.1f} ms) is loaded, though few requests need it: put off, a "
        "first sign-in would load it on its share of a processor."
    )


def _ratios(first: Mapping[tuple[str, str], float], quick: bool) -> list[Claim]:
    claims = []
    for kind in FUNCTIONS:
        bound = ROUGH_RATIO if quick else API_RATIO if kind == "api" else AUTHORIZER_RATIO
        ours = first["as shipped", kind]
        claims.append(Claim(f"cold start of {kind}, over the floor", ours / first[FLOOR], bound))
        if ("plain", kind) in first:
            claims.append(
                Claim(f"cold start of {kind}, over the plain package", ours / first["plain", kind], 0.5)
            )
    return claims


def _counts(modules: Mapping[tuple[str, str], set[str]]) -> list[Claim]:
    return [
        Claim(
            f"modules that {kind} imports beyond pynamodb's",
            len(modules["as shipped", kind] - modules[FLOOR]),
            MORE_MODULES[kind],
        )
        for kind in FUNCTIONS
    ]


def _cold(kind: str, unpacked: Unpacked, events: Mapping[str, Any], variables: Mapping[str, str]) -> Any:
    sent = {
        "floor": [events["grant_id"]],
        "api": [events["token"], events["page"]],
        "bearer": [events["bearer"]],
        "authorizer": [events["authorizer"]],
    }
    return json.loads(_python([], kind, unpacked, sent[kind], variables).stdout.splitlines()[-1])


def _python(
    options: Sequence[str],
    kind: str,
    unpacked: Unpacked,
    events: Sequence[Any],
    variables: Mapping[str, str],
) -> "subprocess.CompletedProcess[str]":
    told = {
        "handler": packages.HANDLERS.get(kind),
        "path": [str(folder) for folder in unpacked.path],
        "events": events,
    }
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
    told = _python(["-X", "importtime"], "api", unpacked, [events["token"]], variables).stderr
    return by_package(told)


def by_package(told: str) -> list[tuple[str, float]]:
    """Add up what `-X importtime` tells of each package, and return milliseconds, the most first.

    What makes the client counts by itself.
    """
    spent: Counter[str] = Counter()
    for line in told.splitlines():
        own, _, rest = line.removeprefix("import time:").partition("|")
        if line.startswith("import time:") and own.strip().isdigit():
            spent[_package(rest.partition("|")[2].strip())] += int(own)
    return [(package, microseconds / 1000) for package, microseconds in spent.most_common()]


def _package(module: str) -> str:
    if module == CLIENT:
        return f"{CLIENT} (with the client, and whom it trusts)"
    package = module.partition(".")[0]
    return "the standard library" if package in sys.stdlib_module_names else package


def _medians(runs: Sequence[Any]) -> dict[str, float]:
    return {step: median(run["steps"][step] for run in runs) for step in runs[0]["steps"]}


def _steps_table(
    steps: Mapping[tuple[str, str], Mapping[str, float]],
    first: Mapping[tuple[str, str], float],
    modules: Mapping[tuple[str, str], int],
) -> str:
    floor = first[FLOOR]
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
