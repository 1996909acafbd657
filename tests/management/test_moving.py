"""`manage.py export` and `manage.py import`: a whole stage moves, and nobody notices."""

import hashlib
import json
import os
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib import clock
from chalicelib.accounts import accounts, identities
from chalicelib.models.client import Client
from chalicelib.models.grant import AccessToken, Grant
from chalicelib.models.session import BrowserSession, MailedCode, SpentAssertion, Throttle
from chalicelib.models.table import dynamodb
from chalicelib.models.user import (
    Account,
    Consent,
    EmailAddress,
    Identity,
    UserGrant,
)
from chalicelib.oauth import clients, registration, revocation
from chalicelib.oauth.client_metadata import ClientMetadata
from management import aws, importing, stage_target
from management.infrastructure.tables import TABLES, table_definition
from tests.conftest import Time
from tests.endpoints.test_client_assertion import Signer, signer
from tests.faults import FAULTS, meanwhile, storage_fails
from tests.harness import DEVICE_CODE, EMAIL, PASSWORD, App, Browser, Deployment, is_alive
from tests.mails import Mailbox
from tests.management.conftest import CommandLine
from tests.test_secrets import secrets_of_a_walk

GRANT_TYPES = ("authorization_code", "refresh_token", DEVICE_CODE)
MINUTE = 60

Lines = list[dict[str, Any]]

__all__ = ["signer"]
"""A fixture of the client assertions' own tests."""


class Move:
    """A move: what was exported is all that there is in the other place."""

    def __init__(self, manager: CommandLine, path: Path) -> None:
        self.manager, self.path = manager, path
        self.file = str(path)

    def leave(self) -> Any:
        """Export all, and come to a place where nothing is."""
        exported = self.manager.json("export", self.file)
        self.clear()
        return exported

    def clear(self) -> None:
        for model in TABLES.values():
            dynamodb.client.delete_table(TableName=model.Meta.table_name)
            dynamodb.client.create_table(**table_definition(model))
        clients.forget()

    def arrive(self, *options: str) -> Any:
        return self.manager.json("import", self.file, *options)

    def __call__(self) -> Any:
        self.leave()
        return self.arrive()

    def refusal(self, *options: str) -> list[str]:
        """Run an import that is refused, and return what it says before its last line."""
        result = self.manager.run("import", self.file, *options)
        assert result.exit_code == 1, result.output
        assert isinstance(result.exception, SystemExit)
        *problems, last = result.stderr.splitlines()
        assert last.endswith("nothing was imported")
        return problems or [last]

    @property
    def lines(self) -> list[bytes]:
        return self.path.read_bytes().splitlines(keepends=True)

    def edit(self, change: Callable[[Lines], object]) -> None:
        """Change the rows of the file as who knows the format can, its counts and SHA-256 included."""
        first, *rows, _ = [json.loads(line) for line in self.lines]
        change(rows)
        lines = [json.dumps(entry).encode() + b"\n" for entry in (first, *rows)]
        counts = dict.fromkeys(first["tables"], 0)
        for row in rows:
            if row.get("table") in counts:
                counts[row["table"]] += 1
        whole = hashlib.sha256(b"".join(lines)).hexdigest()
        lines.append(json.dumps({"rows": counts, "sha256": whole}).encode() + b"\n")
        self.path.write_bytes(b"".join(lines))


@pytest.fixture
def move(manager: CommandLine, tmp_path: Path) -> Move:
    return Move(manager, tmp_path / "stage.jsonl")


@pytest.fixture
def app(deployment: Deployment) -> App:
    deployment.add_account()
    return deployment.add_app(grant_types=GRANT_TYPES)


# What goes on


def test_a_password_opens_the_account_in_the_new_place(deployment: Deployment, move: Move) -> None:
    deployment.add_account()
    move()
    deployment.signed_in_browser()


def test_who_is_signed_in_stays_so(deployment: Deployment, app: App, move: Move) -> None:
    browser = deployment.signed_in_browser()
    move()
    assert browser.get("/connections").status == 200


def test_an_access_token_goes_on_and_a_revoked_one_does_not(
    deployment: Deployment, app: App, move: Move
) -> None:
    alive, revoked = (deployment.tokens(app)["access_token"] for _ in range(2))
    revocation.revoke_grant(revoked[4:12], "of the test")
    move()
    assert is_alive(alive)
    assert not is_alive(revoked)


def test_refreshing_goes_on(deployment: Deployment, app: App, move: Move) -> None:
    tokens = deployment.tokens(app)
    move()
    refreshed = app.refresh(tokens["refresh_token"])
    assert refreshed.status == 200
    assert is_alive(refreshed.json["access_token"])


def test_a_refresh_whose_answer_was_lost_in_the_move_is_answered_alike(
    deployment: Deployment, app: App, move: Move
) -> None:
    token = deployment.tokens(app)["refresh_token"]
    answer = app.refresh(token)
    move()
    assert app.refresh(token).json["refresh_token"] == answer.json["refresh_token"]


def test_an_old_refresh_token_is_still_known_as_stolen(
    deployment: Deployment, app: App, move: Move, time: Time
) -> None:
    oldest = deployment.tokens(app)["refresh_token"]
    current = app.refresh(app.refresh(oldest).json["refresh_token"]).json
    time.passes(10 * MINUTE)
    move()
    assert app.refresh(oldest).status == 400
    assert not is_alive(current["access_token"])


def test_a_code_is_redeemed_in_the_new_place_and_once(deployment: Deployment, app: App, move: Move) -> None:
    code, redeemed = deployment.code(app), deployment.code(app)
    token = app.exchange(redeemed).json["access_token"]
    move()
    assert app.exchange(code).status == 200
    assert app.exchange(redeemed).status == 400
    assert not is_alive(token)


def test_a_device_gets_what_it_asked_for_before_the_move(
    deployment: Deployment, app: App, move: Move
) -> None:
    device = app.start_device().json
    move()
    deployment.decide(device["user_code"])
    assert app.poll(device["device_code"]).status == 200


def test_a_client_assertion_is_spent_in_the_new_place_as_well(signer: Signer, move: Move) -> None:
    assertion = signer.assertion()
    assert signer.send(assertion).status == 200
    move()
    assert signer.send(assertion).status == 401
    assert signer.send(signer.assertion()).status == 200


def test_a_client_secret_and_its_rotation_go_on(deployment: Deployment, app: App, move: Move) -> None:
    client = deployment.client(app)
    new = App(app.client_id, registration.rotate_secret(client, overlap=3600), app.redirect_uri)
    codes = [deployment.code(app) for _ in range(2)]
    move()
    assert [app.exchange(codes[0]).status, new.exchange(codes[1]).status] == [200, 200]


def test_consent_is_remembered_and_the_connection_shown(deployment: Deployment, app: App, move: Move) -> None:
    browser = deployment.signed_in_browser()
    deployment.tokens(app, browser)
    move()
    assert browser.get(app.authorization_url()).status == 303
    assert "Example" in browser.get("/connections").body


def test_applications_keep_their_owners(deployment: Deployment, app: App, move: Move) -> None:
    account = accounts.find_by_email(EMAIL)
    assert account
    metadata = ClientMetadata(client_name="Of my own", redirect_uris=(app.redirect_uri,))
    registration.register(metadata, owner=account.user_id, verified=False)
    move()
    assert "Of my own" in deployment.signed_in_browser().get("/applications").body


def test_a_throttle_goes_on(deployment: Deployment, app: App, move: Move, time: Time) -> None:
    def attempt(password: str) -> int:
        browser = Browser()
        return browser.submit(browser.get(app.authorization_url()), email=EMAIL, password=password).status

    assert [attempt("wrong") for _ in range(5)] == [422] * 5
    move()
    assert attempt(PASSWORD) == 429


def test_every_row_is_as_it_was(deployment: Deployment, app: App, move: Move) -> None:
    browser = deployment.signed_in_browser()
    deployment.tokens(app, browser)
    app.refresh(deployment.tokens(app, browser)["refresh_token"])
    app.start_device()
    before = deployment.snapshot()
    trail = deployment.trail()
    counts = {kind: len(rows) for kind, rows in before.items()} | {"audit": len(trail)}
    exported = move.leave()
    assert exported.items() >= counts.items()
    imported = move.arrive()
    assert deployment.snapshot() == before
    *moved, told = deployment.trail()
    assert moved == trail
    assert (told["event"], told["sha256"]) == ("stage.imported", exported["sha256"])
    assert imported["imported"] == imported["rows"] == exported["rows"] == sum(counts.values())
    assert (imported["added"], imported["left_out"]) == ({}, {})


def test_what_is_over_stays_behind(deployment: Deployment, app: App, move: Move, time: Time) -> None:
    deployment.code(app)  # Which nobody redeems.
    app.start_device()
    time.passes(11 * MINUTE)
    exported = move.leave()
    assert exported["grants"] == 0
    assert exported["over"] == 3
    time.passes(12 * 60 * MINUTE)
    assert move.arrive()["over"] == 1  # The session, which was there when the file was written.
    assert not list(BrowserSession.scan())


# The file


def test_only_who_writes_the_file_can_read_it(move: Move, manager: CommandLine) -> None:
    manager.text("export", move.file)
    assert stat.S_IMODE(os.stat(move.file).st_mode) == 0o600


def test_no_credential_is_in_the_file_in_the_clear(
    deployment: Deployment, move: Move, mailbox: Mailbox
) -> None:
    walked = secrets_of_a_walk(deployment, mailbox)
    move.leave()
    written = move.path.read_text()
    assert EMAIL in written
    for name, secret in walked.items():
        assert secret not in written, name
        if len(secret) == 40:  # Not even the part that is secret.
            assert secret[12:] not in written, name


def test_the_sha256_that_is_told_is_that_of_the_file(move: Move, app: App) -> None:
    exported = move.leave()
    assert exported["sha256"] == hashlib.sha256(move.path.read_bytes()).hexdigest()
    assert move.arrive()["sha256"] == exported["sha256"]


def test_a_file_that_is_there_stays_as_it_is(move: Move, manager: CommandLine) -> None:
    move.path.write_text("mine")
    assert "exists" in manager.refused("export", move.file)
    assert move.path.read_text() == "mine"


def test_a_file_that_cannot_be_written_is_told(manager: CommandLine, tmp_path: Path) -> None:
    assert "cannot be written" in manager.refused("export", str(tmp_path / "nowhere" / "file"))


def test_an_export_that_fails_leaves_no_file(move: Move, manager: CommandLine, app: App) -> None:
    with storage_fails(FAULTS["no permission"], "Scan"):
        assert "DynamoDB refused" in manager.refused("export", move.file)
    assert list(move.path.parent.iterdir()) == []


def test_an_export_that_is_interrupted_leaves_no_file(move: Move, manager: CommandLine, app: App) -> None:
    with meanwhile("Scan", lambda: os.kill(os.getpid(), signal.SIGINT)):
        result = manager.run("export", move.file)
    assert result.exit_code == 128 + signal.SIGINT
    assert list(move.path.parent.iterdir()) == []


def test_a_stage_goes_through_a_pipe(deployment: Deployment, move: Move, app: App) -> None:
    before = deployment.snapshot()
    result = move.manager.run("export", "-", "--json")
    move.clear()
    imported = move.manager.json("import", "-", typed=result.stdout)
    assert json.loads(result.stderr)["sha256"] == imported["sha256"]
    assert deployment.snapshot() == before


def test_tables_with_another_prefix_are_read_and_written(
    deployment: Deployment, move: Move, app: App
) -> None:
    before = deployment.snapshot()
    move.manager.text("export", move.file)
    move.manager.text("tables", "create", "--table-prefix", "oauth-other")
    move.arrive("--table-prefix", "oauth-other")
    move.path.unlink()
    move.manager.text("export", move.file, "--table-prefix", "oauth-other")
    move.clear()
    assert json.loads(move.lines[0])["table_prefix"] == "oauth-other"
    move.arrive()
    assert deployment.snapshot() == before


@pytest.mark.parametrize("command", ["export", "import"])
def test_a_prefix_without_tables_is_told(move: Move, command: str) -> None:
    move.manager.text("export", move.file)
    told = move.manager.refused(
        command, move.file + ("x" if command == "export" else ""), "--table-prefix", "no"
    )
    assert "there is no table no-" in told


def test_some_tables_move_without_the_others(deployment: Deployment, move: Move, app: App) -> None:
    before = deployment.snapshot()
    move.manager.text("export", move.file, "--table", "clients", "--table", "users")
    move.clear()
    move.arrive()
    after = deployment.snapshot()
    assert {kind for kind, rows in after.items() if rows} == {"clients", "users"}
    assert after["clients"] == before["clients"]


def test_a_row_that_no_model_knows_is_told_before_it_is_moved(
    deployment: Deployment, move: Move, app: App
) -> None:
    rows = boto3.client("dynamodb", region_name="us-east-1")
    rows.put_item(TableName="oauth-test-users", Item={"user_id": {"S": "x"}, "item": {"S": "y"}})
    told = move.manager.refused("export", move.file)
    assert "oauth-test-users has a row {'user_id': {'S': 'x'}, 'item': {'S': 'y'}} that cannot" in told


# What is refused


def rows_of(kind: str) -> Callable[[Lines], Lines]:
    return lambda rows: [row["row"] for row in rows if row["table"] == kind]


def attribute(kind: str, name: str, value: object) -> Callable[[Lines], object]:
    def change(rows: Lines) -> None:
        rows_of(kind)(rows)[0][name] = value

    return change


def of(rows: Lines, kind: str) -> dict[str, Any]:
    """Return the one row of a kind."""
    (row,) = [row["row"] for row in rows if row["row"].get("kind") == {"S": kind}]
    found: dict[str, Any] = row
    return found


SPOILT: dict[str, tuple[Callable[[Lines], object], str]] = {
    "unknown attribute": (attribute("clients", "colour", {"S": "red"}), "no attribute 'colour'"),
    "attribute of another type": (attribute("clients", "scope", {"N": "1"}), "no row of clients"),
    "attribute of no type": (attribute("clients", "scope", "read"), "no row of clients"),
    "missing attribute": (lambda rows: rows_of("clients")(rows)[0].pop("scope"), "no row of clients"),
    "number in another form": (
        attribute("clients", "created_at", {"N": "0012"}),
        "created_at would be stored in another form",
    ),
    "unknown attribute inside": (
        lambda rows: rows_of("grants")(rows)[0]["refresh_token"]["M"].update({"x": {"S": "y"}}),
        "refresh_token would be stored in another form",
    ),
    "unknown kind": (attribute("users", "kind", {"S": "robot"}), "no row of users"),
    "no kind": (lambda rows: rows_of("users")(rows)[0].pop("kind"), "no row of users"),
    "kind of another table": (attribute("users", "kind", {"S": "throttle"}), "no row of users"),
    "another key": (attribute("sessions", "key", {"S": "throttle#x"}), "the kind browser has another key"),
    "consent under another client": (
        lambda rows: of(rows, "consent").update(client_id={"S": "another"}),
        "the kind consent has another key",
    ),
    "pointer under another grant": (
        lambda rows: of(rows, "grant").update(grant_id={"S": "another"}),
        "the kind grant has another key",
    ),
    "no row": (lambda rows: rows[3].update(row=["x"]), "no row of"),
    "unknown table": (lambda rows: rows[3].update(table="robots"), "no row of a table that the first line"),
    "another member": (lambda rows: rows[3].update(more=1), "no row of a table that the first line"),
    "the same row twice": (lambda rows: rows.append(rows[0]), "it has the key of the row in line 2"),
}


@pytest.fixture
def exported(deployment: Deployment, move: Move, app: App) -> Iterator[Move]:
    """Return a move on its way; nothing may be there in the end."""
    deployment.tokens(app)
    move.leave()
    yield move
    assert not any(deployment.snapshot().values())


@pytest.mark.parametrize(("change", "told"), SPOILT.values(), ids=SPOILT)
def test_a_row_that_is_spoilt_is_refused_by_its_line(
    exported: Move, change: Callable[[Lines], object], told: str
) -> None:
    exported.edit(change)
    problems = exported.refusal()
    assert problems[0].startswith("line ")
    assert told in problems[0]


def test_all_that_is_wrong_is_told_at_once(exported: Move) -> None:
    exported.edit(lambda rows: [row["row"].update(colour={"S": "red"}) for row in rows])
    assert [line.partition(":")[0] for line in exported.refusal()] == [
        f"line {number}" for number in range(2, len(exported.lines))
    ]


def test_no_more_is_told_than_can_be_read(exported: Move, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "SHOWN_PROBLEMS", 3)
    exported.edit(lambda rows: [row["row"].update(colour={"S": "red"}) for row in rows])
    assert exported.refusal()[3:] == [f"and {len(exported.lines) - 2 - 3} more"]


def test_a_file_that_is_cut_off_is_refused_wherever(exported: Move) -> None:
    whole = exported.path.read_bytes()
    for length in [*range(0, len(whole), 97), len(whole) - 1]:
        exported.path.write_bytes(whole[:length])
        (problem,) = exported.refusal()
        assert "line" in problem


@pytest.mark.parametrize("line", [0, 1, 5, -1])
def test_a_line_that_is_gone_is_noticed(exported: Move, line: int) -> None:
    lines = exported.lines
    del lines[line]
    exported.path.write_bytes(b"".join(lines))
    assert exported.refusal()


def test_another_order_of_lines_is_noticed(exported: Move) -> None:
    first, second, third, *rest = exported.lines
    exported.path.write_bytes(b"".join([first, third, second, *rest]))
    assert "not those that the last line counts" in exported.refusal()[0]


def test_what_comes_after_the_end_is_noticed(exported: Move) -> None:
    exported.path.write_bytes(b"".join([*exported.lines, exported.lines[-1]]))
    assert exported.refusal()


def test_a_letter_that_changed_on_the_way_is_noticed(exported: Move) -> None:
    changed = exported.path.read_bytes().replace(
        b'"client_name":{"S":"Example"}', b'"client_name":{"S":"Sxample"}'
    )
    exported.path.write_bytes(changed)
    assert "not those that the last line counts" in exported.refusal()[0]


@pytest.mark.parametrize("damage", [b"", b"\x00\xff", b"[1]", b"{" * 3000, b'{"table": "users"'])
def test_a_line_that_is_no_object_is_told(exported: Move, damage: bytes) -> None:
    lines = exported.lines
    lines[3] = damage + b"\n"
    exported.path.write_bytes(b"".join(lines))
    assert exported.refusal()[0].startswith("line 4: ")


HEADERS = {
    "something else": ({"hello": "world"}, "no export of a stage"),
    "a later version": ({"format": "oauth stage", "version": 2, "tables": []}, "version 2"),
    "no tables": ({"format": "oauth stage", "version": 1}, "does not say which tables"),
    "tables of another kind": ({"format": "oauth stage", "version": 1, "tables": [1]}, "does not say which"),
    "a table that is unknown": (
        {"format": "oauth stage", "version": 1, "tables": ["users", "robots"]},
        "there is no table robots here",
    ),
}


@pytest.mark.parametrize(("header", "told"), HEADERS.values(), ids=HEADERS)
def test_a_file_of_another_form_is_refused(exported: Move, header: dict[str, Any], told: str) -> None:
    exported.path.write_bytes(b"".join([json.dumps(header).encode() + b"\n", *exported.lines[1:]]))
    (problem,) = exported.refusal()
    assert problem.startswith("Error: line 1: ")
    assert told in problem


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"[]", b'{"a": 1}\n', b"email\na@example.org\n", b"\xff\xfe"]
)
def test_what_is_no_export_is_refused(exported: Move, content: bytes) -> None:
    exported.path.write_bytes(content)
    assert exported.refusal()


def test_a_check_writes_nothing(exported: Move) -> None:
    found = exported.arrive("--dry-run")
    assert found["dry_run"]
    assert found["rows"] == len(exported.lines) - 2


# What is there already


def test_rows_that_are_there_are_not_touched_unless_one_says_so(
    deployment: Deployment, app: App, move: Move
) -> None:
    move.manager.text("export", move.file)
    before = deployment.snapshot()
    problems = move.refusal()
    assert all("there is such a row already" in problem for problem in problems)
    assert deployment.snapshot() == before


@pytest.mark.parametrize("if_exists", ["skip", "replace"])
def test_an_import_that_was_interrupted_goes_on(
    deployment: Deployment, app: App, move: Move, monkeypatch: pytest.MonkeyPatch, if_exists: str
) -> None:
    monkeypatch.setattr(importing, "READ_AT_ONCE", 1)
    monkeypatch.setattr("management.aws.THREADS", 1)
    token = deployment.tokens(app)["access_token"]
    before = deployment.snapshot()
    total = move.leave()["rows"]
    with meanwhile("BatchWriteItem", lambda: os.kill(os.getpid(), signal.SIGINT)):
        result = move.manager.run("import", move.file)
    assert result.exit_code == 128 + signal.SIGINT
    last = result.stderr.splitlines()[-1]
    assert last == f"Interrupted: 1 of {total} rows imported. {stage_target.GO_ON}"
    gone_on = move.arrive("--if-exists", if_exists)
    assert gone_on["imported"] == total - 1
    assert deployment.snapshot() == before
    assert is_alive(token)


def test_skip_leaves_what_is_there_and_replace_does_not(deployment: Deployment, app: App, move: Move) -> None:
    move.manager.text("export", move.file)
    Client(app.client_id).update([Client.client_name.set("Spoilt")])  # By none of our writes.
    assert move.arrive("--if-exists", "skip")["imported"] == 0
    assert deployment.client(app).client_name == "Spoilt"
    assert move.arrive("--if-exists", "replace")["replaced"] > 0
    assert deployment.client(app).client_name == "Example"


def test_a_new_password_ends_what_came_from_a_place_where_there_had_been_more_of_them(
    deployment: Deployment, app: App, move: Move
) -> None:
    browser = deployment.signed_in_browser()
    move.manager.text("export", move.file)
    before = move.path.read_bytes()
    (account,) = Account.scan()
    for _ in range(2):
        accounts.end_sessions(account)
    token = deployment.tokens(app)["access_token"]
    move.path.unlink()
    move.leave()
    after = move.path.read_bytes()
    move.path.write_bytes(before)
    move.arrive()
    move.path.write_bytes(after)
    move.arrive("--if-exists", "skip")
    assert is_alive(token)
    page = browser.get("/account")
    new = {"current_password": PASSWORD, "new_password": "another password"}
    assert browser.submit(page, page.forms[0], **new).location == "/account"
    assert not is_alive(token)
    assert browser.get(app.authorization_url()).form.buttons  # Asked anew.


def test_an_address_that_is_another_accounts_is_refused(deployment: Deployment, app: App, move: Move) -> None:
    move.leave()
    other = deployment.add_account()
    for if_exists in ("fail", "skip", "replace"):
        problems = move.refusal("--if-exists", if_exists)
        assert any(f"{EMAIL} belongs to another account here" in problem for problem in problems)
    found = accounts.find_by_email(EMAIL)
    assert found
    assert found.user_id == other.user_id


def ended_revoked(deployment: Deployment, app: App) -> object:
    (grant,) = [grant for grant in Grant.scan() if grant.user_id]
    revocation.revoke_grant(grant.grant_id, "of the test")
    return lambda: Grant.get(grant.grant_id).revoked_at


def ended_disabled(deployment: Deployment, app: App) -> object:
    account = accounts.find_by_email(EMAIL)
    assert account
    accounts.disable(account)
    return lambda: Account.get(account.user_id, "account").disabled_at


def ended_password(deployment: Deployment, app: App) -> object:
    account = accounts.find_by_email(EMAIL)
    assert account
    accounts.set_password(account, "another password")
    return lambda: Account.get(account.user_id, "account").password_hash


def ended_client(deployment: Deployment, app: App) -> object:
    registration.disable(deployment.client(app))
    return lambda: deployment.client(app).disabled_at


def ended_consents(deployment: Deployment, app: App) -> object:
    registration.forget_consents(deployment.client(app))
    return lambda: deployment.client(app).consents_since


def ended_operator(deployment: Deployment, app: App) -> object:
    account = accounts.find_by_email(EMAIL)
    assert account
    accounts.set_operator(account, False)
    return lambda: not Account.get(account.user_id, "account").is_operator


def ended_secret(deployment: Deployment, app: App) -> object:
    registration.rotate_secret(deployment.client(app))
    return lambda: [secret.hash for secret in deployment.client(app).secrets]


def ended_verification(deployment: Deployment, app: App) -> object:
    registration.verify(deployment.client(app), False)
    return lambda: deployment.client(app).verified_at is None


def ended_redirect_uri(deployment: Deployment, app: App) -> object:
    metadata = ClientMetadata(client_name="Example", redirect_uris=("https://new.example/",))
    registration.update(deployment.client(app), metadata, keep_verified=True)
    return lambda: deployment.client(app).redirect_uris


def newer_refresh_token(deployment: Deployment, app: App) -> object:
    """Trade a refresh token in the very second in which it was issued."""
    grant = next(grant for grant in Grant.scan() if grant.refresh_token)
    grant.refresh_token.seed = "newer"
    grant.write()
    return lambda: Grant.get(grant.grant_id).refresh_token.seed


def newer_consent(deployment: Deployment, app: App) -> object:
    (consent,) = Consent.scan()
    consent.granted_at += 1
    consent.scope = "read write"
    consent.save()
    return lambda: Consent.get(consent.user_id, consent.item).scope


def newer_session(deployment: Deployment, app: App) -> object:
    (session,) = BrowserSession.scan()
    session.last_used_at += 1
    session.save()
    return lambda: BrowserSession.get(session.key).last_used_at


ENDED = [
    newer_consent,
    newer_session,
    ended_revoked,
    ended_disabled,
    ended_password,
    ended_client,
    ended_consents,
    ended_operator,
    ended_secret,
    ended_verification,
    ended_redirect_uri,
    newer_refresh_token,
]


@pytest.mark.parametrize("end", ENDED)
def test_replacing_brings_nothing_back_that_has_ended(
    deployment: Deployment, app: App, move: Move, end: Callable[[Deployment, App], Any]
) -> None:
    deployment.tokens(app)
    move.manager.text("user", "promote", EMAIL)
    move.manager.text("export", move.file)
    look = end(deployment, app)
    ended = look()
    assert ended
    move.arrive("--if-exists", "replace")
    assert look() == ended


def test_a_secret_that_leaked_opens_nothing_after_replacing(
    deployment: Deployment, app: App, move: Move
) -> None:
    move.manager.text("export", move.file)
    secret = registration.rotate_secret(deployment.client(app))
    move.arrive("--if-exists", "replace")
    assert app.exchange(deployment.code(app)).status == 401
    rotated = App(app.client_id, secret, app.redirect_uri)
    assert rotated.exchange(deployment.code(app)).status == 200


def test_what_replacing_keeps_is_counted_beforehand(deployment: Deployment, app: App, move: Move) -> None:
    move.manager.text("export", move.file)
    registration.rotate_secret(deployment.client(app))
    move.manager.text("user", "demote", EMAIL)
    before = deployment.snapshot()
    kept = {"account": 1, "client": 1, "audit": 2}
    assert move.arrive("--if-exists", "replace", "--dry-run")["kept"] == kept
    found = move.arrive("--if-exists", "replace")
    assert (found["kept"], found["replaced"]) == (kept, found["rows"] - 4)
    assert deployment.snapshot() == before


ISSUER = "https://id.example"


@pytest.mark.parametrize("if_exists", ["skip", "replace"])
def test_who_was_unlinked_stays_so_and_can_be_linked_anew(
    deployment: Deployment, move: Move, if_exists: str
) -> None:
    account = identities.account_of(ISSUER, "person", lambda: EMAIL)
    move.manager.text("export", move.file)
    move.manager.text("user", "unlink", EMAIL)
    before = deployment.snapshot()
    found = move.arrive("--if-exists", if_exists)
    assert (found["left_out"], found["added"]) == ({"identity": 1}, {})
    assert deployment.snapshot() == before
    assert identities.account_of(ISSUER, "person", lambda: EMAIL).user_id == account.user_id


@pytest.mark.parametrize("if_exists", ["skip", "replace"])
def test_who_is_linked_to_somebody_else_by_now_stays_so(
    deployment: Deployment, move: Move, if_exists: str
) -> None:
    identities.account_of(ISSUER, "former", lambda: EMAIL)
    move.manager.text("export", move.file)
    move.manager.text("user", "unlink", EMAIL)
    identities.account_of(ISSUER, "next", lambda: EMAIL)
    before = deployment.snapshot()
    found = move.arrive("--if-exists", if_exists)
    assert (found["left_out"], found["added"]) == ({"identity": 1}, {})
    assert deployment.snapshot() == before


@pytest.mark.parametrize("if_exists", ["skip", "replace"])
def test_who_owned_an_application_formerly_does_not_get_it_back(
    deployment: Deployment, app: App, move: Move, if_exists: str
) -> None:
    account = accounts.find_by_email(EMAIL)
    assert account
    metadata = ClientMetadata(client_name="Of my own", redirect_uris=(app.redirect_uri,))
    client, _ = registration.register(metadata, owner=account.user_id, verified=False)
    move.manager.text("export", move.file)
    client.owner = deployment.add_account("other@example.org").user_id
    registration.store(client, former_owner=account.user_id)
    before = deployment.snapshot()
    assert move.arrive("--if-exists", if_exists)["left_out"] == {"application": 1}
    assert deployment.snapshot() == before


def test_an_identity_that_is_gone_is_put_back(deployment: Deployment, move: Move) -> None:
    account = identities.account_of(ISSUER, "person", lambda: EMAIL)
    move.manager.text("export", move.file)
    before = deployment.snapshot()
    Identity(account.identity, Identity.ITEM).delete()
    assert move.arrive("--if-exists", "skip")["imported"] == 1
    assert deployment.snapshot() == before


def test_replacing_sets_back_no_grant_that_went_on(
    deployment: Deployment, app: App, move: Move, time: Time
) -> None:
    tokens = deployment.tokens(app)
    move.manager.text("export", move.file)
    time.passes(MINUTE)
    refreshed = app.refresh(tokens["refresh_token"]).json
    move.arrive("--if-exists", "replace")
    assert app.refresh(refreshed["refresh_token"]).status == 200


def test_consents_can_stay_behind(deployment: Deployment, app: App, move: Move) -> None:
    browser = deployment.signed_in_browser()
    deployment.tokens(app, browser)
    move.leave()
    assert move.arrive("--forget-consents")["consents_forgotten"] == 1
    assert browser.get(app.authorization_url()).form


# What was torn apart


def gone(is_gone: Callable[[dict[str, Any]], bool]) -> Callable[[Lines], None]:
    def change(rows: Lines) -> None:
        rows[:] = [row for row in rows if not is_gone(row["row"])]

    return change


def of_kind(kind: str) -> Callable[[Lines], None]:
    return gone(lambda row: bool(row.get("kind", {}).get("S") == kind))


ADDED = {"email": "email", "pointer to a grant": "grant", "pointer to an application": "application"}


@pytest.fixture
def torn(deployment: Deployment, move: Move, app: App) -> Move:
    """Return a move of somebody who owns an application, has connected one and is known upstream."""
    account = accounts.find_by_email(EMAIL)
    assert account
    key = "identity#issuer#subject"
    account.update([Account.identity.set(key)])
    Identity(key, Identity.ITEM, account_id=account.user_id).save()
    metadata = ClientMetadata(client_name="Of my own", redirect_uris=(app.redirect_uri,))
    registration.register(metadata, owner=account.user_id, verified=False)
    deployment.tokens(app)
    app.start_device()
    return move


@pytest.mark.parametrize("kind", ["email", "identity", "grant", "application"])
def test_a_row_that_can_be_told_from_the_rest_is_added(deployment: Deployment, torn: Move, kind: str) -> None:
    before = deployment.snapshot()
    torn.leave()
    torn.edit(of_kind(kind))
    assert torn.arrive()["added"] == {kind: 1}
    after = deployment.snapshot()
    if kind == "grant":  # How long the pointer lasts is not known; it lasts longer, never shorter.
        (pointer,) = [row for row in after["users"] if row["kind"] == {"S": "grant"}]
        (earlier,) = [row for row in before["users"] if row["kind"] == {"S": "grant"}]
        assert int(pointer["expires_at"]["N"]) >= int(earlier["expires_at"]["N"])
        pointer["expires_at"] = earlier["expires_at"]
    assert after == before


def test_what_was_granted_ends_with_the_account_even_if_its_pointer_was_lost(
    deployment: Deployment, torn: Move
) -> None:
    app = deployment.add_app(name="Another")
    token = deployment.tokens(app)["access_token"]
    torn.leave()
    torn.edit(of_kind("grant"))
    torn.arrive()
    assert is_alive(token)
    torn.manager.text("user", "disable", EMAIL)
    assert not is_alive(token)


LEFT_OUT: dict[str, tuple[Callable[[dict[str, Any]], bool], dict[str, int]]] = {
    "grants": (lambda row: "authorization_code" in row, {"grant": 1}),
    "account": (
        lambda row: row.get("kind") == {"S": "account"},
        {"email": 1, "identity": 1, "grant": 2},
    ),
    "client": (lambda row: row.get("client_name") == {"S": "Of my own"}, {"application": 1}),
    "grant that a device asks for": (lambda row: "device_code" in row, {"user_code": 1}),
}


@pytest.mark.parametrize(("is_gone", "left_out"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_what_leads_nowhere_is_left_out(
    deployment: Deployment, torn: Move, is_gone: Callable[[dict[str, Any]], bool], left_out: dict[str, int]
) -> None:
    torn.leave()
    torn.edit(gone(is_gone))
    assert torn.arrive()["left_out"] == left_out
    torn.path.unlink()
    torn.leave()
    assert torn.arrive()["left_out"] == {}


def test_two_accounts_of_one_address_are_refused(deployment: Deployment, app: App, move: Move) -> None:
    move.leave()

    def double(rows: Lines) -> None:
        (account,) = [row for row in rows if row["row"].get("kind") == {"S": "account"}]
        rows.append({"table": "users", "row": account["row"] | {"user_id": {"S": "another"}}})

    move.edit(double)
    assert "what belongs to it is another's" in move.refusal()[0]


# What a copy of earlier brings back, where all else is lost


def test_a_refresh_token_that_was_traded_since_the_copy_ends_its_grant(
    deployment: Deployment, app: App, move: Move, time: Time
) -> None:
    """The grant knows that it issued the newer token, and not that it is current: it looks stolen."""
    tokens = deployment.tokens(app)
    move.leave()
    move.arrive()
    newer = app.refresh(tokens["refresh_token"]).json
    time.passes(10 * MINUTE)
    move.clear()
    move.arrive()
    assert is_alive(tokens["access_token"])
    assert not is_alive(newer["access_token"])
    assert app.refresh(newer["refresh_token"]).json["error"] == "invalid_grant"
    assert not is_alive(tokens["access_token"])
    assert is_alive(deployment.tokens(app)["access_token"])  # The user allows it anew.


def test_who_stole_the_token_that_is_current_again_is_noticed_at_the_owners_next_refresh(
    deployment: Deployment, app: App, move: Move, time: Time
) -> None:
    stolen = deployment.tokens(app)["refresh_token"]
    move.leave()
    move.arrive()
    newer = app.refresh(stolen).json["refresh_token"]
    time.passes(10 * MINUTE)
    move.clear()
    move.arrive()
    thiefs = app.refresh(stolen).json
    assert app.refresh(newer).status == 400
    assert not is_alive(thiefs["access_token"])
    assert app.refresh(thiefs["refresh_token"]).status == 400


def test_a_code_of_before_the_copy_is_over_by_then(
    deployment: Deployment, app: App, move: Move, time: Time
) -> None:
    code = deployment.code(app)
    move.leave()
    time.passes(10 * MINUTE)
    move.arrive()
    assert app.exchange(code).status == 400


def test_what_was_revoked_since_the_copy_is_to_be_revoked_again(
    deployment: Deployment, app: App, move: Move
) -> None:
    token = deployment.tokens(app)["access_token"]
    move.leave()
    move.arrive()
    move.manager.text("grant", "revoke", "--user", EMAIL, "--yes")
    assert not is_alive(token)
    move.clear()
    move.arrive()
    assert is_alive(token)
    move.manager.text("grant", "revoke", "--user", EMAIL, "--yes")
    assert not is_alive(token)


# What goes wrong meanwhile


@pytest.mark.parametrize("operation", ["BatchGetItem", "BatchWriteItem"])
def test_storage_that_fails_is_told_with_how_to_go_on(
    deployment: Deployment, app: App, move: Move, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws, "ATTEMPTS", 1)
    move.leave()
    with storage_fails(FAULTS["throttled"], operation):
        result = move.manager.run("import", move.file)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    told = stage_target.GO_ON in result.stderr
    assert told == (operation == "BatchWriteItem")
    assert move.arrive("--if-exists", "skip")["skipped"] == 0


def test_what_dynamodb_did_not_get_to_is_sent_again(
    deployment: Deployment, app: App, move: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = deployment.snapshot()
    move.leave()
    client = aws.dynamodb()
    write = client.batch_write_item

    def reluctant(RequestItems: dict[str, list[Any]]) -> dict[str, Any]:  # noqa: N803
        (name, requests), *others = RequestItems.items()
        write(RequestItems={name: requests[:1]})
        left = {name: requests[1:]} if requests[1:] else {}
        return {"UnprocessedItems": left | dict(others)}

    monkeypatch.setattr(client, "batch_write_item", reluctant)
    with mock.patch("management.aws.dynamodb", return_value=client), mock.patch("time.sleep") as slept:
        move.arrive()
    assert slept.called
    assert deployment.snapshot() == before


def test_tables_that_stay_throttled_are_told(
    deployment: Deployment, app: App, move: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    move.leave()
    client = aws.dynamodb()
    monkeypatch.setattr(client, "batch_write_item", lambda **sent: {"UnprocessedItems": sent["RequestItems"]})
    with mock.patch("management.aws.dynamodb", return_value=client), mock.patch("time.sleep"):
        assert "throttles for too long" in move.manager.refused("import", move.file)


# Whatever the rows are

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="#"), min_size=1, max_size=20)
TIMES = st.integers(clock.now() + 86400, 1 << 40)
NAMES = st.text("0123456789abcdefghijABCDEFGHIJ", min_size=8, max_size=8)


@st.composite
def stages(draw: st.DrawFn) -> list[Any]:
    """Draw rows of every kind, with any text and any time in them."""
    user_id, client_id = draw(NAMES), draw(NAMES)
    account = Account(
        user_id, Account.ITEM, email=draw(TEXT), created_at=draw(TIMES), epoch=draw(st.integers(0, 99))
    )
    account.password_hash = draw(st.none() | TEXT)
    account.disabled_at = draw(st.none() | TIMES)
    client = Client(client_id, client_name=draw(TEXT), grant_types=draw(st.lists(TEXT)), scope=draw(TEXT))
    client.created_at, client.jwks = draw(TIMES), draw(st.none() | TEXT)
    grant = Grant(draw(NAMES), client_id=client_id, user_id=user_id, scope=draw(TEXT), created_at=draw(TIMES))
    grant.expires_at, grant.issued_on = draw(TIMES), draw(TEXT)
    grant.access_tokens = [
        AccessToken(hash=draw(TEXT), scope=draw(TEXT), issued_at=draw(TIMES), expires_at=draw(TIMES))
        for _ in range(draw(st.integers(0, 3)))
    ]
    pointer = UserGrant(user_id, UserGrant.items_of(client_id) + grant.grant_id, client_id=client_id)
    pointer.grant_id, pointer.expires_at = grant.grant_id, draw(TIMES)
    consent = Consent(user_id, Consent.item_of(client_id), client_id=client_id, scope=draw(TEXT))
    consent.granted_at = draw(TIMES)
    code = MailedCode(
        f"mailed-code#{draw(TEXT)}", email=draw(TEXT), code_mac=draw(TEXT), expires_at=draw(TIMES)
    )
    throttle = Throttle(f"throttle#{draw(TEXT)}", failures=draw(st.integers(0, 99)), expires_at=draw(TIMES))
    throttle.blocked_until = draw(TIMES)
    spent = SpentAssertion(f"assertion#{draw(TEXT)}", expires_at=draw(TIMES))
    for row in (account, client, grant, code, throttle, spent):
        row.revision = draw(TEXT)
    address = EmailAddress(account.email, EmailAddress.ITEM, account_id=user_id)
    return [account, address, client, grant, pointer, consent, code, throttle, spent]


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=stages())
def test_any_row_comes_out_as_it_went_in(deployment: Deployment, move: Move, rows: list[Any]) -> None:
    for model in TABLES.values():
        for row in model.scan():
            row.delete()
    move.path.unlink(missing_ok=True)
    for row in rows:
        row.save()
    before = deployment.snapshot()
    move.manager.text("export", move.file)
    for row in rows:
        row.delete()
    assert move.arrive()["imported"] == len(rows)
    assert deployment.snapshot() == before
