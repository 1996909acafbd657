"""How much memory functions need, that it does not grow, and what each size of a function makes of it."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from bench import packages, subjects
from bench.cost import FULL_CPU as FULL
from bench.cost import WAIT, dollars
from bench.packages import Unpacked
from bench.report import Chart, Claim, Section, table
from bench.stub import secure_stub

LOOKS, QUICK_LOOKS = (1, 200, 1000, 3000), (1, 300, 600)
FUNCTIONS = ("api", "bearer", "authorizer")

GROWTH, ROUGH_GROWTH = 1.02, 1.1
"""At most, between the last two looks; and with --quick, which looks early."""
SHARE = 0.75
"""Of a function's memory, at most: Lambda's own runtime needs some too."""

SIZES = (128, 256, 512, 1024, FULL)
"""Megabytes, each twice what is before it, and a whole processor: finer steps would follow the noise."""
SIGN_IN = 150
"""Milliseconds that a sign-in may take, at most: a fifth of a second, less the way there and back."""
STEP, ROUGH_STEP = 1, 2
"""How far a size may be from what follows; and with --quick, one size."""
FACTORS = [percent / 100 for percent in range(50, 205, 5)]
"""Of the CPU time measured, for which it is tried whether the same size follows."""

PROGRAM = Path(subjects.__file__).with_name("warm.py")

TEXT = """
Each function, as shipped and in a process of its own, answers {most:,} requests over TLS (the API: tokens,
introspection and pages, each as often, and once in a hundred a sign-in, whose password hash takes
memory), and its resident set is looked at in between. "Growth" compares the last two looks.

{looks}

**Which size.** Lambda gives a function of {full:,} MB a whole processor, and a smaller one its share. The
sweep divides the CPU time measured here by that share (it is calculated, not run so), and adds {wait:.0f}
ms, which are assumed, for each request to DynamoDB that was made; no packet travels here, and what
Lambda's own runtime computes is not in it. A cold start makes its imports and its client on a whole
processor, whatever the size, and answers its first request on its share. GB-seconds are what is paid for.

{sweep}

A size will do if the function's peak is at most {share:.0%} of it and a sign-in, most of which is the
password's hash, takes at most {sign_in} ms. Of those the one follows for which GB-seconds times
milliseconds are least: to double a smaller one makes a request faster by more than it makes it dearer, and
to double that one no longer does. Little is at stake: a size changes what a million requests cost by some
0.10 USD, and a million tokens cost some 6 in all.

{follows}
"""


@dataclass(frozen=True)
class Took:
    """What a request takes."""

    cpu: float
    """Milliseconds of a whole processor."""
    requests: float
    """To DynamoDB."""

    def milliseconds(self, size: int, factor: float = 1) -> float:
        """Return how long it takes on a function of so many megabytes.

        Args:
            size: in megabytes.
            factor: of the CPU time.
        """
        return self.cpu * factor / min(1, size / FULL) + self.requests * WAIT


def measure(quick: bool, found: Mapping[str, Section]) -> Section:
    """Measure."""
    looks = QUICK_LOOKS if quick else LOOKS
    shipped = packages.shipped()
    with secure_stub() as (endpoint, trusted):
        variables = subjects.environment(
            endpoint, AWS_CA_BUNDLE=str(trusted), AWS_LAMBDA_FUNCTION_NAME="oauth-bench"
        )
        events = subjects.run("seed", variables=variables)
        sent = {
            "api": ("token", "introspection", "page", "sign_in"),
            "bearer": ("bearer",),
            "authorizer": ("authorizer",),
        }
        runs = {
            kind: _run(kind, shipped, {name: events[name] for name in names}, looks, variables)
            for kind, names in sent.items()
        }
    sizes = {kind: packages.memory_size(name) for kind, name in packages.NAMES.items()}
    resident = {kind: {int(n): now for n, (now, _) in run["looks"].items()} for kind, run in runs.items()}
    peaks = {kind: run["looks"][str(looks[-1])][1] / 2**20 for kind, run in runs.items()}
    growth = {kind: resident[kind][looks[-1]] / resident[kind][looks[-2]] for kind in FUNCTIONS}
    steps = found["cold_start"].data["first"] if "cold_start" in found else {}
    works = {kind: _works(run["took"], steps, kind) for kind, run in runs.items()}
    swept = {kind: sweep(*several) for kind, several in works.items()}
    follows = {kind: following(swept[kind], peaks[kind]) for kind in FUNCTIONS}
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
            Claim(
                f"size of {kind} and what follows from the sweep, the larger over the smaller",
                max(sizes[kind] / follows[kind], follows[kind] / sizes[kind]),
                ROUGH_STEP if quick else STEP,
            ),
        )
    ]
    rows = [
        (
            kind,
            *(resident[kind][n] / 2**20 for n in looks),
            f"{growth[kind] - 1:.1%}",
            peaks[kind],
            sizes[kind],
        )
        for kind in FUNCTIONS
    ]
    head = ("MB", *(f"after {n:,}" for n in looks), "growth", "peak", "configured")
    return Section(
        title="Memory",
        text=TEXT.format(
            most=looks[-1],
            looks=table(head, rows),
            full=FULL,
            wait=WAIT,
            share=SHARE,
            sign_in=SIGN_IN,
            sweep=_sweep_table(swept, sizes),
            follows="\n".join(
                _follows(kind, follows[kind], sizes[kind], steady(works[kind], peaks[kind]))
                for kind in FUNCTIONS
            ),
        ),
        claims=claims,
        charts=[
            Chart(
                "memory.svg",
                "A sign-in, by the memory of the API function",
                "ms",
                {
                    f"this server, {size:,} MB" if size == sizes["api"] else f"{size:,} MB": row["sign-in"]
                    for size, row in swept["api"].items()
                },
            )
        ],
        data={
            "peak_megabytes": peaks,
            "sizes": sizes,
            "took": {kind: run["took"] for kind, run in runs.items()},
            "sweep": swept,
            "follows": follows,
        },
    )


def sweep(
    warm: Took, start: tuple[float, Took] | None = None, sign_in: Took | None = None, factor: float = 1
) -> dict[int, dict[str, float]]:
    """Return what a request takes with each size of a function.

    Args:
        warm: a request.
        start: milliseconds of CPU to initialise, and the first request; None if they are not known.
        sign_in: None for a function that has none.
        factor: by which all CPU times are longer.
    """
    found = {}
    for size in SIZES:
        latency = warm.milliseconds(size, factor)
        found[size] = {"latency": latency, "gigabyte_seconds": size / 1024 * latency * 1000}
        if start:
            found[size]["cold"] = start[0] * factor + start[1].milliseconds(size, factor)
        if sign_in:
            found[size]["sign-in"] = sign_in.milliseconds(size, factor)
    return found


def following(by_size: Mapping[int, Mapping[str, float]], peak: float) -> int:
    """Return the size with the least price times time of those that do; the largest if none does."""
    enough = [
        size for size, row in by_size.items() if peak <= SHARE * size and row.get("sign-in", 0) <= SIGN_IN
    ] or [max(by_size)]
    return min(enough, key=lambda size: by_size[size]["gigabyte_seconds"] * by_size[size]["latency"])


def steady(works: tuple[Took, tuple[float, Took] | None, Took | None], peak: float) -> tuple[float, float]:
    """Return from which to which of `FACTORS` the same size follows as for what was measured."""
    same = {factor: following(sweep(*works, factor), peak) for factor in FACTORS}
    fit = [factor for factor, size in same.items() if size == same[1]]
    return min(fit), max(fit)


def _works(
    took: Mapping[str, Mapping[str, float]], steps: Any, kind: str
) -> tuple[Took, tuple[float, Took] | None, Took | None]:
    """Return the average warm request, a start, and a sign-in if there is one."""
    common = [each for name, each in took.items() if name != "sign_in"]
    warm = Took(mean(each["cpu"] for each in common), mean(each["requests"] for each in common))
    first = steps.get(kind)
    start = (first["start"], Took(first["cpu"], first["requests"])) if first else None
    return warm, start, Took(**took["sign_in"]) if "sign_in" in took else None


def _run(
    kind: str,
    unpacked: Unpacked,
    events: Mapping[str, Any],
    looks: Sequence[int],
    variables: Mapping[str, str],
) -> Any:
    told = {
        "handler": packages.HANDLERS[kind],
        "path": [str(folder) for folder in unpacked.path],
        "events": events,
        "rare": "sign_in" if "sign_in" in events else None,
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
            f"**{size:,}**" if sizes[kind] == size else f"{size:,}",
            row["latency"],
            row.get("sign-in", ""),
            row.get("cold", ""),
            f"{row['gigabyte_seconds']:,.0f}",
            f"{row['gigabyte_seconds'] * dollars('Lambda, x86_64'):.3f}",
            f"{row['gigabyte_seconds'] * row['latency'] / 1000:.1f}",
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
        "GB-seconds for a million",
        "USD for these",
        "GB-seconds times ms, in thousands",
    )
    return table(head, rows)


def _follows(kind: str, size: int, has: int, fits: tuple[float, float]) -> str:
    """Say which size follows for a function, how surely, and which it has."""
    verdict = "It has that." if has == size else f"It has {has:,} MB."
    low, high = fits
    until = f"{high:g}" if high < FACTORS[-1] else f"{high:g} and more"
    return (
        f"- `{kind}`: {size:,} MB follow, and would for {low:g} to {until} times the CPU time measured here. "
        f"{verdict}"
    )
