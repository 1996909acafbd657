"""`manage.py user import` and `user export`: accounts from elsewhere, and to elsewhere."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chalicelib import clock
from chalicelib.accounts import accounts, sessions
from chalicelib.models.user import Account
from tests.accounts.test_foreign_hashes import HASHES
from tests.faults import FAULTS, meanwhile, storage_fails
from tests.harness import EMAIL, PASSWORD, Deployment
from tests.management.conftest import CommandLine

FULL = {
    "email": EMAIL,
    "password_hash": HASHES["django pbkdf2_sha256"],
    "created_at": "2020-01-02T03:04:05+00:00",
    "disabled": False,
    "is_operator": True,
    "user_id": "0123456789abcdEF",
}
"""An entry with all that there may be."""

CREATED = int(datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp())

Write = Callable[[object], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return how a file is written: text and bytes as they are, entries as JSON."""

    def write(content: object) -> str:
        path = tmp_path / "users"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            text = content if isinstance(content, str) else json.dumps(content)
            path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def stored(email: str = EMAIL) -> Account:
    account = accounts.find_by_email(email)
    assert account
    return account


def people(count: int) -> list[dict[str, Any]]:
    return [{"email": f"{number:04}@example.org"} for number in range(count)]


# What a file may look like


FORMATS = {
    "array": json.dumps([FULL], indent=1),
    "lines": json.dumps(FULL) + "\n\n",
    "csv": ",".join(FULL) + "\n" + ",".join(str(value) for value in FULL.values()) + "\n",
    "csv in other cases": ",".join(FULL)
    + "\r\n"
    + ",".join({"False": "0", "True": "TRUE"}.get(str(value), str(value)) for value in FULL.values()),
    "with a byte order mark": "\ufeff" + json.dumps([FULL]),
}


@pytest.mark.parametrize("text", FORMATS.values(), ids=FORMATS)
def test_all_that_an_entry_tells_is_kept(manager: CommandLine, write: Write, text: str) -> None:
    assert manager.json("user", "import", write(text)) == {"imported": 1, "skipped": 0}
    account = stored()
    assert account.user_id == FULL["user_id"]
    assert account.password_hash == FULL["password_hash"]
    assert account.created_at == CREATED
    assert account.is_operator
    assert account.disabled_at is None
    assert sessions.sign_in(EMAIL, PASSWORD, "192.0.2.1")


def test_a_file_may_come_by_standard_input(manager: CommandLine) -> None:
    assert manager.json("user", "import", "-", typed=json.dumps([FULL]))["imported"] == 1


def test_an_email_address_is_enough(manager: CommandLine, write: Write) -> None:
    manager.text("user", "import", write([{"email": f" {EMAIL.upper()} ", "password_hash": None}]))
    account = stored()
    assert len(account.user_id) == 16
    assert account.password_hash is None
    assert not account.is_operator
    assert clock.now() - account.created_at < 60
    assert not sessions.sign_in(EMAIL, "", "192.0.2.1")


def test_empty_cells_say_nothing(manager: CommandLine, write: Write) -> None:
    manager.text("user", "import", write(f"email,password_hash,created_at,disabled\n{EMAIL},,,\n"))
    assert stored().password_hash is None


@pytest.mark.parametrize(
    "created_at", [CREATED, str(CREATED), CREATED + 0.5, "2020-01-02T03:04:05", "2020-01-02T04:04:05+01:00"]
)
def test_times_are_iso_8601_or_epoch_seconds(manager: CommandLine, write: Write, created_at: object) -> None:
    manager.text("user", "import", write([{"email": EMAIL, "created_at": created_at}]))
    assert stored().created_at == CREATED


def test_a_disabled_account_stays_disabled(manager: CommandLine, write: Write) -> None:
    manager.text("user", "import", write([FULL | {"disabled": True}]))
    assert stored().disabled_at is not None
    assert not sessions.sign_in(EMAIL, PASSWORD, "192.0.2.1")


@pytest.mark.parametrize("text", ["[]", "email\n"])
def test_a_file_of_nobody_imports_nobody(manager: CommandLine, write: Write, text: str) -> None:
    assert manager.json("user", "import", write(text)) == {"imported": 0, "skipped": 0}


# What is refused


def refusal(manager: CommandLine, *arguments: str) -> list[str]:
    """Run an import that is refused, and return what it says before its last line."""
    result = manager.run("user", "import", *arguments)
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit)
    *problems, last = result.stderr.splitlines()
    assert last == "Error: nothing was imported"
    return problems


BAD = {
    "no email": ({"disabled": False}, "no email"),
    "email of another kind": ({"email": 7}, "email is no printable text"),
    "email that is none": ({"email": "x"}, "no e-mail address"),
    "email that is no text": ({"email": "\ud800@example.org"}, "email is no printable text"),
    "hash of another kind": ({"password_hash": 7}, "password_hash is no printable text"),
    "hash that is none": ({"password_hash": "md5$abc"}, "neither bcrypt, PBKDF2 nor argon2"),
    "hash that costs too much": (
        {"password_hash": "$2b$31$Y3qY.AsiVeMJhoueQMTBIelD7m7jdMKNNcpRRtDPDRJPK1fnNv8OK"},
        "bcrypt's cost is 31; it must be 4 to 13",
    ),
    "password in the clear": ({"password": "correct horse"}, "unknown member password"),
    "time that is none": ({"created_at": "yesterday"}, "neither ISO 8601 nor epoch seconds"),
    "time that is a flag": ({"created_at": True}, "neither ISO 8601 nor epoch seconds"),
    "time without end": ({"created_at": float("inf")}, "neither ISO 8601 nor epoch seconds"),
    "time in milliseconds": ({"created_at": CREATED * 1000}, "not milliseconds"),
    "time before all": ({"created_at": -1}, "not in the past"),
    "flag that is none": ({"disabled": "perhaps"}, "disabled is neither true nor false"),
    "operator that is none": ({"is_operator": 2}, "is_operator is neither true nor false"),
    "id of another form": ({"user_id": "42"}, "user_id is not 16 letters and digits"),
    "id that is an address": ({"user_id": "me@example.org.."}, "user_id is not 16 letters and digits"),
}


@pytest.mark.parametrize(("entry", "reason"), BAD.values(), ids=BAD)
def test_a_bad_entry_is_named_and_nothing_is_imported(
    manager: CommandLine, deployment: Deployment, write: Write, entry: dict[str, Any], reason: str
) -> None:
    if "no email" not in reason:
        entry = {"email": EMAIL} | entry
    (problem,) = refusal(manager, write([*people(2), entry, *people(3)[2:]]))
    assert problem.startswith("entry 3: ")
    assert reason in problem
    assert "correct horse" not in problem
    assert deployment.snapshot()["users"] == []


def test_every_bad_entry_is_named(manager: CommandLine, write: Write) -> None:
    problems = refusal(manager, write([{"email": "x"}, *people(1), "text", {"email": "y"}]))
    assert [problem.partition(":")[0] for problem in problems] == ["entry 1", "entry 3", "entry 4"]


def test_a_file_that_is_wrong_throughout_does_not_flood_the_terminal(
    manager: CommandLine, write: Write
) -> None:
    problems = refusal(manager, write([{"mail": EMAIL}] * 500))
    assert len(problems) == 21
    assert problems[-1] == "and 480 more"


@pytest.mark.parametrize("name", ["email", "user_id"])
def test_what_is_twice_in_a_file_is_refused(
    manager: CommandLine, deployment: Deployment, write: Write, name: str
) -> None:
    other = FULL | {"email": "other@example.org", "user_id": "another0another0"} | {name: FULL[name]}
    (problem,) = refusal(manager, write([FULL, other]))
    assert problem == f"entry 2: {FULL[name]} is in entry 1 already"
    assert deployment.snapshot()["users"] == []


FILES = {
    "nothing": b"",
    "another encoding": '[{"email": "ä@example.org"}]'.encode("latin-1"),
    "half an array": b'[{"email": "a@example.org"}',
    "array that never ends": b"[" * 100_000,
    "csv without email": b"mail\na@example.org\n",
    "csv that is none": b'email,password_hash\n"a@example.org" x,y\n',
    "csv with a cell too many": b"email\na@example.org,b\n",
    "csv with a cell too few": b"email,disabled\na@example.org\n",
    "half a line of json": b'{"email": "a@example.org"}\n{"email": \n',
    "binary": bytes(range(256)),
}


@pytest.mark.parametrize("raw", FILES.values(), ids=FILES)
def test_a_file_of_another_form_is_refused(
    manager: CommandLine, deployment: Deployment, write: Write, raw: bytes
) -> None:
    assert refusal(manager, write(raw))
    assert deployment.snapshot()["users"] == []


# Who is there already


def test_an_address_that_is_there_is_named_and_nothing_is_imported(
    manager: CommandLine, deployment: Deployment, write: Write
) -> None:
    accounts.add("0001@example.org", PASSWORD)
    before = deployment.snapshot()
    assert refusal(manager, write(people(3))) == ["entry 2: there is an account 0001@example.org"]
    assert deployment.snapshot() == before


def test_an_address_that_is_there_may_be_skipped(manager: CommandLine, write: Write) -> None:
    there = accounts.add("0001@example.org", PASSWORD)
    result = manager.json("user", "import", write(people(3)), "--if-exists", "skip")
    assert result == {"imported": 2, "skipped": 1}
    account = stored("0001@example.org")
    assert (account.user_id, account.password_hash) == (there.user_id, there.password_hash)


@pytest.mark.parametrize("if_exists", ["skip", "fail"])
def test_an_id_of_somebody_else_is_never_taken(
    manager: CommandLine, deployment: Deployment, write: Write, if_exists: str
) -> None:
    manager.text("user", "import", write([FULL]))
    before = deployment.snapshot()
    other = write([FULL | {"email": "other@example.org"}])
    assert refusal(manager, other, "--if-exists", if_exists) == [
        f"entry 1: {FULL['user_id']} is the id of another account"
    ]
    assert deployment.snapshot() == before


def test_who_signs_up_meanwhile_keeps_their_account(manager: CommandLine, write: Write) -> None:
    file = write(people(3))
    with meanwhile("TransactWriteItems", lambda: accounts.add("0000@example.org", PASSWORD)):
        result = manager.json("user", "import", file, "--if-exists", "skip")
    assert result == {"imported": 2, "skipped": 1}
    assert stored("0000@example.org").password_hash


def test_who_signs_up_meanwhile_stops_an_import_that_skips_nobody(manager: CommandLine, write: Write) -> None:
    file = write(people(3))
    with meanwhile("TransactWriteItems", lambda: accounts.add("0000@example.org", PASSWORD)):
        result = manager.run("user", "import", file)
    assert result.exit_code == 1
    assert "go on with --if-exists skip" in result.stderr
    assert "0000@example.org: there is an account" in result.stderr


# Many


def interrupt_after(monkeypatch: pytest.MonkeyPatch, count: int, error: type[BaseException]) -> None:
    """Let storing fail after so many accounts, once."""
    actual, left = accounts.store, [count]

    def store(account: Account) -> None:
        left[0] -= 1
        if left[0] == -1:
            raise error
        actual(account)

    monkeypatch.setattr(accounts, "store", store)


def test_an_import_that_was_interrupted_goes_on_where_it_was(
    manager: CommandLine, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(people(150))
    interrupt_after(monkeypatch, 60, KeyboardInterrupt)
    result = manager.run("user", "import", file)
    assert result.exit_code == 1
    assert "60 are imported, the rest is not: go on with --if-exists skip" in result.stderr
    assert refusal(manager, file)[0] == "entry 1: there is an account 0000@example.org"
    result = manager.json("user", "import", file, "--if-exists", "skip")
    assert result == {"imported": 90, "skipped": 60}
    emails = [record["email"] for record in manager.json("user", "list")]
    assert emails == [person["email"] for person in people(150)]


def test_storage_that_fails_is_told_with_how_to_go_on(manager: CommandLine, write: Write) -> None:
    file = write(people(2))
    with storage_fails(FAULTS["unavailable"], "TransactWriteItems"):
        result = manager.run("user", "import", file)
    assert result.exit_code == 1
    assert "0 are imported" in result.stderr
    assert "DynamoDB refused" in result.stderr
    assert manager.json("user", "import", file, "--if-exists", "skip")["imported"] == 2


def test_without_a_terminal_a_line_now_and_then_tells_how_far_it_is(
    manager: CommandLine, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("management.progress.EVERY", 0)
    result = manager.run("user", "import", write(people(3)), "--json")
    assert result.stderr.splitlines() == [f"{done} of 3 accounts imported" for done in (1, 2, 3)]
    assert json.loads(result.stdout)["imported"] == 3


# Exporting


def test_what_was_exported_can_be_imported_elsewhere(
    manager: CommandLine, deployment: Deployment, write: Write
) -> None:
    entries = [
        FULL,
        FULL | {"email": "disabled@example.org", "disabled": True, "user_id": "x" * 16},
        {"email": "nobody@example.org", "user_id": "y" * 16, "created_at": "2020-01-02T03:04:05+00:00"},
    ]
    manager.text("user", "import", write(entries))
    exported = manager.text("user", "export", "--with-password-hashes")
    manager.text("tables", "delete")
    manager.text("tables", "create")
    manager.text("user", "import", write(exported))
    assert manager.text("user", "export", "--with-password-hashes") == exported
    assert [json.loads(line)["email"] for line in exported.splitlines()] == [
        "disabled@example.org",
        "nobody@example.org",
        EMAIL,
    ]
    assert json.loads(exported.splitlines()[2]) == FULL


def test_password_hashes_are_exported_only_when_asked_for(manager: CommandLine, write: Write) -> None:
    accounts.add(EMAIL, PASSWORD)
    assert set(json.loads(manager.text("user", "export"))) == set(FULL) - {"password_hash"}
    assert "$argon2id$" not in manager.text("user", "export")
    assert "$argon2id$" in manager.text("user", "export", "--with-password-hashes")
