"""What a deployment has besides if it has an `event_bus`."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import moto
import pytest

from chalicelib.events import publisher
from management import adoption, infrastructure
from management.account import Account
from management.infrastructure import events
from management.infrastructure.tables import TABLES, table_definition
from management.stage_settings import StageError, StageSettings

ELSEWHERE = "arn:aws:events:eu-central-1:123456789012:event-bus/platform"


def template(event_bus: str) -> dict[str, Any]:
    return infrastructure.template(replace(StageSettings.of("prod"), event_bus=event_bus))


def resources(event_bus: str = "platform") -> dict[str, Any]:
    found: dict[str, Any] = template(event_bus)["Resources"]
    return found


def statements() -> dict[str, list[Any]]:
    """Return what the publisher may do, and on what."""
    (inline,) = resources()["PublisherRole"]["Properties"]["Policies"]
    return {
        action: statement["Resource"]
        for statement in inline["PolicyDocument"]["Statement"]
        for action in statement["Action"]
    }


def test_without_a_bus_there_is_nothing_of_it() -> None:
    without = resources("")
    added = set(resources()) - set(without)
    assert added == {
        "EventBus",
        "Publisher",
        "PublisherLogGroup",
        "PublisherRole",
        "PublisherDeadLetters",
        "GrantsChanges",
        "ClientsChanges",
    }
    assert "StreamSpecification" not in json.dumps(without)
    assert "EventBusArn" not in template("")["Outputs"]


def test_only_the_two_tables_have_streams() -> None:
    streaming = {
        name: resource["Properties"]["StreamSpecification"]
        for name, resource in resources().items()
        if "StreamSpecification" in resource["Properties"]
    }
    assert set(streaming) == {"GrantsTable", "ClientsTable"}
    assert {specification["StreamViewType"] for specification in streaming.values()} == {"NEW_AND_OLD_IMAGES"}


@pytest.mark.parametrize("kind", ["Grants", "Clients"])
def test_what_fails_is_tried_again_for_hours_and_ends_in_the_queue(kind: str) -> None:
    mapping = resources()[f"{kind}Changes"]["Properties"]
    assert mapping["EventSourceArn"] == {"Fn::GetAtt": [f"{kind}Table", "StreamArn"]}
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["MaximumRecordAgeInSeconds"] == 6 * 3600
    queue = {"Fn::GetAtt": ["PublisherDeadLetters", "Arn"]}
    assert mapping["DestinationConfig"] == {"OnFailure": {"Destination": queue}}
    assert 1 <= len(mapping["FilterCriteria"]["Filters"]) <= 5
    for criterion in mapping["FilterCriteria"]["Filters"]:
        assert len(criterion["Pattern"]) <= 4096
        assert json.loads(criterion["Pattern"])


def test_the_publisher_is_in_the_package_with_the_others() -> None:
    function = resources()["Publisher"]["Properties"]
    assert function["FunctionName"] == "oauth-prod-publisher"
    assert function["CodeUri"] == "./deployment.zip"
    module, _, name = function["Handler"].rpartition(".")
    assert (module, name) == (publisher.__name__, publisher.publish.__name__)
    longest = (publisher.ATTEMPTS + 1) * 3 * (1 + 3)
    assert longest < function["Timeout"]


def test_it_gets_the_variables_that_it_reads() -> None:
    variables = resources()["Publisher"]["Properties"]["Environment"]["Variables"]
    source = Path(publisher.__file__).read_text(encoding="utf-8")
    assert set(re.findall(r'os\.environ\["(\w+)"\]', source)) == set(variables)
    assert variables["EVENT_SOURCE"] == "oauth.prod"


def test_it_may_read_two_streams_and_nothing_of_the_tables() -> None:
    streams = [{"Fn::GetAtt": [table, "StreamArn"]} for table in ("GrantsTable", "ClientsTable")]
    of_tables = {
        action: targets for action, targets in statements().items() if action.startswith("dynamodb:")
    }
    assert of_tables.pop("dynamodb:ListStreams") == [
        {"Fn::Sub": "${GrantsTable.Arn}/stream/*"},
        {"Fn::Sub": "${ClientsTable.Arn}/stream/*"},
    ]
    assert of_tables == {
        f"dynamodb:{action}": streams for action in ("DescribeStream", "GetRecords", "GetShardIterator")
    }


def test_it_may_tell_one_bus_and_write_to_one_queue() -> None:
    others = {
        action: targets for action, targets in statements().items() if not action.startswith("dynamodb:")
    }
    assert others.pop("events:PutEvents") == [{"Fn::GetAtt": ["EventBus", "Arn"]}]
    assert others.pop("sqs:SendMessage") == [{"Fn::GetAtt": ["PublisherDeadLetters", "Arn"]}]
    assert all(action.startswith("logs:") for action in others)
    for (target,) in others.values():
        assert target["Fn::Sub"].endswith(":log-group:/aws/lambda/oauth-prod-publisher:*")


@pytest.mark.parametrize(
    ("event_bus", "arn"),
    [
        (
            "default",
            {"Fn::Sub": "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/default"},
        ),
        (ELSEWHERE, ELSEWHERE),
    ],
)
def test_a_bus_that_is_there_already_is_used(event_bus: str, arn: Any) -> None:
    there = resources(event_bus)
    assert "EventBus" not in there
    assert there["Publisher"]["Properties"]["Environment"]["Variables"]["EVENT_BUS"] == arn
    assert template(event_bus)["Outputs"]["EventBusArn"]["Value"] == arn
    assert events.policy(replace(StageSettings.of("prod"), event_bus=event_bus))["Statement"][2] == {
        "Effect": "Allow",
        "Action": ["events:PutEvents"],
        "Resource": [arn],
    }


@pytest.mark.parametrize("event_bus", ["a bus", "arn:aws:sns:eu-central-1:123456789012:topic", 7, "x" * 257])
def test_what_is_no_bus_is_refused(event_bus: object, monkeypatch: pytest.MonkeyPatch) -> None:
    config = {"app_name": "oauth", "stages": {"prod": {}}, "deployment": {"event_bus": event_bus}}
    monkeypatch.setattr("management.stage.config", lambda: config)
    with pytest.raises(StageError, match=r"^event_bus: expected the name of an EventBridge bus, or its ARN"):
        StageSettings.of("prod")


def test_tables_that_stayed_are_taken_over_with_the_streams_that_they_have() -> None:
    """DynamoDB refuses a stream for a table that has one, and a table of `prod` outlives its stack."""
    with moto.mock_aws():
        for kind in ("grants", "users"):
            definition = table_definition(TABLES[kind])
            if kind == "grants":
                stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
                definition["StreamSpecification"] = stream
            boto3.client("dynamodb").create_table(**definition)
        taken_over = adoption.orphans(Account(), replace(StageSettings.of("prod"), event_bus="platform"))
        silent = adoption.orphans(Account(), StageSettings.of("prod"))
    declared = resources()["GrantsTable"]["Properties"]["StreamSpecification"]
    assert taken_over["GrantsTable"]["Properties"]["StreamSpecification"] == declared
    assert "StreamSpecification" not in taken_over["UsersTable"]["Properties"]
    # One that belongs to a replica of a global table cannot be turned off: it is not ours then.
    assert "StreamSpecification" not in silent["GrantsTable"]["Properties"]
