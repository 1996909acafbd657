"""`manage.py tables`, and that tables are the same wherever they come from."""

from typing import Any

import boto3
import pytest

from management import infrastructure
from management.stage_settings import StageSettings
from tests.harness import Deployment
from tests.management.conftest import CommandLine

NAMES = ["oauth-test-clients", "oauth-test-users", "oauth-test-grants", "oauth-test-sessions"]
EXPIRING = {"oauth-test-users", "oauth-test-grants", "oauth-test-sessions"}


@pytest.fixture
def empty(manager: CommandLine) -> CommandLine:
    """Return the command line of a deployment without tables."""
    manager.text("tables", "delete", "--yes")
    return manager


def dynamodb() -> Any:
    return boto3.client("dynamodb", region_name="us-east-1")


def test_delete_removes_all_tables(manager: CommandLine) -> None:
    assert manager.text("tables", "delete", "--yes").splitlines() == [f"{name} deleted" for name in NAMES]
    assert dynamodb().list_tables()["TableNames"] == []


def test_delete_of_what_is_not_there_is_fine(empty: CommandLine) -> None:
    lines = empty.text("tables", "delete", "--yes").splitlines()
    assert lines == [f"{name} is not there" for name in NAMES]


@pytest.mark.usefixtures("at_a_terminal")
@pytest.mark.parametrize("typed", ["n\n", ""])
def test_delete_asks_first_at_a_terminal(manager: CommandLine, typed: str) -> None:
    assert manager.run("tables", "delete", typed=typed).exit_code == 1
    assert len(dynamodb().list_tables()["TableNames"]) == 4


def test_create_makes_all_tables(empty: CommandLine, deployment: Deployment) -> None:
    assert empty.text("tables", "create").splitlines() == [f"{name} created" for name in NAMES]
    deployment.add_account()
    deployment.tokens(deployment.add_app())


def test_create_does_not_touch_tables_that_are_there(manager: CommandLine, deployment: Deployment) -> None:
    deployment.add_account()
    before = deployment.snapshot()
    manager.refused("tables", "create")
    lines = manager.text("tables", "create", "--if-missing").splitlines()
    assert lines == [f"{name} is there" for name in NAMES]
    assert deployment.snapshot() == before


def test_create_if_missing_makes_what_is_missing(manager: CommandLine) -> None:
    dynamodb().delete_table(TableName=NAMES[2])
    lines = manager.text("tables", "create", "--if-missing").splitlines()
    assert [line.split()[1] for line in lines] == ["is", "is", "created", "is"]


def test_status_of_what_was_created_is_as_expected(empty: CommandLine) -> None:
    empty.text("tables", "create")
    records = empty.json("tables", "status")
    assert [record["table"] for record in records] == NAMES
    assert all(record["status"] == "ACTIVE" for record in records)
    assert all(record["as_expected"] and not record["problems"] for record in records)


def test_status_tells_what_is_missing(empty: CommandLine) -> None:
    records = empty.json("tables", "status")
    assert {record["status"] for record in records} == {"MISSING"}
    assert not any(record["as_expected"] for record in records)


def test_status_tells_that_rows_will_not_expire(manager: CommandLine) -> None:
    """The fixture makes its tables without TTL."""
    problems = {record["table"]: record["problems"] for record in manager.json("tables", "status")}
    assert {table for table, found in problems.items() if "no TTL" in found} == EXPIRING


def test_status_is_a_table_for_people(manager: CommandLine) -> None:
    header, *lines = manager.text("tables", "status").splitlines()
    assert header.split()[:2] == ["table", "status"]
    assert [line.split()[0] for line in lines] == NAMES


def test_without_tables_commands_say_how_to_make_them(empty: CommandLine) -> None:
    for command in ("client list", "client show x", "user list", "user enable a@example.org"):
        assert "`manage.py tables create` makes them" in empty.refused(*command.split())


def test_created_tables_are_those_of_the_template(empty: CommandLine) -> None:
    empty.text("tables", "create")
    resources = infrastructure.template(StageSettings.of("dev"))["Resources"]
    tables = {
        resource["Properties"]["TableName"]: resource["Properties"]
        for resource in resources.values()
        if resource.get("Type") == "AWS::DynamoDB::Table"
    }
    assert sorted(tables) == sorted(NAMES)
    for name, properties in tables.items():
        made = dynamodb().describe_table(TableName=name)["Table"]
        assert made["KeySchema"] == properties["KeySchema"]
        assert made["AttributeDefinitions"] == properties["AttributeDefinitions"]
        assert made["BillingModeSummary"]["BillingMode"] == properties["BillingMode"] == "PAY_PER_REQUEST"
        indexes = {
            index["IndexName"]: (index["KeySchema"], index["Projection"])
            for index in made.get("GlobalSecondaryIndexes", [])
        }
        assert indexes == {
            index["IndexName"]: (index["KeySchema"], index["Projection"])
            for index in properties.get("GlobalSecondaryIndexes", [])
        }
        ttl = dynamodb().describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        wanted = properties.get("TimeToLiveSpecification", {"Enabled": False})
        assert (ttl["TimeToLiveStatus"] == "ENABLED") == wanted["Enabled"]
        backups = dynamodb().describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        recovery = backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
        assert recovery == "ENABLED"
        assert properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
