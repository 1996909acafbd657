"""How long commands tell how far they are: on stderr, so that what they print stays clean."""

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

import click

Item = TypeVar("Item")

INTERVAL = 10
"""Seconds between two lines, where nobody sees a bar."""


def progress(items: Sequence[Item], label: str) -> Iterator[Item]:
    """Yield the items, and show a bar at a terminal, or tell a line now and then without one."""
    if sys.stderr.isatty():
        with click.progressbar(items, label=label, file=sys.stderr, show_pos=True) as bar:
            yield from bar
        return
    told = time.monotonic()
    for done, item in enumerate(items):
        if time.monotonic() - told >= INTERVAL:
            click.echo(f"{label}: {done} of {len(items)}", err=True)
            told = time.monotonic()
        yield item
