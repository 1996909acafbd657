"""How much memory functions need, that it does not grow, and what each size of a function makes of it."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import packages, subjects
from bench.cost import FULL_CPU as FULL
from bench.cost import WAIT
from bench.packages import Unpacked
from bench.report import Chart, Claim, Section, table
from bench.stub import stub
from management import stage as stages

LOOKS, QUICK_LOOKS = (1, 200, 1000, 3000), (1, 300, 600)
FUNCTIONS = ("api", "bearer", "authorizer")
CONFIGURED = {"api": "api_handler", "bearer": "bearer", "authorizer": "authorizer"}

GROWTH, ROUGH_GROWTH = 1.02, 1.1
"""At most, between the last two looks; and with --quick, which looks early."""
SHARE = 0.75
"""Of a function's memory, at most: Lambda's own runtime needs some too."""

SIZES = (128, 192, 256, 384, 512, 768, 1024, 1769)
WARM, SIGN_IN = 20, 200
"""Milliseconds that a warm request and a sign-in may take, at most."""
SIGN_IN_REQUESTS = 7
"""To DynamoDB, by the section `round_trips`."""

PROGRAM = Path(subjects.__file__).with_name("warm.py")

TEXT = """
Each function, as shipped and in a process of its own, answers {most} requests (the API: tokens,
introspection, pages, and once in a hundred a sign-in, whose password hash takes memory); we look at its
resident set in between. "Growth" is that between the last two looks, of what is resident then.

{looks}

**Which size.** Lambda gives a function {full} MB a whole processor and smaller ones their share. What
follows scales the CPU time measured here by that share (it is emulated, not run so), and adds {wait:.0f}
ms for each request to DynamoDB, which is an assumption. A cold start makes its imports and its client on
a whole processor, whatever the size, and answers its first request on its share. GB-seconds are what is
paid for. The size that follows is the smallest of which a function needs at most {share:.0%}, and in which
a warm request takes at most {longest} ms and a sign-in, most of which is the password's hash, at most
{sign_in} ms.

{sweep}

{follows}
"""


def measure(quick: bool, found: Mapping[str, Section]) -> Section:
    """Measure."""
    looks = QUICK_LOOKS if quick else LOOKS
    shipped = packages.shipped()
    with stub() as endpoint:
        variables = subjects.environment(endpoint, AWS_LAMBDA_FUNCTION_NAME="oauth-bench")
        events = subjects.run("seed", variables=variables)
        sent = {
            "api": [events["token"], events["introspection"], events["page"]],
            "bearer": [events["bearer"]],
            "authorizer": [events["authorizer"]],
        }
        runs = {
            kind: _run(kind, shipped, several, events["sign_in"] if kind == "api" else None, looks, variables)
            for kind, several in sent.items()
        }
    sizes = configured()
    resident = {kind: {int(n): now for n, (now, _) in run["looks"].items()} for kind, run in runs.items()}
    peaks = {kind: run["looks"][str(looks[-1])][1] / 2**20 for kind, run in runs.items()}
    growth = {kind: resident[kind][looks[-1]] / resident[kind][looks[-2]] for kind in FUNCTIONS}
    claims = [
        claim
        for kind in FUNCTIONS
        for claim in (
            Claim(
                f"memory of {kind} after {looks[-1]} requests, over {looks[-2]}",
                growth[kind],
                ROUGH_GROWTH if quick else GROWTH,
            ),
            Claim(f"peak memory of {kind}, of its size", peaks[kind] / sizes[kind], SHARE),
        )
    ]
    rows = [
        (kind, *(resident[kind][n] / 2**20 for n in looks), growth[kind] - 1, peaks[kind], sizes[kind])
        for kind in FUNCTIONS
    ]
    head = ("MB", *(f"after {n}" for n in looks), "growth", "peak", "configured")
    steps = found["cold_start"].data["steps"] if "cold_start" in found else {}
    rarely = {"api": runs["api"]["rare_milliseconds"]}
    swept = {
        kind: sweep(runs[kind]["milliseconds"], _first(steps, kind), rarely.get(kind)) for kind in FUNCTIONS
    }
    return Section(
        title="Memory",
        text=TEXT.format(
            most=looks[-1],
            looks=table(head, rows),
            full=FULL,
            wait=WAIT,
            share=SHARE,
            longest=WARM,
            sign_in=SIGN_IN,
            sweep=_sweep_table(swept, sizes),
            follows=_follows(swept, sizes, peaks),
        ),
        claims=claims,
        charts=[Chart("memory.svg", "Peak resident set", "MB", peaks)],
        data={"peak_megabytes": peaks, "sizes": sizes, "sweep": swept},
    )


def configured() -> dict[str, int]:
    """Return the functions' sizes in megabytes, of the stage `prod`."""
    config = stages.config()
    functions = config["stages"]["prod"]["lambda_functions"]
    return {
        kind: int(functions[name].get("lambda_memory_size", config["lambda_memory_size"]))
        for kind, name in CONFIGURED.items()
    }


def sweep(
    warm: float, first: tuple[float, float] | None, sign_in: float | None = None
) -> dict[int, dict[str, float]]:
    """Return what a request takes with each size of a function.

    Args:
        warm: milliseconds of CPU for a request.
        first: milliseconds of CPU to initialise, and for the first request; None if they are not known.
        sign_in: milliseconds of CPU for a sign-in; None for a function that has none.
    """
    found = {}
    for size in SIZES:
        share = min(1, size / FULL)
        latency = warm / share + WAIT
        found[size] = {"latency": latency, "gigabyte_seconds": size / 1024 * latency * 1000}
        if first:
            found[size]["cold"] = first[0] + first[1] / share + WAIT
        if sign_in:
            found[size]["sign-in"] = sign_in / share + SIGN_IN_REQUESTS * WAIT
    return found


def _first(steps: Any, kind: str) -> tuple[float, float] | None:
    found = steps.get(f"{kind}, as shipped")
    return (found["import"] + found["client"], found["first request"]) if found else None


def _run(
    kind: str,
    unpacked: Unpacked,
    events: Sequence[Any],
    rare: Any,
    looks: Sequence[int],
    variables: Mapping[str, str],
) -> Any:
    told = {
        "kind": kind,
        "path": [str(folder) for folder in unpacked.path],
        "events": events,
        "rare": rare,
        "looks": looks,
    }
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", str(PROGRAM), json.dumps(told)],
        env=variables,
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def _sweep_table(swept: Mapping[str, Mapping[int, Mapping[str, float]]], sizes: Mapping[str, int]) -> str:
    rows = [
        (
            kind,
            f"**{size}**" if sizes[kind] == size else size,
            row["latency"],
            row.get("sign-in", ""),
            row.get("cold", ""),
            row["gigabyte_seconds"],
        )
        for kind, by_size in swept.items()
        for size, row in by_size.items()
    ]
    head = (
        "function",
        "MB",
        "warm request, ms",
        "sign-in, ms",
        "cold start, ms",
        "GB-seconds for a million requests",
    )
    return table(head, rows)


def _follows(
    swept: Mapping[str, Mapping[int, Mapping[str, float]]],
    sizes: Mapping[str, int],
    peaks: Mapping[str, float],
) -> str:
    """Say of each function which size follows, what that costs beside the cheapest, and what it has."""
    lines = []
    for kind, by_size in swept.items():
        size = following(by_size, peaks[kind])
        cheapest = min(row["gigabyte_seconds"] for row in by_size.values())
        price = by_size[size]["gigabyte_seconds"] / cheapest - 1
        has = "which it has" if size == sizes[kind] else f"and it has {sizes[kind]}"
        lines.append(
            f"- `{kind}`: {size} MB, {has}. It costs {price:.0%} more GB-seconds than {min(by_size)} MB."
        )
    return "\n".join(lines)


def following(by_size: Mapping[int, Mapping[str, float]], peak: float) -> int:
    """Return the smallest size that is large and fast enough; the largest if none is."""
    for size, row in by_size.items():
        if peak <= SHARE * size and row["latency"] <= WARM and row.get("sign-in", 0) <= SIGN_IN:
            return size
    return max(by_size)
