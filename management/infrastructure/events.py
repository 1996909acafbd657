"""Events for the platform: streams of two tables, the publisher, and the bus that it tells.

Only if the stage has an `event_bus`. The function is defined here and not by Chalice, whose
decorator wants the ARN of a stream before there is one.
"""

import json
import sys
from typing import Any

from chalicelib.models.client import Client
from chalicelib.models.grant import Grant
from management.infrastructure import functions
from management.infrastructure.names import logical_id
from management.infrastructure.policies import LOG_ACTIONS, TRACE_ACTIONS, exact_arn
from management.stage_settings import StageSettings

FUNCTION = "publisher"
HANDLER = "chalicelib.events.publisher.publish"
DEFAULT_BUS = "default"

HOURS = 3600

MOST_RECORDS = 100
WINDOW = 1
"""Seconds that Lambda waits for more changes before it invokes the publisher."""
PATIENCE = 6 * HOURS
"""For how long what cannot be published is tried again. The stream itself forgets it after 24 hours."""
TIMEOUT = 60

STREAM_ACTIONS = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]

THERE, NOT_THERE = [{"exists": True}], [{"exists": False}]

_USER = {Grant.user_id.attr_name: {"S": THERE}}

FILTERS: dict[str, list[dict[str, Any]]] = {
    "grants": [
        # A user's grant is made: from a code at once, ...
        {"eventName": ["INSERT"], "dynamodb": {"NewImage": _USER}},
        # ... and from what a device asked for when they allow it.
        {
            "dynamodb": {
                "OldImage": {
                    Grant.device_code.attr_name: {"M": {"hash": {"S": THERE}}},
                    Grant.user_id.attr_name: {"S": NOT_THERE},
                },
                "NewImage": _USER,
            }
        },
        # It is revoked. Nothing is written to a grant after that.
        {"dynamodb": {"NewImage": _USER | {Grant.revoked_at.attr_name: {"N": THERE}}}},
    ],
    "clients": [
        {"eventName": ["INSERT"], "dynamodb": {"NewImage": {Client.client_id.attr_name: {"S": THERE}}}}
    ],
}
"""Which changes of which tables are worth an invocation. The publisher looks again for itself."""


def resources(stage: StageSettings) -> dict[str, Any]:
    """Return all of it, by their logical ids."""
    if not stage.event_bus:
        return {}
    bus = {"EventBus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": stage.event_bus}}}
    return {
        **{logical_id(kind, "Table"): _streaming() for kind in FILTERS},
        **{logical_id(kind, "Changes"): _mapping(kind) for kind in FILTERS},
        **(bus if _is_ours(stage) else {}),
        "Publisher": _function(stage),
        "PublisherRole": _role(stage),
        "PublisherLogGroup": functions.log_group(stage.log_group(FUNCTION), stage),
        "PublisherDeadLetters": _dead_letters(stage),
    }


def outputs(stage: StageSettings) -> dict[str, Any]:
    """Return the outputs, by their logical ids."""
    if not stage.event_bus:
        return {}
    return {
        "EventBusArn": {"Description": "The bus that is told what happens", "Value": _bus_arn(stage)},
        "PublisherDeadLettersUrl": {
            "Description": "What could not be told",
            "Value": {"Ref": "PublisherDeadLetters"},
        },
    }


def source(stage: StageSettings) -> str:
    """Return who the events are from (`source`)."""
    return f"{stage.app_name}.{stage.name}"


def dead_letter_queue(stage: StageSettings) -> str:
    """Return the name of the queue of what could not be told: a message in it is worth an alarm."""
    return f"{stage.function_name(FUNCTION)}-dead-letters"


def policy(stage: StageSettings) -> dict[str, Any]:
    """Return what the publisher may do: read two streams, and nothing of the tables."""
    streams = [_stream_arn(kind) for kind in FILTERS]
    logs = exact_arn("logs", f"log-group:{stage.log_group(FUNCTION)}:*")
    listed = [{"Fn::Sub": f"${{{logical_id(kind, 'Table')}.Arn}}/stream/*"} for kind in FILTERS]
    allowed: list[tuple[list[str], list[Any]]] = [
        (STREAM_ACTIONS, streams),
        (["dynamodb:ListStreams"], listed),
        (["events:PutEvents"], [_bus_arn(stage)]),
        (["sqs:SendMessage"], [_dead_letters_arn()]),
        (LOG_ACTIONS, [logs]),
        *([(TRACE_ACTIONS, ["*"])] if stage.xray else []),
    ]
    statements = [{"Effect": "Allow", "Action": actions, "Resource": targets} for actions, targets in allowed]
    return {"Version": "2012-10-17", "Statement": statements}


def _is_ours(stage: StageSettings) -> bool:
    return stage.event_bus != DEFAULT_BUS and not stage.event_bus.startswith("arn:")


def _bus_arn(stage: StageSettings) -> Any:
    if _is_ours(stage):
        return {"Fn::GetAtt": ["EventBus", "Arn"]}
    if stage.event_bus == DEFAULT_BUS:
        return exact_arn("events", "event-bus/default")
    return stage.event_bus


def _stream_arn(kind: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [logical_id(kind, "Table"), "StreamArn"]}


def _dead_letters_arn() -> dict[str, Any]:
    return {"Fn::GetAtt": ["PublisherDeadLetters", "Arn"]}


def _streaming() -> dict[str, Any]:
    return {"Properties": {"StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"}}}


def _mapping(kind: str) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {
            "FunctionName": {"Ref": "Publisher"},
            "EventSourceArn": _stream_arn(kind),
            # Of what is written while the stack is made, or the publisher added to it, nothing is missed.
            "StartingPosition": "TRIM_HORIZON",
            "FilterCriteria": {"Filters": [{"Pattern": json.dumps(pattern)} for pattern in FILTERS[kind]]},
            "BatchSize": MOST_RECORDS,
            "MaximumBatchingWindowInSeconds": WINDOW,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "BisectBatchOnFunctionError": True,
            "MaximumRecordAgeInSeconds": PATIENCE,
            "DestinationConfig": {"OnFailure": {"Destination": _dead_letters_arn()}},
        },
    }


def _function(stage: StageSettings) -> dict[str, Any]:
    variables = {
        "EVENT_BUS": _bus_arn(stage),
        "EVENT_SOURCE": source(stage),
        "DEAD_LETTERS": {"Ref": "PublisherDeadLetters"},
    }
    return {
        "Type": "AWS::Serverless::Function",
        "DependsOn": ["PublisherLogGroup"],
        "Properties": {
            "FunctionName": stage.function_name(FUNCTION),
            "Handler": HANDLER,
            "CodeUri": "./deployment.zip",
            "Runtime": f"python{sys.version_info.major}.{sys.version_info.minor}",
            "Architectures": [stage.lambda_architecture],
            "MemorySize": 256,
            "Timeout": TIMEOUT,
            "Tracing": "Active" if stage.xray else "PassThrough",
            "Environment": {"Variables": variables},
            "Role": {"Fn::GetAtt": ["PublisherRole", "Arn"]},
        },
    }


def _role(stage: StageSettings) -> dict[str, Any]:
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "lambda.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            },
            "Policies": [
                {
                    "PolicyName": f"{stage.function_name(FUNCTION)}-policy",
                    "PolicyDocument": policy(stage),
                }
            ],
        },
    }


def _dead_letters(stage: StageSettings) -> dict[str, Any]:
    return {
        "Type": "AWS::SQS::Queue",
        "Properties": {
            "QueueName": dead_letter_queue(stage),
            "MessageRetentionPeriod": 14 * 24 * HOURS,
            "SqsManagedSseEnabled": True,
        },
    }
