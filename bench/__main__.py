"""Measures all sections and writes the report: `python -m bench [--quick] [section ...]`."""

import importlib
import json
import os
import platform
import re
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import click

from bench.report import Claim, Section, table
from tests.stack import ministack

FOLDER = Path(__file__).parent

ORDER = ("round_trips", "cpu", "cold_start", "memory", "load", "scale", "cost")
"""The sections, as the report has them. `cost` reads what the others found."""

IN_TESTS = "Its counts, and rough bounds of its ratios, are asserted by `make test` (`tests/bench`)."
MEASURED_WITH = ("chalice", "pynamodb", "botocore", "urllib3", "moto")


@click.command()
@click.option(
    "--quick", is_flag=True, help="Counts and rough ratios alone, in half a minute; writes no report."
)
@click.argument("names", nargs=-1, metavar="[SECTION]...")
def main(quick: bool, names: Sequence[str]) -> None:
    """Measure, and exit with 1 if --quick finds that something is far from what is claimed."""
    found: dict[str, Section] = {}
    conditions, began = _conditions(), time.monotonic()
    for name in names or ORDER:
        started = time.monotonic()
        module = importlib.import_module(f"bench.sections.{name}")
        found[name] = module.measure(quick, found)
        click.echo(f"{name}: {time.monotonic() - started:.0f} s", err=True)
        for claim in found[name].claims:
            click.echo(f"  {_line(claim)}", err=True)
    claims = [claim for section in found.values() for claim in section.claims]
    if not quick and not names:
        minutes = (time.monotonic() - began) / 60
        _write(found, claims, f"{conditions} `make bench` took {minutes:.1f} minutes. {IN_TESTS}")
    if quick and not all(claim.holds for claim in claims):
        sys.exit(1)


def _line(claim: Claim) -> str:
    verdict = "ok    " if claim.holds else "MISSED"
    return f"{verdict} {claim.name}: {claim.value:.3g} {claim.unit} (at most {claim.at_most:.3g})"


def _conditions() -> str:
    """Return with what it is measured, on which machine, and how busy that was just before."""
    versions = ", ".join(f"{name} {version(name)}" for name in MEASURED_WITH)
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    busy = os.getloadavg()[0]
    return (
        f"Measured on {time.strftime('%Y-%m-%d')} with Python {platform.python_version()}, {versions}, and "
        f"MiniStack {ministack.version()}; peers' versions are below. The machine: {os.cpu_count()} "
        f"processors ({_processor()}), {gigabytes:.0f} GB, {platform.system()} on {platform.machine()}; in "
        f"the minute before, {busy:.1f} of them were busy with other things."
    )


def _processor() -> str:
    """Return the model of the processors, if the system tells."""
    with suppress(OSError):
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        if found:
            return found[1]
    return platform.processor() or "of unknown make"


def _write(found: dict[str, Section], claims: Sequence[Claim], conditions: str) -> None:
    from bench import charts

    summary = table(
        ("claim", "measured", "at most", "verdict", "why"),
        [
            (c.name, c.value, c.at_most, "holds" if c.holds else "missed", c.because if not c.holds else "")
            for c in claims
        ],
    )
    parts = ["# Report", conditions, summary]
    for section in found.values():
        parts += [f"## {section.title}", section.text.strip()]
        parts += [f"![{chart.title}](charts/{chart.file})" for chart in section.charts]
        for chart in section.charts:
            charts.draw(chart, FOLDER / "charts")
    (FOLDER / "report.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    numbers = {name: section.data for name, section in found.items()}
    (FOLDER / "report.json").write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
