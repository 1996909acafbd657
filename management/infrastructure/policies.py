"""What each function may do, and nothing else."""

from collections.abc import Callable
from email.utils import parseaddr
from typing import Any

from chalicelib.settings import settings
from management.infrastructure.names import logical_id
from management.infrastructure.tables import TABLES
from management.stage_settings import StageSettings

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
        "audit": ["dynamodb:PutItem"],
    },
    "bearer": {"grants": ["dynamodb:GetItem"]},
    "authorizer": {"grants": ["dynamodb:GetItem"]},
}
"""What each function may do, on which tables and indexes. One that is not named here may do nothing."""

FUNCTIONS = {"api_handler": "APIHandler", "bearer": "Bearer", "authorizer": "Authorizer"}
"""The functions, and what Chalice's template calls them."""

MAILER = "api_handler"
"""The function that sends mail, if it goes through SES."""

LOG_ACTIONS = ["logs:CreateLogStream", "logs:PutLogEvents"]

TRACE_ACTIONS = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
"""They have no resource: AWS allows them on all or on none."""


def resources(stage: StageSettings) -> dict[str, Any]:
    """Return the roles of the functions, by their logical ids, to merge into Chalice's."""
    return {
        logical_id(function, "Role"): {
            "Properties": {
                "Policies": [
                    {
                        "PolicyName": f"{stage.function_name(function)}-policy",
                        "PolicyDocument": _policy(function, stage, LOG_ACTIONS, _exact_table_arn, exact_arn),
                    }
                ]
            }
        }
        for function in FUNCTIONS
    }


def policy(function: str, stage: StageSettings) -> dict[str, Any]:
    """Return the IAM policy of a function, as `chalice deploy` reads it from `.chalice/`.

    Region and account stay open there: a role reaches into its own account only, and the same
    file serves every region. The CloudFormation template, which knows them, is exact. It makes the
    log groups as well; here a function has to.
    """
    return _policy(
        function,
        stage,
        ["logs:CreateLogGroup", *LOG_ACTIONS],
        lambda target: f"arn:aws:dynamodb:*:*:table/{_full_name(target)}",
        lambda service, resource: f"arn:aws:{service}:*:*:{resource}",
    )


def _policy(
    function: str,
    stage: StageSettings,
    log_actions: list[str],
    table_arn: Callable[[str], Any],
    arn: Callable[[str, str], Any],
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
    if stage.xray:
        statements.append({"Effect": "Allow", "Action": TRACE_ACTIONS, "Resource": ["*"]})
    logs = arn("logs", f"log-group:{stage.log_group(function)}:*")
    statements.append({"Effect": "Allow", "Action": log_actions, "Resource": [logs]})
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
    table = logical_id(kind, "Table")
    return {"Fn::Sub": f"${{{table}.Arn}}/{index}"} if slash else {"Fn::GetAtt": [table, "Arn"]}


def exact_arn(service: str, resource: str) -> dict[str, str]:
    """Return the ARN of something in the stack's own account and region."""
    account = f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}"
    return {"Fn::Sub": f"{account}:{resource}"}
