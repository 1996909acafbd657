"""`manage.py tables`, and that tables are the same wherever they come from."""

import os
import signal
from typing import Any

import boto3
import pytest

from management import infrastructure
from management.stage_settings import StageSettings
from tests.harness import Deployment
from tests.management.conftest import CommandLine

NAMES = [f"oauth-test-{kind}" for kind in ("clients", "users", "grants", "sessions", "audit")]
EXPIRING = set(NAMES) - {"oauth-test-clients"}


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
    assert len(dynamodb().list_tables()["TableNames"]) == len(NAMES)


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
    assert [line.split()[1] for line in lines] == ["is", "is", "created", "is", "is"]


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


# Restoring


def restored(manager: CommandLine, *options: str) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = manager.json("tables", "restore", "--to-prefix", "oauth-copy", *options)
    return records


@pytest.fixture
def recoverable(empty: CommandLine) -> CommandLine:
    """Return the command line of a deployment whose tables are as they should be, moto's clock aside."""
    empty.text("tables", "create")
    return empty


def test_restored_tables_are_as_they_should_be(recoverable: CommandLine, deployment: Deployment) -> None:
    arn = dynamodb().describe_table(TableName=NAMES[0])["Table"]["TableArn"]
    dynamodb().tag_resource(ResourceArn=arn, Tags=[{"Key": "team", "Value": "maps"}])
    records = restored(recoverable)
    assert [record["table"] for record in records] == [name.replace("test", "copy") for name in NAMES]
    assert [record["problems"] for record in records] == [[]] * len(NAMES)
    assert records == recoverable.json("tables", "status", "--table-prefix", "oauth-copy")
    told = deployment.trail()[-1]
    assert (told["event"], told["tables"]) == ("tables.created", [record["table"] for record in records])
    copy = dynamodb().describe_table(TableName="oauth-copy-clients")["Table"]["TableArn"]
    assert dynamodb().list_tags_of_resource(ResourceArn=copy)["Tags"] == [{"Key": "team", "Value": "maps"}]


def test_restored_tables_of_prod_are_protected(
    recoverable: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAGE", "prod")
    monkeypatch.setattr("management.stage.enter", lambda stage: None)
    restored(recoverable)
    protected = dynamodb().describe_table(TableName="oauth-copy-users")["Table"]
    assert protected["DeletionProtectionEnabled"]


def test_the_tables_of_the_stage_stay_as_they_are(recoverable: CommandLine, deployment: Deployment) -> None:
    deployment.add_account()
    before = deployment.snapshot()
    restored(recoverable)
    assert deployment.snapshot() == before


def test_all_tables_are_restored_as_of_one_moment(
    recoverable: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    class Client:
        def __init__(self) -> None:
            self._client = dynamodb()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._client, name)

        def restore_table_to_point_in_time(self, **sent: Any) -> Any:
            asked.append(sent["RestoreDateTime"])
            return self._client.restore_table_to_point_in_time(**sent)

    monkeypatch.setattr("management.aws.dynamodb", Client)
    restored(recoverable)
    assert len(asked) == len(NAMES)
    assert len(set(asked)) == 1


def test_a_restoration_that_was_interrupted_is_waited_for(
    recoverable: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("management.restoring.EVERY", 0)
    monkeypatch.setattr("management.restoring._is_ready", lambda *_: os.kill(os.getpid(), signal.SIGINT))
    result = recoverable.run("tables", "restore", "--to-prefix", "oauth-copy")
    assert result.exit_code == 128 + signal.SIGINT
    *_, last = result.stderr.splitlines()
    assert last == "Interrupted: 0 of 5 tables restored. Run the same command again to go on."
    monkeypatch.undo()
    assert all(record["as_expected"] for record in restored(recoverable))


def test_one_table_can_be_restored_alone(recoverable: CommandLine) -> None:
    (record,) = restored(recoverable, "--table", "clients")
    assert record["table"] == "oauth-copy-clients"
    assert "oauth-copy-users" not in dynamodb().list_tables()["TableNames"]


BAD_TIMES = {
    "yesterday": "no time as",
    "1999-01-01T00:00:00+00:00": "all tables can be restored from",
    "2999-01-01": "all tables can be restored from",
}


@pytest.mark.parametrize(("at", "told"), BAD_TIMES.items())
def test_a_time_that_cannot_be_is_refused_and_nothing_made(
    recoverable: CommandLine, at: str, told: str
) -> None:
    assert told in recoverable.refused("tables", "restore", "--to-prefix", "oauth-copy", "--at", at)
    assert sorted(dynamodb().list_tables()["TableNames"]) == sorted(NAMES)


def test_tables_without_recovery_are_told(manager: CommandLine) -> None:
    told = manager.refused("tables", "restore", "--to-prefix", "oauth-copy")
    assert "oauth-test-clients has no point-in-time recovery" in told


def test_tables_that_are_gone_are_told(empty: CommandLine) -> None:
    assert "keeps a backup for 35 days" in empty.refused("tables", "restore", "--to-prefix", "oauth-copy")


def test_tables_that_are_there_are_no_copies(recoverable: CommandLine) -> None:
    told = recoverable.refused("tables", "restore", "--to-prefix", "oauth-test")
    assert "there is a table oauth-test-clients already" in told


@pytest.mark.parametrize("prefix", ["", "a/b", "x" * 201])
def test_a_prefix_is_one_that_tables_can_have(recoverable: CommandLine, prefix: str) -> None:
    result = recoverable.run("tables", "restore", "--to-prefix", prefix)
    assert result.exit_code == 2
    assert "expected 1 to 200 letters" in result.stderr


def test_a_copy_is_deleted_by_its_prefix(recoverable: CommandLine) -> None:
    restored(recoverable)
    recoverable.text("tables", "delete", "--table-prefix", "oauth-copy", "--yes")
    assert sorted(dynamodb().list_tables()["TableNames"]) == sorted(NAMES)
