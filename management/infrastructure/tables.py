"""The tables, as the models describe them."""

from collections.abc import Iterable
from typing import Any

from chalicelib.models.audit import AuditRecord
from chalicelib.models.client import Client
from chalicelib.models.grant import Grant
from chalicelib.models.session import SessionRow
from chalicelib.models.table import TTL_ATTRIBUTE, Table
from chalicelib.models.user import UserGrant, UserRow
from management import stage as stages
from management.infrastructure.names import logical_id
from management.stage_settings import StageSettings

TABLES: dict[str, type[Table]] = {
    "clients": Client,
    "users": UserRow,
    "grants": Grant,
    "sessions": SessionRow,
    "audit": AuditRecord,
}

EXPIRING = (UserGrant, Grant, SessionRow, AuditRecord)
"""Models with rows that DynamoDB deletes when they are over."""


def table_definition(model: type[Table], stage: str = "") -> dict[str, Any]:
    """Return the arguments of `CreateTable`, which CloudFormation names alike.

    Args:
        model: of the table's rows.
        stage: `prod` protects its tables from being deleted.
    """
    schema = model._get_schema()
    definition: dict[str, Any] = {
        "TableName": model.Meta.table_name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": schema["attribute_definitions"],
        "KeySchema": _keys(schema["key_schema"]),
        "DeletionProtectionEnabled": stages.is_prod(stage),
    }
    indexes = [
        {
            "IndexName": index["index_name"],
            "KeySchema": _keys(index["key_schema"]),
            "Projection": index["projection"],
        }
        for index in schema["global_secondary_indexes"]
    ]
    if indexes:
        definition["GlobalSecondaryIndexes"] = indexes
    return definition


def _keys(schema: Iterable[Any]) -> list[Any]:
    """Put the hash key first, which AWS insists on; pynamodb takes the attributes by name."""
    return sorted(schema, key=lambda key: key["KeyType"] != "HASH")


def expires(model: type[Table]) -> bool:
    """Tell whether a table has rows that expire."""
    return any(issubclass(row, model) for row in EXPIRING)


def resources(stage: StageSettings) -> dict[str, Any]:
    """Return the tables, by their logical ids."""
    return {logical_id(kind, "Table"): _table_resource(model, stage) for kind, model in TABLES.items()}


def _table_resource(model: type[Table], stage: StageSettings) -> dict[str, Any]:
    properties = table_definition(model, stage.name) | {
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}
    }
    if expires(model):
        properties["TimeToLiveSpecification"] = {"AttributeName": TTL_ATTRIBUTE, "Enabled": True}
    retention = "Retain" if stage.is_prod else "Delete"
    return {
        "Type": "AWS::DynamoDB::Table",
        "DeletionPolicy": retention,
        "UpdateReplacePolicy": retention,
        "Properties": properties,
    }
