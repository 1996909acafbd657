"""`manage.py tables`: for those who deploy with plain `chalice deploy`, or run locally."""

from typing import Any

import boto3
import click

from chalicelib.catalogue import TABLES_CREATED
from chalicelib.journal import tell
from chalicelib.models.table import TTL_ATTRIBUTE, Table, dynamodb
from management.infrastructure.tables import TABLES, expires, table_definition
from management.options import confirmed
from management.output import json_option, show_all


@click.group("tables")
def command() -> None:
    """Create, delete and look at the tables of a stage. CloudFormation has them in its template."""


@command.command()
@click.option("--if-missing", is_flag=True, help="Leave tables that exist as they are.")
@click.pass_context
def create(ctx: click.Context, if_missing: bool) -> None:
    """Create the tables, with TTL and point-in-time recovery."""
    client = _client()
    created = []
    for model in TABLES.values():
        definition = table_definition(model, str(ctx.find_root().params["stage"]))
        name = definition["TableName"]
        if if_missing and _describe(client, name):
            click.echo(f"{name} is there")
            continue
        client.create_table(**definition)
        client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
        if expires(model):
            client.update_time_to_live(
                TableName=name,
                TimeToLiveSpecification={"AttributeName": TTL_ATTRIBUTE, "Enabled": True},
            )
        client.update_continuous_backups(
            TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )
        click.echo(f"{name} created")
        created.append(name)
    if created:
        tell(TABLES_CREATED, tables=created)


@command.command()
@confirmed("Delete all five tables, and everything in them?")
def delete() -> None:
    """Delete the tables and everything in them. Those of `prod` are protected from it."""
    client = _client()
    for model in TABLES.values():
        name = model.Meta.table_name
        if _describe(client, name) is None:
            click.echo(f"{name} is not there")
            continue
        client.delete_table(TableName=name)
        client.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
        click.echo(f"{name} deleted")


@command.command()
@json_option
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Tell which tables are there, and whether they are as they should be."""
    records = statuses(str(ctx.find_root().params["stage"]))
    show_all(records, ["table", "status", "items", "problems"], as_json)


def statuses(stage: str) -> list[dict[str, Any]]:
    """Return how each table is, and what differs from what it should be."""
    client = _client()
    return [_status(client, model, stage) for model in TABLES.values()]


def _client() -> Any:
    return boto3.client("dynamodb", region_name=dynamodb.region, endpoint_url=dynamodb.host)


def _describe(client: Any, name: str) -> dict[str, Any] | None:
    try:
        description: dict[str, Any] = client.describe_table(TableName=name)["Table"]
        return description
    except client.exceptions.ResourceNotFoundException:
        return None


def _status(client: Any, model: type[Table], stage: str) -> dict[str, Any]:
    name = model.Meta.table_name
    description = _describe(client, name)
    if description is None:
        return {
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
