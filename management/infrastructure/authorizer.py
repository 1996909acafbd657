"""The authorizer of other stacks' APIs: where they find it, and that their gateways may call it."""

from typing import Any

from management.infrastructure import functions
from management.stage_settings import StageSettings

_AUTHORIZERS = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:*/authorizers/*"
"""Those of all APIs in this account and region."""


def resources(stage: StageSettings) -> dict[str, Any]:
    """Return the parameter with its ARN, and the permission, by their logical ids."""
    return {
        "AuthorizerArnParameter": {
            "Type": "AWS::SSM::Parameter",
            "Properties": {
                "Name": parameter(stage),
                "Description": "The Lambda authorizer for any API of this account",
                "Type": "String",
                "Value": functions.arn("authorizer"),
            },
        },
        "AuthorizerPermission": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "FunctionName": functions.arn("authorizer"),
                "Action": "lambda:InvokeFunction",
                "Principal": "apigateway.amazonaws.com",
                "SourceArn": {"Fn::Sub": _AUTHORIZERS},
            },
        },
    }


def parameter(stage: StageSettings) -> str:
    """Return the name of the parameter of Systems Manager that holds the ARN."""
    return f"/{stage.app_name}/{stage.name}/authorizer-arn"
