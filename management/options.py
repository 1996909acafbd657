"""Kinds of options."""

import re

import click

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


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
