"""Sends more of everything than `make test` has time for: `make fuzz`.

    python -m tests.hostile run --requests 100000 --inputs 50000 --minutes 60 --seed 1
    python -m tests.hostile replay eJyrVkpUslIqSCxKzVWyUlBQ...
    python -m tests.hostile replay --parser form build/fuzz/form/crash-da39a3ee

What breaks a promise of `promises.py` is printed with the command that sends it again, to a deployment
that is the same to the byte. With one seed, the same requests are sent; what libFuzzer makes depends
on what it reaches, too.
"""

import secrets
import sys
import time
from pathlib import Path

import click

import tests.conftest  # noqa: F401 (the settings of a test deployment)
from tests.hostile import coverage
from tests.hostile.parsers import PARSERS
from tests.hostile.promises import Sent, broken, invoke
from tests.hostile.runs import MAKERS, Run, requests
from tests.hostile.world import world

SHARES = {"described": 0.1, "events": 0.4, "large bodies": 0.001}
"""Of all requests. The rest are spoilt ones."""


@click.group()
def main() -> None:
    """Hostile input: send much of it, or one again."""


@main.command()
@click.option("--requests", "count", default=100_000, show_default=True, help="How many, in all.")
@click.option("--inputs", default=20_000, show_default=True, help="How many for each parser; 0 for none.")
@click.option("--minutes", default=120.0, show_default=True, help="When to send no more requests.")
@click.option("--seed", type=int, help="Drawn, unless you say one.")
def run(count: int, inputs: int, minutes: float, seed: int | None) -> None:
    """Send requests to every function, and have every parser read what libFuzzer makes."""
    seed = secrets.randbelow(1 << 32) if seed is None else seed
    click.echo(f"seed {seed}")
    kept = [_send(count, seed, time.monotonic() + minutes * 60), not inputs or _parse(inputs, seed)]
    sys.exit(0 if all(kept) else 1)


def _send(count: int, seed: int, until: float) -> bool:
    """Send requests, print what came of them, and tell whether every promise was kept."""
    counts = {kind: int(count * share) for kind, share in SHARES.items()}
    counts["spoilt"] = count - sum(counts.values())
    runs = [Run(kind, seed) for kind in MAKERS]
    for one in runs:
        with world() as deployment:
            one.send(deployment, requests(one.name, deployment, seed, counts[one.name]), until)
        click.echo(one.summary())
    total, seconds = sum(one.requests for one in runs), sum(one.seconds for one in runs)
    failures = sum(len(one.failures) for one in runs)
    click.echo(f"{total} requests in {seconds:.0f} s, seed {seed}: {failures} failures")
    return not failures


def _parse(inputs: int, seed: int) -> bool:
    """Fuzz each parser, print what came of it, and tell whether all do as they say."""
    try:
        library = coverage.install()
    except coverage.NoAtheris as error:
        click.echo(f"WARNING: the parsers were not fuzzed: {error}")
        return True
    outcomes = []
    for name in PARSERS:
        outcomes.append(coverage.fuzz(library, name, inputs, seed))
        click.echo(outcomes[-1].summary())
    total = sum(outcome.inputs for outcome in outcomes)
    click.echo(f"{total} inputs of {len(outcomes)} parsers, seed {seed}")
    return not any(outcome.failure for outcome in outcomes)


@main.command()
@click.option("--parser", type=click.Choice(sorted(PARSERS)), help="Whose input it is; else it is a request.")
@click.argument("what")
def replay(parser: str | None, what: str) -> None:
    """Send a request again, as it was printed; or have a parser read a file."""
    out = sys.stdout
    with world() as deployment:
        if parser:
            PARSERS[parser](deployment, Path(what).read_bytes())
            return
        sent = Sent.unpacked(what)
        outcome = invoke(deployment, sent)
        problems = broken(deployment, sent, outcome)
    click.echo(f"{sent}\n\n{outcome}\n", file=out)
    click.echo("\n".join(problems) or "It keeps every promise.", file=out)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
