"""Kinds of options."""

import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from chalicelib.settings import TABLE_PREFIX, TABLE_PREFIX_EXPECTED, settings
from management.infrastructure.tables import TABLES

Command = TypeVar("Command", bound=Callable[..., Any])

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def moment(text: str) -> datetime:
    """Read a point in time in ISO 8601; without an offset it is UTC.

    Raises:
        ValueError: it is none.
    """
    read = datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


class Duration(click.ParamType[int]):
    """A time span, as `90`, `30m`, `24h` or `7d`; in seconds."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it."""
        if isinstance(value, int):
            return value
        matched = re.fullmatch(r"([0-9]{1,9})([smhd]?)", str(value))
        if matched is None:
            self.fail("expected a time as 90 (seconds), 30m, 24h or 7d", param, ctx)
        return int(matched[1]) * _UNITS[matched[2]]


DURATION = Duration()


def confirmed(question: str) -> Callable[[Command], Command]:
    """Ask before a command goes on, if somebody is there to answer: scripts are taken at their word."""

    def ask(ctx: click.Context, param: click.Parameter, yes: bool) -> None:
        if not yes and sys.stdin.isatty():
            click.confirm(question, abort=True)

    return click.option(
        "--yes", is_flag=True, expose_value=False, callback=ask, help="Do not ask at the terminal."
    )


def table_prefix_option(
    help_text: str, name: str = "--table-prefix", **more: Any
) -> Callable[[Command], Command]:
    """Take the prefix of tables: by default that of the stage."""

    def check(ctx: click.Context, param: click.Parameter, prefix: str | None) -> str:
        if prefix is not None and not re.fullmatch(TABLE_PREFIX, prefix):
            raise click.BadParameter(f"expected {TABLE_PREFIX_EXPECTED}")
        return prefix or settings.table_prefix

    return click.option(name, callback=check, metavar="PREFIX", help=help_text, **more)


def tables_option(help_text: str) -> Callable[[Command], Command]:
    """Take the names of tables, without their prefix: by default all."""
    return click.option("--table", "tables", multiple=True, type=click.Choice(list(TABLES)), help=help_text)
