"""`manage.py tables`: for those who deploy with plain `chalice deploy`, or run locally."""

from typing import Any

import boto3
import click

from chalicelib.models.table import TTL_ATTRIBUTE, dynamodb
from management.infrastructure import TABLES, expires, table_definition
from management.options import confirmed
from management.output import json_option, show_all


@click.group("tables")
def command() -> None:
    """Create, delete and look at the tables of a stage. CloudFormation does so for `make deploy`."""


@command.command()
@click.option("--if-missing", is_flag=True, help="Leave tables that exist as they are.")
def create(if_missing: bool) -> None:
    """Create the tables, with TTL and point-in-time recovery."""
    client = _client()
    for model in TABLES.values():
        definition = table_definition(model)
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


@command.command()
@confirmed("Delete all four tables, and everything in them?")
def delete() -> None:
    """Delete the tables and everything in them."""
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
def status(as_json: bool) -> None:
    """Tell which tables are there, and whether they are as they should be."""
    client = _client()
    records = [_status(client, model.Meta.table_name, expires(model)) for model in TABLES.values()]
    show_all(records, ["table", "status", "items", "ttl", "as_expected"], as_json)


def _client() -> Any:
    return boto3.client("dynamodb", region_name=dynamodb.region, endpoint_url=dynamodb.host)


def _describe(client: Any, name: str) -> dict[str, Any] | None:
    try:
        description: dict[str, Any] = client.describe_table(TableName=name)["Table"]
        return description
    except client.exceptions.ResourceNotFoundException:
        return None


def _status(client: Any, name: str, should_expire: bool) -> dict[str, Any]:
    description = _describe(client, name)
    if description is None:
        return {"table": name, "status": "MISSING", "items": None, "ttl": None, "as_expected": False}
    ttl = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    expiring = ttl["TimeToLiveStatus"] in ("ENABLED", "ENABLING")
    return {
        "table": name,
        "status": description["TableStatus"],
        "items": description["ItemCount"],
        "ttl": ttl.get("AttributeName") if expiring else None,
        "as_expected": description["TableStatus"] == "ACTIVE" and expiring == should_expire,
    }
