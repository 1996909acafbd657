"""`manage.py tables`: for those who deploy with plain `chalice deploy`, or run locally."""

from typing import Any

import click

from chalicelib.catalogue import TABLES_CREATED
from chalicelib.journal import tell
from chalicelib.models.table import TTL_ATTRIBUTE, Table
from management import aws
from management.infrastructure.tables import TABLES, expires, table_definition
from management.options import confirmed, table_prefix_option, tables_option
from management.output import json_option, show_all
from management.stage_file import table_name

COLUMNS = ("table", "status", "items", "problems")


@click.group("tables")
def command() -> None:
    """Create, delete and look at the tables of a stage. CloudFormation has them in its template."""


@command.command()
@click.option("--if-missing", is_flag=True, help="Leave tables that exist as they are.")
@table_prefix_option("Give them another prefix.")
@click.pass_context
def create(ctx: click.Context, if_missing: bool, table_prefix: str) -> None:
    """Create the tables, with TTL and point-in-time recovery."""
    client = aws.dynamodb()
    created = []
    for kind, model in TABLES.items():
        name = table_name(table_prefix, kind)
        if if_missing and describe(client, name):
            click.echo(f"{name} is there")
            continue
        definition = table_definition(model, str(ctx.find_root().params["stage"]))
        client.create_table(**definition | {"TableName": name})
        client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
        set_up(client, name, model)
        click.echo(f"{name} created")
        created.append(name)
    if created:
        tell(TABLES_CREATED, tables=created)


@command.command()
@click.option(
    "--at",
    default="latest",
    show_default=True,
    metavar="TIME",
    help="ISO 8601, as 2026-01-31T12:00:00+00:00 (UTC unless it says otherwise); or `latest`.",
)
@table_prefix_option("The prefix of the tables that are made.", "--to-prefix", required=True)
@tables_option("Only this table; can be repeated.")
@json_option
@click.pass_context
def restore(ctx: click.Context, at: str, to_prefix: str, tables: tuple[str, ...], as_json: bool) -> None:
    """Make tables as those of this stage were, from their point-in-time recovery.

    They get another prefix; the tables of the stage stay as they are. DynamoDB restores rows, keys and
    indexes; this waits for it, and sets TTL, recovery, protection and tags, which it does not. It takes
    minutes to hours. Run the same command again if it was interrupted. What to do with the tables
    then: docs/operations.md.
    """
    from management import restoring

    stage = str(ctx.find_root().params["stage"])
    restoring.restore(stage, at, to_prefix, tables or tuple(TABLES))
    records = [record for record in statuses(stage, to_prefix) if not tables or record["kind"] in tables]
    show_all(records, COLUMNS, as_json)


@command.command()
@confirmed("Delete all tables, and everything in them?")
@table_prefix_option("Delete tables with another prefix, as those of `restore`.")
def delete(table_prefix: str) -> None:
    """Delete the tables and everything in them. Those of `prod` are protected from it."""
    client = aws.dynamodb()
    for kind in TABLES:
        name = table_name(table_prefix, kind)
        if describe(client, name) is None:
            click.echo(f"{name} is not there")
            continue
        client.delete_table(TableName=name)
        client.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
        click.echo(f"{name} deleted")


@command.command()
@table_prefix_option("Look at tables with another prefix.")
@json_option
@click.pass_context
def status(ctx: click.Context, table_prefix: str, as_json: bool) -> None:
    """Tell which tables are there, and whether they are as they should be."""
    records = statuses(str(ctx.find_root().params["stage"]), table_prefix)
    show_all(records, COLUMNS, as_json)


def statuses(stage: str, table_prefix: str = "") -> list[dict[str, Any]]:
    """Return how each table is, and what differs from what it should be.

    Args:
        stage: what the tables should be is its business.
        table_prefix: of the tables; that of the stage if it is empty.
    """
    client = aws.dynamodb()
    return [_status(client, kind, table_name(table_prefix, kind), stage) for kind in TABLES]


def set_up(client: Any, name: str, model: type[Table]) -> None:
    """Turn on what a table cannot be made with: TTL, and point-in-time recovery."""
    if expires(model):
        ttl = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]["TimeToLiveStatus"]
        if ttl not in ("ENABLED", "ENABLING"):  # Once more is an error.
            client.update_time_to_live(
                TableName=name,
                TimeToLiveSpecification={"AttributeName": TTL_ATTRIBUTE, "Enabled": True},
            )
    client.update_continuous_backups(
        TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )


def describe(client: Any, name: str) -> dict[str, Any] | None:
    """Return how DynamoDB describes a table; None if there is none."""
    try:
        description: dict[str, Any] = client.describe_table(TableName=name)["Table"]
        return description
    except client.exceptions.ResourceNotFoundException:
        return None


def _status(client: Any, kind: str, name: str, stage: str) -> dict[str, Any]:
    model = TABLES[kind]
    description = describe(client, name)
    if description is None:
        return {
            "kind": kind,
            "table": name,
            "status": "MISSING",
            "items": None,
            "ttl": None,
            "point_in_time_recovery": None,
            "problems": ["missing"],
            "as_expected": False,
        }
    ttl = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus")
    record = {
        "kind": kind,
        "table": name,
        "status": description["TableStatus"],
        "items": description["ItemCount"],
        "ttl": ttl["TimeToLiveStatus"] in ("ENABLED", "ENABLING"),
        "point_in_time_recovery": recovery == "ENABLED",
    }
    problems = _problems(record, description, model, stage)
    return record | {"problems": problems, "as_expected": not problems}


def _problems(
    record: dict[str, Any], description: dict[str, Any], model: type[Table], stage: str
) -> list[str]:
    """Return what differs from the definition."""
    wanted = table_definition(model, stage)
    checks = {
        "not active": description["TableStatus"] == "ACTIVE",
        "other keys": description["KeySchema"] == wanted["KeySchema"],
        "other indexes": _index_keys(description) == _index_keys(wanted),
        "no TTL": record["ttl"] == expires(model),
        "no point-in-time recovery": record["point_in_time_recovery"],
        "not protected from deletion": description.get("DeletionProtectionEnabled", False)
        >= wanted["DeletionProtectionEnabled"],
    }
    return [problem for problem, holds in checks.items() if not holds]


def _index_keys(table: dict[str, Any]) -> dict[str, Any]:
    return {index["IndexName"]: index["KeySchema"] for index in table.get("GlobalSecondaryIndexes", [])}
