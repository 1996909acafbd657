"""`manage.py status`: the tables and the settings of a stage, and what is insecure about them."""

import json
import os
from collections.abc import Mapping
from dataclasses import Field, asdict, fields
from typing import Any

import click

from chalicelib.settings import DAY, HOUR, MINUTE, settings
from management import findings, tables
from management import stage as stages
from management.findings import Level
from management.output import json_option, show_all

LONGEST = 60
"""Characters of a value in a table."""

_UNITS = ((DAY, "d"), (HOUR, "h"), (MINUTE, "m"))


@click.command("status")
@click.option("--check", is_flag=True, help="Exit with 1 if something is insecure.")
@json_option
@click.pass_context
def command(ctx: click.Context, check: bool, as_json: bool) -> None:
    """Tell how the tables are, what is set, and what is insecure about it.

    Counts of rows are DynamoDB's own, which are some hours old. "insecure" is what should not stay so
    where it matters; "note" is what somebody may have chosen, and should know the price of.
    """
    stage = str(ctx.find_root().params["stage"])
    statuses, values = tables.statuses(stage), _settings(stage)
    sources = {value["setting"]: value["source"] for value in values}
    found = [
        *findings.of_tables(statuses),
        *findings.of_settings(vars(settings), stage),
        *(findings.of_sources(sources) if stage != "local" else ()),
    ]
    found.sort(key=lambda finding: finding.level != Level.INSECURE)
    if as_json:
        described = [asdict(finding) for finding in found]
        click.echo(
            json.dumps(
                {"stage": stage, "tables": statuses, "settings": values, "findings": described}, indent=2
            )
        )
    else:
        _show(statuses, values, [vars(finding) for finding in found])
    if check and any(finding.level is Level.INSECURE for finding in found):
        ctx.exit(1)


def _show(statuses: list[dict[str, Any]], values: list[dict[str, Any]], found: list[dict[str, Any]]) -> None:
    show_all(statuses, ["table", "status", "items", "ttl", "point_in_time_recovery", "problems"], False)
    click.echo()
    show_all(
        [value | {"value": _short(value["value"])} for value in values], ["setting", "value", "source"], False
    )
    click.echo()
    for finding in found:
        click.echo(f"{finding['level']}: {finding['about']}: {finding['sentence']}.")
    if not found:
        click.echo("There is nothing to say against it.")


def _settings(stage: str) -> list[dict[str, Any]]:
    given = stages.stages()[stage].get("environment_variables", {})
    return [
        {
            "setting": (variable := f"OAUTH_{setting.name.upper()}"),
            "value": _value(setting),
            "source": _source(variable, given),
        }
        for setting in fields(settings)
    ]


def _value(setting: "Field[Any]") -> Any:
    """Return what is set, less what is secret."""
    value = getattr(settings, setting.name)
    if setting.metadata.get("secret"):
        return "(set)" if value else ""
    return dict(value) if isinstance(value, Mapping) else value


def _source(variable: str, given: Mapping[str, str]) -> str:
    if given.get(variable):
        return "config.json"
    return "this shell" if os.environ.get(variable) else "default"


def _short(value: Any) -> Any:
    """Return a value as people read it; whole numbers are seconds, all of them."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        unit = next(((size, name) for size, name in _UNITS if value and value % size == 0), (1, "s"))
        return f"{value // unit[0]} {unit[1]}"
    text = ", ".join(value) if isinstance(value, dict) else str(value)
    return (text if len(text) <= LONGEST else f"{text[:LONGEST]}...") or None
