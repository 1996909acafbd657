"""`make soak`: everything at once for half an hour, with faults, against a model of what must be true.

    python -m tests.soak --minutes 30 --seed 1 --json

Needs no network once MiniStack is installed. The exit code is 1 if something was wrong.
"""

import os
import secrets
import sys

import click

from tests.soak.soak import Summary, soaking

EVERY = {True: 5.0, False: 30.0}
"""Seconds between two lines, on a terminal and elsewhere."""
SHOWN = 20
"""Violations."""


@click.command()
@click.option(
    "--minutes", type=click.FloatRange(0.5), default=30, show_default=True, help="How long, less setting up."
)
@click.option(
    "--seed", help="Of all dice; what happens at once comes in another order still.  [default: random]"
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def main(minutes: float, seed: str | None, as_json: bool) -> None:
    """Deploy a stage to MiniStack, and let users, applications, thieves and operators use it at once.

    Meanwhile DynamoDB fails, answers get lost, processes are killed and the stage is deployed anew. A model
    knows which tokens must work and which must not.
    """
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")  # Chalice wants to know it, to make the package.
    seed = seed or secrets.token_hex(4)
    click.echo(f"Seed {seed}, {minutes:g} minutes. Setting up", err=True)
    with soaking(seed, minutes * 60) as soak:
        summary = soak.run(lambda line: click.echo(line, err=True), EVERY[sys.stderr.isatty()])
    click.echo(summary.json() if as_json else described(summary))
    sys.exit(1 if summary.violations else 0)


def described(summary: Summary) -> str:
    """Return a summary for people."""
    lines = [
        f"Seed {summary.seed}: {summary.seconds:,.0f} s, {summary.requests:,} requests to the stage and to"
        f" manage.py, {summary.dynamodb_requests:,} to DynamoDB",
        f"{summary.grants:,} grants, {summary.tokens:,} tokens told",
        "",
        "Operations",
        *(f"  {name:<30} {_counts(outcomes)}" for name, outcomes in summary.operations.items()),
        "",
        "Faults",
        *(f"  {name:<40} {number:>6,}" for name, number in summary.faults.items()),
        "",
        f"Looks at tokens: {_counts(summary.looks)}",
        *(f"  either, since: {why:<50} {number:>6,}" for why, number in summary.either.items()),
        f"The last look: {summary.final}",
        "",
        f"Violations: {len(summary.violations)}",
    ]
    for violation in summary.violations[:SHOWN]:
        lines += [f"  after {violation.seconds} s, grant {violation.grant_id}: {violation.what}"]
        lines += [f"      {line}" for line in violation.history]
    return "\n".join(lines)


def _counts(outcomes: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {outcome}" for outcome, number in sorted(outcomes.items()))


if __name__ == "__main__":
    main()
