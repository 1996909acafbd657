"""How commands print: tables for people, JSON for scripts."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def say(text: str) -> None:
    """Tell how far it is, on standard error: standard output is for the outcome."""
    click.echo(text, err=True)


def show(record: Mapping[str, Any], as_json: bool, *, err: bool = False) -> None:
    """Print one record; on standard error if standard output has something else."""
    if as_json:
        click.echo(json.dumps(record, indent=2), err=err)
        return
    width = max(map(len, record))
    for name, value in record.items():
        click.echo(f"{name:<{width}}  {_text(value)}", err=err)


def show_all(records: Sequence[Mapping[str, Any]], columns: Sequence[str], as_json: bool) -> None:
    """Print many records: all of them as JSON, or the columns as a table."""
    if as_json:
        click.echo(json.dumps(records, indent=2))
        return
    rows = [list(columns), *([_text(record[column]) for column in columns] for record in records)]
    widths = [max(len(row[index]) for row in rows) for index in range(len(columns))]
    for row in rows:
        click.echo(_line(row, widths))


def show_stream(records: Iterable[Mapping[str, Any]], columns: Mapping[str, int], as_json: bool) -> None:
    """Print as many records as there are, each when it is known.

    Args:
        records: what to print.
        columns: of the table, and how wide they are at least.
        as_json: print an array, with one record on each line.
    """
    if as_json:
        click.echo("[", nl=False)
        for number, record in enumerate(records):
            click.echo(f"{',' if number else ''}\n  {json.dumps(record)}", nl=False)
        click.echo("\n]")
        return
    click.echo(_line(columns, columns.values()))
    for record in records:
        click.echo(_line([_text(record[column]) for column in columns], columns.values()))


def _line(cells: Iterable[str], widths: Iterable[int]) -> str:
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


def when(epoch_seconds: int | None) -> str | None:
    """Return a time as ISO 8601, in UTC."""
    return datetime.fromtimestamp(epoch_seconds, UTC).isoformat() if epoch_seconds is not None else None


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return (", ".join(map(str, value)) or "-") if isinstance(value, list) else str(value)
