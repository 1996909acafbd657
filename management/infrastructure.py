"""What a deployment consists of besides code: tables, policies, gateway responses.

All of it is derived from the models and the code; `manage.py template` and `manage.py tables`
render it.
"""

import json
from typing import Any

from chalicelib.authorizer.challenges import ACCESS_DENIED, UNAUTHORIZED, Challenge
from chalicelib.models.client import Client
from chalicelib.models.grant import Grant
from chalicelib.models.session import SessionRow
from chalicelib.models.table import TTL_ATTRIBUTE, Table
from chalicelib.models.user import UserGrant, UserRow

TABLES: dict[str, type[Table]] = {
    "clients": Client,
    "users": UserRow,
    "grants": Grant,
    "sessions": SessionRow,
}

EXPIRING = (UserGrant, Grant, SessionRow)
"""Models with rows that DynamoDB deletes when they are over."""

PERMISSIONS = {
    "api_handler": {
        "clients": ["dynamodb:GetItem"],
        "users": ["dynamodb:ConditionCheckItem", "dynamodb:GetItem", "dynamodb:PutItem"],
        "grants": ["dynamodb:GetItem", "dynamodb:PutItem"],
        "sessions": ["dynamodb:GetItem", "dynamodb:PutItem"],
    },
    "bearer": {"grants": ["dynamodb:GetItem"]},
}
"""What each function may do. A function that is not named here may do nothing."""


def table_definition(model: type[Table]) -> dict[str, Any]:
    """Return the arguments of `CreateTable`, which CloudFormation names alike."""
    schema = model._get_schema()
    definition: dict[str, Any] = {
        "TableName": model.Meta.table_name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": schema["attribute_definitions"],
        "KeySchema": schema["key_schema"],
    }
    indexes = [
        {
            "IndexName": index["index_name"],
            "KeySchema": index["key_schema"],
            "Projection": index["projection"],
        }
        for index in schema["global_secondary_indexes"]
    ]
    if indexes:
        definition["GlobalSecondaryIndexes"] = indexes
    return definition


def expires(model: type[Table]) -> bool:
    """Tell whether a table has rows that expire."""
    return any(issubclass(row, model) for row in EXPIRING)


def resources(stage: str) -> dict[str, Any]:
    """Return the CloudFormation resources to merge into Chalice's template.

    Args:
        stage: `prod` keeps its tables whatever happens to the stack.
    """
    merged: dict[str, Any] = {
        f"{kind.capitalize()}Table": _table_resource(model, keep=stage == "prod")
        for kind, model in TABLES.items()
    }
    merged["UnauthorizedResponse"] = _gateway_response("UNAUTHORIZED", UNAUTHORIZED)
    merged["AccessDeniedResponse"] = _gateway_response("ACCESS_DENIED", ACCESS_DENIED)
    return {"Resources": merged}


def policy(function: str, stage: str, app_name: str) -> dict[str, Any]:
    """Return the IAM policy of a function, as `chalice deploy` reads it from `.chalice/`.

    Region and account stay open: a role reaches into its own account only, and the same file
    serves every region.
    """
    statements = [
        {
            "Effect": "Allow",
            "Action": actions,
            "Resource": [f"arn:aws:dynamodb:*:*:table/{TABLES[kind].Meta.table_name}"],
        }
        for kind, actions in PERMISSIONS[function].items()
    ]
    statements.append(
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": [f"arn:aws:logs:*:*:log-group:/aws/lambda/{app_name}-{stage}*"],
        }
    )
    return {"Version": "2012-10-17", "Statement": statements}


def _table_resource(model: type[Table], keep: bool) -> dict[str, Any]:
    properties = table_definition(model) | {
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "DeletionProtectionEnabled": keep,
    }
    if expires(model):
        properties["TimeToLiveSpecification"] = {"AttributeName": TTL_ATTRIBUTE, "Enabled": True}
    retention = "Retain" if keep else "Delete"
    return {
        "Type": "AWS::DynamoDB::Table",
        "DeletionPolicy": retention,
        "UpdateReplacePolicy": retention,
        "Properties": properties,
    }


def _gateway_response(response_type: str, challenge: Challenge) -> dict[str, Any]:
    return {
        "Type": "AWS::ApiGateway::GatewayResponse",
        "Properties": {
            "RestApiId": {"Ref": "RestAPI"},
            "ResponseType": response_type,
            "StatusCode": str(challenge.status),
            "ResponseParameters": {
                "gatewayresponse.header.WWW-Authenticate": f"'{challenge.header}'",
                "gatewayresponse.header.Cache-Control": "'no-store'",
            },
            "ResponseTemplates": {"application/json": json.dumps(json.loads(challenge.body))},
        },
    }
