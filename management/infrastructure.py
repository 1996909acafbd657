"""What a deployment consists of besides code: tables, policies, gateway responses.

All of it is derived from the models and the code; `manage.py template` and `manage.py tables`
render it.
"""

import json
from collections.abc import Callable
from email.utils import parseaddr
from typing import Any

from chalicelib.authorizer.challenges import ACCESS_DENIED, UNAUTHORIZED, Challenge
from chalicelib.models.client import Client
from chalicelib.models.grant import Grant
from chalicelib.models.session import SessionRow
from chalicelib.models.table import TTL_ATTRIBUTE, Table
from chalicelib.models.user import UserGrant, UserRow
from chalicelib.settings import settings

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
        "clients": [
            "dynamodb:BatchGetItem",
            "dynamodb:DeleteItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
        ],
        "users": [
            "dynamodb:BatchGetItem",
            "dynamodb:ConditionCheckItem",
            "dynamodb:DeleteItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Query",
        ],
        "grants": [
            "dynamodb:BatchGetItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
        ],
        "grants/index/by-client": ["dynamodb:Query"],
        "sessions": [
            "dynamodb:DeleteItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
        ],
    },
    "bearer": {"grants": ["dynamodb:GetItem"]},
}
"""What each function may do, on which tables and indexes. One that is not named here may do nothing."""

FUNCTIONS = {"api_handler": "APIHandler", "bearer": "Bearer"}
"""The functions, and what Chalice's template calls them."""

MAILER = "api_handler"
"""The function that sends mail, if it goes through SES."""

LOG_ACTIONS = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]


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
        "KeySchema": schema["key_schema"],
        "DeletionProtectionEnabled": stage == "prod",
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


def resources(stage: str, app_name: str) -> dict[str, Any]:
    """Return the CloudFormation resources to merge into Chalice's template.

    Args:
        stage: `prod` keeps its tables whatever happens to the stack.
        app_name: as in `.chalice/config.json`.
    """
    merged: dict[str, Any] = {
        _logical_id(kind, "Table"): _table_resource(model, stage) for kind, model in TABLES.items()
    }
    merged["UnauthorizedResponse"] = _gateway_response("UNAUTHORIZED", UNAUTHORIZED)
    merged["AccessDeniedResponse"] = _gateway_response("ACCESS_DENIED", ACCESS_DENIED)
    for function, logical_id in FUNCTIONS.items():
        name = function_name(function, stage, app_name)
        merged[logical_id] = {"Properties": {"FunctionName": name}}
        merged[_logical_id(function, "Role")] = {
            "Properties": {
                "Policies": [
                    {
                        "PolicyName": f"{name}-policy",
                        "PolicyDocument": _policy(function, name, _exact_table_arn, _exact_arn),
                    }
                ]
            }
        }
    return {"Resources": merged}


def policy(function: str, stage: str, app_name: str) -> dict[str, Any]:
    """Return the IAM policy of a function, as `chalice deploy` reads it from `.chalice/`.

    Region and account stay open there: a role reaches into its own account only, and the same
    file serves every region. The CloudFormation template, which knows them, is exact.
    """
    return _policy(
        function,
        function_name(function, stage, app_name),
        lambda target: f"arn:aws:dynamodb:*:*:table/{_full_name(target)}",
        lambda service, resource: f"arn:aws:{service}:*:*:{resource}",
    )


def function_name(function: str, stage: str, app_name: str) -> str:
    """Return the name under which Chalice deploys a function."""
    return f"{app_name}-{stage}" + ("" if function == "api_handler" else f"-{function}")


def _policy(
    function: str, name: str, table_arn: Callable[[str], Any], arn: Callable[[str, str], Any]
) -> dict[str, Any]:
    statements = [
        {"Effect": "Allow", "Action": actions, "Resource": [table_arn(target)]}
        for target, actions in PERMISSIONS[function].items()
    ]
    parameter = settings.upstream_secret_parameter
    if function == "api_handler" and parameter is not None:
        resource = arn("ssm", f"parameter/{parameter.lstrip('/')}")
        statements.append({"Effect": "Allow", "Action": ["ssm:GetParameter"], "Resource": [resource]})
    if function == MAILER and settings.mail == "ses":
        statements.append(_may_send_mail(arn))
    logs = arn("logs", f"log-group:/aws/lambda/{name}:*")
    statements.append({"Effect": "Allow", "Action": LOG_ACTIONS, "Resource": [logs]})
    return {"Version": "2012-10-17", "Statement": statements}


def _full_name(target: str) -> str:
    """Return the name of a table, or of a table and its index, as it is in an ARN."""
    kind, slash, index = target.partition("/")
    return f"{TABLES[kind].Meta.table_name}{slash}{index}"


def _may_send_mail(arn: Callable[[str, str], Any]) -> dict[str, Any]:
    """Allow mail from the one address, which SES knows by itself or by its domain."""
    _, address = parseaddr(settings.mail_from)
    _, _, domain = address.partition("@")
    return {
        "Effect": "Allow",
        "Action": ["ses:SendEmail"],
        "Resource": [arn("ses", f"identity/{identity}") for identity in (address, domain)],
        "Condition": {"StringEquals": {"ses:FromAddress": address}},
    }


def _exact_table_arn(target: str) -> dict[str, Any]:
    kind, slash, index = target.partition("/")
    table = _logical_id(kind, "Table")
    return {"Fn::Sub": f"${{{table}.Arn}}/{index}"} if slash else {"Fn::GetAtt": [table, "Arn"]}


def _exact_arn(service: str, resource: str) -> dict[str, str]:
    account = f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}"
    return {"Fn::Sub": f"{account}:{resource}"}


def _logical_id(name: str, suffix: str) -> str:
    return "".join(part.capitalize() for part in name.split("_")) + suffix


def _table_resource(model: type[Table], stage: str) -> dict[str, Any]:
    properties = table_definition(model, stage) | {
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}
    }
    if expires(model):
        properties["TimeToLiveSpecification"] = {"AttributeName": TTL_ATTRIBUTE, "Enabled": True}
    retention = "Retain" if stage == "prod" else "Delete"
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
                "gatewayresponse.header.Access-Control-Allow-Origin": "'*'",
            },
            "ResponseTemplates": {"application/json": json.dumps(json.loads(challenge.body))},
        },
    }
