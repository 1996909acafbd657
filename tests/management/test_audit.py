"""`manage.py audit`; and that whatever an operator changes is in the trail, in the operator's name."""

import getpass
import json
from pathlib import Path

import click
import pytest
from pynamodb.exceptions import PutError

from chalicelib.accounts import accounts
from chalicelib.models.audit import AuditRecord
from chalicelib.oauth import registration
from management.cli import COMMANDS, Commands, manage
from management.guests import Guests
from tests.conftest import Time
from tests.harness import CALLBACK, EMAIL, PASSWORD, App, Deployment, count_requests
from tests.management.conftest import CommandLine

HOUR = 3600

READ_ONLY = {
    "audit",
    "client export",
    "client list",
    "client show",
    "grant list",
    "grant show",
    "package",
    "status",
    "tables status",
    "template policies",  # Writes files, and no stage.
    "template resources",
    "template scope-rules",
    "user export",
    "user list",
}
"""Commands that change nothing of a stage."""

OF_THE_STACK = {"deploy", "destroy", "tables delete"}
"""Commands that change what the trail itself lives in: CloudTrail has what they do."""


@pytest.fixture
def ids(manager: CommandLine, tmp_path: Path) -> dict[str, str]:
    """Return what the commands below are about."""
    manager.json("user", "add", EMAIL, "--password-stdin", typed=PASSWORD)
    client = manager.json("client", "add", "--name", "Some application", "--redirect-uri", CALLBACK)
    entry = {"client_name": "New", "client_id": "new", "client_secret": "s" * 16, "redirect_uris": [CALLBACK]}
    (tmp_path / "clients.json").write_text(json.dumps([entry]))
    (tmp_path / "users.json").write_text(json.dumps([{"email": "new@example.org"}]))
    return {"client_id": client["client_id"], "files": str(tmp_path)}


WRITING: dict[str, tuple[str, str]] = {
    "client add": ("--name Other --redirect-uri https://app.example/cb", "client.registered"),
    "client update": ("{client_id} --name Renamed", "client.changed"),
    "client rotate-secret": ("{client_id}", "client.secret_rotated"),
    "client disable": ("{client_id}", "client.disabled"),
    "client enable": ("{client_id}", "client.enabled"),
    "client unverify": ("{client_id}", "client.unverified"),
    "client verify": ("{client_id}", "client.verified"),
    "client import": ("{files}/clients.json", "clients.imported"),
    "client delete": ("{client_id}", "client.deleted"),
    "grant revoke": ("--client {client_id}", "client.consents_forgotten"),
    "user add": ("other@example.org --password-stdin", "account.added"),
    "user set-password": (f"{EMAIL} --password-stdin", "password.changed"),
    "user disable": (EMAIL, "account.disabled"),
    "user enable": (EMAIL, "account.enabled"),
    "user unlink": (EMAIL, "account.unlinked"),
    "user promote": (EMAIL, "account.promoted"),
    "user demote": (EMAIL, "account.demoted"),
    "user import": ("{files}/users.json", "accounts.imported"),
    "export": ("{files}/stage.jsonl", "stage.exported"),
    "import": ("{files}/stage.jsonl --if-exists skip", "stage.imported"),
}
"""Commands that change something, with their arguments, and what the trail has of it."""

BEFORE = {"client enable": "client disable", "client verify": "client unverify", "import": "export"}
"""What has to be done before a command has something to change."""


def all_commands() -> set[str]:
    names = set()
    assert isinstance(manage, Commands)
    for name in COMMANDS:
        command = manage.get_command(click.Context(manage), name)
        inner = command.commands if isinstance(command, click.Group) else [""]
        names |= {f"{name} {other}".strip() for other in inner}
    return names


def test_every_command_is_known_to_write_the_trail_or_to_change_nothing() -> None:
    # Below, in test_tables.py and in test_credentials.py.
    elsewhere = {"doctor", "tables create", "tables restore", "credential show", "credential revoke"}
    assert all_commands() == {*READ_ONLY, *OF_THE_STACK, *WRITING, *elsewhere}


@pytest.mark.parametrize("name", WRITING)
def test_what_a_command_changes_is_in_the_trail_with_who_ran_it(
    manager: CommandLine, deployment: Deployment, ids: dict[str, str], name: str
) -> None:
    for command in filter(None, (BEFORE.get(name), name)):
        before = len(deployment.trail())
        arguments = WRITING[command][0].format(**ids).split()
        manager.text(*command.split(), *arguments, typed=PASSWORD)
    told = deployment.trail()[-1]
    assert len(deployment.trail()) > before
    assert told["event"] == WRITING[name][1]
    assert told["actor"].startswith(f"manage.py {getpass.getuser()} (arn:aws:")


def test_making_tables_is_the_first_record(manager: CommandLine, deployment: Deployment) -> None:
    manager.text("tables", "delete")
    manager.text("tables", "create")
    (told,) = deployment.trail()
    assert told["event"] == "tables.created"
    assert "oauth-test-audit" in told["tables"]


def test_the_guests_of_doctor_come_and_go(manager: CommandLine, deployment: Deployment) -> None:
    guests = Guests()
    guests.arrive()
    assert guests.leave([]) == []
    names = [told["event"] for told in deployment.trail()]
    assert names == ["account.added", "client.registered", "client.deleted", "account.removed"]


@pytest.fixture
def machine(deployment: Deployment) -> App:
    app = deployment.add_app(grant_types=("client_credentials",))
    for _ in range(7):
        app.token(grant_type="client_credentials")
    return app


def test_many_grants_are_one_record(manager: CommandLine, deployment: Deployment, machine: App) -> None:
    manager.text("client", "disable", machine.client_id)
    disabled, revoked = deployment.trail()[-2:]
    assert disabled["event"] == "client.disabled"
    assert (revoked["event"], revoked["count"]) == ("grants.revoked", 7)
    assert (revoked["client_id"], revoked["because"]) == (machine.client_id, "client disabled")


def test_a_command_says_what_the_trail_does_not_have(
    manager: CommandLine, deployment: Deployment, machine: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise PutError

    monkeypatch.setattr(AuditRecord, "save", fail)
    result = manager.run("client", "unverify", machine.client_id, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["verified_at"] is None
    assert result.stderr.startswith("Warning: the audit trail does not have client.unverified")


# Looking


@pytest.fixture
def three_days(deployment: Deployment, time: Time) -> tuple[App, App]:
    """Return an application that is two days old and one of now, and what happened to them."""
    time.now = 1_795_545_538  # 2026-11-24T18:38:58
    deployment.add_account()
    time.passes(1)
    old = deployment.add_app(name="Old")
    time.passes(48 * HOUR)
    new = deployment.add_app(name="New")
    time.passes(1)
    registration.disable(deployment.client(old))
    return old, new


def shown(manager: CommandLine, *arguments: str) -> list[tuple[str, str | None]]:
    return [(told["event"], told["client_id"]) for told in manager.json("audit", *arguments)]


def test_the_trail_is_shown_with_the_newest_last(manager: CommandLine, three_days: tuple[App, App]) -> None:
    old, new = (app.client_id for app in three_days)
    last = [("client.registered", new), ("client.disabled", old)]
    assert shown(manager) == shown(manager, "--since", "1h") == last
    first = [("account.added", None), ("client.registered", old)]
    assert shown(manager, "--since", "3d") == first + last
    assert shown(manager, "--since", "2026-11-24", "--until", "24h") == first
    assert (
        shown(manager, "--since", "2026-11-24T18:38:58Z", "--until", "2026-11-24T19:38:59.001+01:00") == first
    )
    assert shown(manager, "--since", "2026-11-24T18:39", "--until", "1h") == []


def test_the_trail_is_shown_by_what_it_is_about(
    manager: CommandLine, three_days: tuple[App, App], deployment: Deployment
) -> None:
    old = three_days[0].client_id
    assert shown(manager, "--since", "3d", "--client", old) == [
        ("client.registered", old),
        ("client.disabled", old),
    ]
    assert shown(manager, "--event", "client.disabled") == [("client.disabled", old)]
    assert len(shown(manager, "--event", "client.*", "--since", "3d")) == 3
    account = accounts.find_by_email(EMAIL)
    assert account
    for person in (EMAIL, account.user_id):
        assert shown(manager, "--since", "3d", "--user", person) == [("account.added", None)]
    assert shown(manager, "--since", "3d", "--user", "0" * 16) == []


def test_a_table_has_the_time_what_and_who(
    manager: CommandLine, deployment: Deployment, three_days: tuple[App, App]
) -> None:
    lines = manager.text("audit", "--event", "client.disabled").splitlines()
    assert lines[0].split() == ["time", "event", "actor", "client_id", "user_id", "source_ip", "details"]
    assert lines[1].split()[:2] == ["2026-11-26T18:39:00.000Z", "client.disabled"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--since", "yesterday"), "how long ago"),
        (("--since", "99999999999999999"), "how long ago"),
        (("--until", "2026-13-01"), "how long ago"),
        (("--since", "1h", "--until", "2h"), "--since is after --until"),
        (("--event", "token.issued"), "the trail has no 'token.issued'"),
        (("--user", "nobody@example.org"), "there is no account"),
    ],
)
def test_what_cannot_be_shown_is_told(manager: CommandLine, arguments: tuple[str, ...], reason: str) -> None:
    result = manager.run("audit", *arguments)
    assert result.exit_code in (1, 2)
    assert isinstance(result.exception, SystemExit)
    assert reason in result.stderr


def test_the_help_shows_commands_as_they_are_typed(manager: CommandLine) -> None:
    lines = manager.text("audit", "--help").splitlines()
    assert "  manage.py --stage prod audit --since 1h" in lines


def test_looking_reads_one_partition_for_each_hour(manager: CommandLine, three_days: tuple[App, App]) -> None:
    with count_requests() as requests:
        shown(manager, "--since", "24h")
    assert requests == {"Query": 25}
