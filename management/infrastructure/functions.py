"""The functions: what is said of them beyond what Chalice knows, and their logs."""

import sys
from typing import Any

from management import stage as stages
from management.infrastructure.names import logical_id
from management.infrastructure.policies import FUNCTIONS
from management.stage_settings import StageError, StageSettings

ALIAS = "live"
"""What the version of a function is called that answers.

Code and environment of a function change one after the other. A version has both, and the alias
goes from one to the next at once, while the requests that the old one has are answered by it.
"""

LAYER_FILE = "layer.zip"

PYTHON = sys.version_info[:2]
"""Of the functions, too: their bytecode is made by this one."""
SNAP_START_SINCE = (3, 12)

SIGNERS = ("api_handler",)
"""The functions that check signatures."""


def resources(stage: StageSettings) -> dict[str, Any]:
    """Return the functions, their log groups and their layer, to merge into Chalice's.

    Raises:
        StageError: there is no function of a name, or it cannot start as the stage says.
    """
    _check_how_they_start(stage)
    merged: dict[str, Any] = {}
    for function, function_id in FUNCTIONS.items():
        group_id = logical_id(function, "LogGroup")
        merged[function_id] = {
            # The group comes first: a function has no right to make its own, which would last for ever.
            "DependsOn": [group_id],
            "Properties": {
                "FunctionName": stage.function_name(function),
                **_environment(stage),
                "AutoPublishAlias": ALIAS,
                # A changed setting makes a new version too, or it would never take effect.
                "AutoPublishAliasAllProperties": True,
                **_start(function, stage),
            },
        }
        merged[group_id] = log_group(stage.log_group(function), stage)
        merged[f"{function_id}AliasInvokePermission"] = _gateway_may_invoke_alias(function)
    for function in SIGNERS:
        merged[FUNCTIONS[function]]["Properties"]["Layers"] = [{"Ref": "SignaturesLayer"}]
    return merged | {"SignaturesLayer": _layer(stage)}


def arn(function: str) -> dict[str, Any]:
    """Return what to invoke: the version that answers."""
    return {"Ref": f"{FUNCTIONS[function]}.Alias"}


def _environment(stage: StageSettings) -> dict[str, Any]:
    issuer = stages.default_issuer(stage.name)
    return {"Environment": {"Variables": {"OAUTH_ISSUER": issuer}}} if issuer else {}


def _check_how_they_start(stage: StageSettings) -> None:
    for entry in ("provisioned_concurrency", "snap_start"):
        unknown = sorted(set(getattr(stage, entry)) - set(FUNCTIONS))
        if unknown:
            raise StageError(f"{entry}: there is no {', '.join(unknown)}, but {', '.join(FUNCTIONS)}")
    both = sorted(set(stage.snap_start) & set(stage.provisioned_concurrency))
    if both:
        raise StageError(f"snap_start: {', '.join(both)} has provisioned_concurrency, and Lambda takes one")
    if stage.snap_start and PYTHON < SNAP_START_SINCE:
        raise StageError("snap_start: Lambda has it for Python 3.12 or later; deploy with such a Python")


def _start(function: str, stage: StageSettings) -> dict[str, Any]:
    if function in stage.snap_start:
        return {"SnapStart": {"ApplyOn": "PublishedVersions"}}
    instances = stage.provisioned_concurrency.get(function)
    if instances is None:
        return {}
    return {"ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": instances}}


def _gateway_may_invoke_alias(function: str) -> dict[str, Any]:
    """Allow it beside what Chalice allows, which is to invoke the function without a version."""
    return {
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "FunctionName": {"Ref": f"{FUNCTIONS[function]}.Alias"},
            "Action": "lambda:InvokeFunction",
            "Principal": "apigateway.amazonaws.com",
            "SourceArn": {
                "Fn::Sub": "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${RestAPI}/*"
            },
        },
    }


def log_group(name: str, stage: StageSettings) -> dict[str, Any]:
    """Return a log group that forgets when the stage says so."""
    return {
        "Type": "AWS::Logs::LogGroup",
        "Properties": {"LogGroupName": name, "RetentionInDays": stage.log_retention_in_days},
    }


def _layer(stage: StageSettings) -> dict[str, Any]:
    """Return the layer with the package `cryptography`, which is larger than all the rest together."""
    return {
        "Type": "AWS::Serverless::LayerVersion",
        "Properties": {
            "LayerName": f"{stage.stack_name}-signatures",
            "ContentUri": f"./{LAYER_FILE}",
            "CompatibleArchitectures": [stage.lambda_architecture],
            "RetentionPolicy": "Delete",
        },
    }
