"""`manage.py status`: how a stage is, and what is insecure about it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import pytest

from chalicelib.settings import Settings, settings
from management import status
from tests.harness import Deployment
from tests.management.conftest import CommandLine

Change = Callable[[str, object], None]
PROD = ("--stage", "prod")


@pytest.fixture
def made(manager: CommandLine) -> CommandLine:
    """Return the command line of a deployment whose tables are as they should be."""
    manager.text("tables", "delete", "--yes")
    manager.text("tables", "create")
    return manager


@pytest.fixture
def careful(change_setting: Change) -> None:
    """Set what nobody can say anything against."""
    change_setting("issuer", "https://auth.example.org")
    change_setting("access_token_lifetime", 3600)
    change_setting("require_pkce", True)


def findings(manager: CommandLine, *stage: str) -> dict[tuple[str, str], str]:
    """Return the sentences about settings and tables, by level and what they are about."""
    found = manager.json(*stage, "status")["findings"]
    return {(finding["level"], finding["about"]): finding["sentence"] for finding in found}


def test_tables_are_told_with_counts_ttl_and_recovery(made: CommandLine, deployment: Deployment) -> None:
    deployment.add_app()
    tables = {table["table"]: table for table in made.json("status")["tables"]}
    assert len(tables) == 5
    clients, grants = tables["oauth-test-clients"], tables["oauth-test-grants"]
    assert (clients["items"], grants["items"]) == (1, 0)
    assert (clients["ttl"], grants["ttl"]) == (False, True)
    assert clients["point_in_time_recovery"] is grants["point_in_time_recovery"] is True


def test_every_setting_is_told_with_its_value_and_where_it_is_from(
    made: CommandLine, change_setting: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OAUTH_REQUIRE_PKCE", "true")
    change_setting("require_pkce", True)
    told = {value["setting"]: value for value in made.json("status")["settings"]}
    assert told.keys() == {f"OAUTH_{setting.name.upper()}" for setting in fields(settings)}
    assert told["OAUTH_REQUIRE_PKCE"] == {
        "setting": "OAUTH_REQUIRE_PKCE",
        "value": True,
        "source": "this shell",
    }
    assert told["OAUTH_ACCESS_TOKEN_LIFETIME"]["value"] == 30 * 86400
    assert told["OAUTH_ACCESS_TOKEN_LIFETIME"]["source"] == "default"
    assert told["OAUTH_TABLE_PREFIX"]["source"] == "config.json"
    assert told["OAUTH_SCOPES"]["value"].keys() == {"read", "write"}


def test_a_secret_is_never_told(made: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True)
    class WithSecret(Settings):
        key: str = field(default="", metadata={"secret": True})

    monkeypatch.setattr(status, "settings", WithSecret(key="canary"))
    for output in (made.text("status"), made.text("status", "--json")):
        assert "canary" not in output
        assert "(set)" in output


def test_people_get_tables_and_sentences(made: CommandLine, change_setting: Change) -> None:
    change_setting("platform_logo", "data:image/png;base64," + "A" * 1000)
    text = made.text("status")
    assert "AAAA" in text
    assert "A" * 100 not in text
    lines = {line.split()[0]: line.split() for line in text.splitlines() if line}
    assert lines["oauth-test-grants"][1] == "ACTIVE"
    assert lines["OAUTH_ACCESS_TOKEN_LIFETIME"][1:] == ["30", "d", "default"]
    assert lines["OAUTH_SCOPES"][1:] == ["read,", "write", "default"]
    assert "note: OAUTH_ACCESS_TOKEN_LIFETIME: who finds an access token" in text


@pytest.mark.usefixtures("careful")
def test_there_may_be_nothing_to_say(made: CommandLine) -> None:
    assert findings(made) == {}
    assert "There is nothing to say against it." in made.text("status")


@pytest.mark.usefixtures("careful")
@pytest.mark.parametrize(
    ("setting", "value", "level"),
    [
        ("issuer", "http://auth.example.org", "insecure"),
        ("issuer", "http://127.0.0.1.example.org", "insecure"),
        ("issuer", "http://localhost:8000", None),
        ("issuer", "http://[::1]:8000/dev", None),
        ("access_token_lifetime", 86400, None),
        ("access_token_lifetime", 86401, "note"),
        ("refresh_retry_window", 0, "note"),
        ("require_pkce", False, "note"),
        ("session_lifetime", 30 * 86400, "note"),
        ("session_idle_lifetime", 2 * 86400, None),
        ("default_scope", "read write", "note"),
        ("authorizer_cache_lifetime", 3600, "note"),
        ("client_cache_lifetime", 300, "note"),
        ("authorization_code_lifetime", 600, "note"),
        ("mail", "console", "insecure"),
        ("mail", "file:/tmp/mail", "insecure"),
        ("mail", "ses", None),
        ("sign_up", True, "insecure"),
        ("may_register", "everyone", "note"),
        ("may_register", "operators", None),
    ],
)
def test_what_is_set_is_judged(
    made: CommandLine, monkeypatch: pytest.MonkeyPatch, setting: str, value: object, level: str | None
) -> None:
    monkeypatch.setitem(vars(settings), setting, value)
    found = findings(made, *PROD)
    about = f"OAUTH_{setting.upper()}"
    assert {found_level for found_level, what in found if what == about} == ({level} if level else set())


@pytest.mark.usefixtures("careful")
def test_sessions_that_idle_for_days_are_worth_a_note(made: CommandLine, change_setting: Change) -> None:
    change_setting("session_lifetime", 3 * 86400)
    change_setting("session_idle_lifetime", 3 * 86400)
    assert findings(made).keys() == {("note", "OAUTH_SESSION_IDLE_LIFETIME")}


@pytest.mark.usefixtures("careful")
@pytest.mark.parametrize(("setting", "value"), [("issuer", ""), ("mail", "console")])
def test_on_ones_own_machine_more_is_fine(
    made: CommandLine, monkeypatch: pytest.MonkeyPatch, setting: str, value: str
) -> None:
    monkeypatch.setitem(vars(settings), setting, value)
    assert findings(made) == {}


@pytest.mark.usefixtures("careful")
def test_what_only_this_shell_says_is_noted_for_a_deployed_stage(
    made: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OAUTH_PLATFORM_NAME", "Elsewhere")
    assert findings(made) == {}
    assert ("note", "OAUTH_PLATFORM_NAME") in findings(made, *PROD)


@pytest.mark.usefixtures("careful")
def test_tables_of_prod_that_can_be_deleted_are_insecure(
    made: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert findings(made, "--stage", "dev") == {}
    found = findings(made, *PROD)
    assert ("insecure", "oauth-test-users") in found
    assert "can be deleted" in found["insecure", "oauth-test-users"]


@pytest.mark.usefixtures("careful")
def test_what_is_wrong_with_tables_is_told(manager: CommandLine) -> None:
    """The fixture makes them without TTL and recovery."""
    found = findings(manager)
    assert ("insecure", "oauth-test-clients") in found
    assert ("note", "oauth-test-clients") not in found
    assert ("note", "oauth-test-grants") in found
    manager.text("tables", "delete", "--yes")
    found = findings(manager)
    assert "is not there" in found["insecure", "oauth-test-clients"]


def test_the_worst_comes_first(manager: CommandLine) -> None:
    levels = [finding["level"] for finding in manager.json("status")["findings"]]
    assert levels == sorted(levels)
    assert set(levels) == {"insecure", "note"}


def test_a_script_can_check(made: CommandLine, change_setting: Change) -> None:
    """Notes are no failure; what is insecure is, if that is asked for."""
    assert findings(made)
    assert made.run("status", "--check").exit_code == 0
    change_setting("issuer", "http://auth.example.org")
    assert made.run("status").exit_code == 0
    result: Any = made.run("status", "--check", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["findings"][0]["level"] == "insecure"
