"""Taking over what an earlier deployment left: tables, which stay on purpose, and logs, which just do.

A stack cannot make what is there already. CloudFormation imports it instead, as a change of its own
before the first one.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from management import infrastructure
from management.account import Account
from management.output import say
from management.stage_settings import StageSettings

TABLE, LOG_GROUP = "AWS::DynamoDB::Table", "AWS::Logs::LogGroup"

NAMED_BY = {TABLE: "TableName", LOG_GROUP: "LogGroupName"}
"""The property that names a resource, of those kinds that can be there before the stack."""


def orphans(account: Account, settings: StageSettings) -> dict[str, dict[str, Any]]:
    """Return what the template would make and is there already, by its logical ids, for an import."""
    wanted = {
        logical_id: resource
        for logical_id, resource in infrastructure.template(settings)["Resources"].items()
        if resource.get("Type") in NAMED_BY
    }
    there = set(_tables(account)) | set(_log_groups(account, map(_name, wanted.values())))
    found = {
        # A resource can be taken over only with a policy that says what becomes of it.
        logical_id: {"DeletionPolicy": "Delete"} | resource
        for logical_id, resource in wanted.items()
        if _name(resource) in there
    }
    if settings.event_bus:
        for resource in found.values():
            if resource["Type"] == TABLE:
                _note_stream(account, resource["Properties"])
    if found:
        say(f"There are, of an earlier deployment: {', '.join(sorted(map(_name, found.values())))}")
    return found


def to_import(resources: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the resources as a change set names them (`ResourcesToImport`)."""
    return [
        {
            "ResourceType": resource["Type"],
            "LogicalResourceId": logical_id,
            "ResourceIdentifier": {NAMED_BY[resource["Type"]]: _name(resource)},
        }
        for logical_id, resource in resources.items()
    ]


def _name(resource: Mapping[str, Any]) -> str:
    return str(resource["Properties"][NAMED_BY[resource["Type"]]])


def _tables(account: Account) -> list[str]:
    pages = account.client("dynamodb").get_paginator("list_tables").paginate()
    return [name for page in pages for name in page["TableNames"]]


def _log_groups(account: Account, names: Iterable[str]) -> list[str]:
    logs = account.client("logs")
    return [
        group["logGroupName"]
        for name in names
        if name.startswith("/")
        for group in logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    ]


def _note_stream(account: Account, table: dict[str, Any]) -> None:
    """Say of a table that it has a stream, if it has: the next change could not give it a second one."""
    found = account.client("dynamodb").describe_table(TableName=table["TableName"])["Table"]
    stream = found.get("StreamSpecification", {})
    if stream.get("StreamEnabled"):
        table["StreamSpecification"] = {"StreamViewType": stream["StreamViewType"]}
    else:
        table.pop("StreamSpecification", None)
