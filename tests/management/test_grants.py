"""`manage.py grant`."""

import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from unittest import mock

import pytest

from chalicelib import clock
from chalicelib.models.grant import Grant
from management import progress, revoking
from tests.conftest import Time
from tests.expect import assert_error
from tests.faults import FAULTS, meanwhile, storage_fails
from tests.harness import EMAIL, App, Browser, Deployment, count_requests, is_alive
from tests.management.conftest import CommandLine

OTHER = "other@example.org"
LISTED = {
    "grant_id",
    "client_id",
    "client_name",
    "user_id",
    "email",
    "scope",
    "created_at",
    "last_issued_at",
    "expires_at",
    "revoked_at",
    "revoked_because",
}


@pytest.fixture
def app(deployment: Deployment) -> App:
    deployment.add_account()
    return deployment.add_app(name="Map Editor", grant_types=("authorization_code", "refresh_token"))


@pytest.fixture
def browser(app: App, deployment: Deployment) -> Browser:
    return deployment.signed_in_browser()


@pytest.fixture
def machine(deployment: Deployment) -> App:
    return deployment.add_app(name="Machine", grant_types=("client_credentials",))


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a sweep look often at whether somebody interrupted."""
    monkeypatch.setattr(revoking, "CHUNK", 2)


def tokens_of(machine: App, count: int) -> list[str]:
    return [machine.token(grant_type="client_credentials").json["access_token"] for _ in range(count)]


def alive(tokens: list[str]) -> int:
    return sum(map(is_alive, tokens))


def id_of(token: str) -> str:
    return token[4:12]


def is_asked(app: App, browser: Browser) -> bool:
    """Tell whether the person is asked when the application wants to be connected again."""
    return browser.get(app.authorization_url()).status == 200


# Looking


def test_a_persons_grants_are_listed(
    manager: CommandLine, deployment: Deployment, app: App, browser: Browser
) -> None:
    token = deployment.tokens(app, browser)["access_token"]
    (record,) = manager.json("grant", "list", "--user", EMAIL.upper())
    assert record.keys() == LISTED
    assert record["grant_id"] == id_of(token)
    assert (record["client_id"], record["client_name"]) == (app.client_id, "Map Editor")
    assert (record["email"], record["scope"]) == (EMAIL, "read")
    assert record["created_at"] <= record["last_issued_at"] < record["expires_at"]
    assert record["revoked_at"] is record["revoked_because"] is None


def test_an_applications_grants_are_listed_with_their_people(
    manager: CommandLine, deployment: Deployment, app: App, browser: Browser
) -> None:
    deployment.add_account(OTHER)
    tokens = deployment.tokens(app, browser), deployment.tokens(app, deployment.signed_in_browser(OTHER))
    deployment.tokens(deployment.add_app(name="Unrelated"), browser)
    records = manager.json("grant", "list", "--client", app.client_id)
    assert {(record["grant_id"], record["email"]) for record in records} == {
        (id_of(tokens[0]["access_token"]), EMAIL),
        (id_of(tokens[1]["access_token"]), OTHER),
    }


def test_the_grants_that_were_used_last_come_first(manager: CommandLine, machine: App, time: Time) -> None:
    tokens = []
    for _ in range(8):
        tokens += tokens_of(machine, 1)
        time.passes(86400)
    records = manager.json("grant", "list", "--client", machine.client_id)
    assert [record["grant_id"] for record in records] == [id_of(token) for token in reversed(tokens)]


def test_an_applications_own_grants_have_no_person(manager: CommandLine, machine: App) -> None:
    tokens_of(machine, 1)
    (record,) = manager.json("grant", "list", "--client", machine.client_id)
    assert record["user_id"] is record["email"] is None


def test_grants_are_a_table_for_people(
    manager: CommandLine, deployment: Deployment, app: App, browser: Browser, time: Time
) -> None:
    grant_id = id_of(deployment.tokens(app, browser)["access_token"])
    minute = datetime.fromtimestamp(time.now, UTC).strftime("%Y-%m-%d %H:%M")
    of_application = manager.text("grant", "list", "--client", app.client_id).splitlines()
    of_person = manager.text("grant", "list", "--user", EMAIL, "--all").splitlines()
    assert of_application[0].split() == [
        *("grant_id", "email", "scope", "created_at", "last_issued_at", "expires_at")
    ]
    assert of_application[1].split()[:5] == [grant_id, EMAIL, "read", *minute.split()]
    assert of_person[0].split()[:3] == ["grant_id", "client_name", "client_id"]
    assert of_person[0].split()[-2:] == ["revoked_at", "revoked_because"]
    assert of_person[1].split()[:4] == [grant_id, "Map", "Editor", app.client_id]
    assert of_person[1].split()[-2:] == ["-", "-"]


@pytest.mark.parametrize("option", ["--user", "--client"])
def test_no_grants_are_an_empty_list(manager: CommandLine, app: App, option: str) -> None:
    whose = EMAIL if option == "--user" else app.client_id
    assert manager.json("grant", "list", option, whose) == []
    assert len(manager.text("grant", "list", option, whose).splitlines()) == 1


@pytest.mark.parametrize("option", ["--user", "--client"])
def test_revoked_grants_and_those_that_are_over_are_listed_when_asked_for(
    manager: CommandLine, deployment: Deployment, app: App, browser: Browser, time: Time, option: str
) -> None:
    deployment.code(app, browser)  # Never redeemed, and over in minutes.
    time.passes(60 + clock.SKEW)
    revoked, left = (id_of(deployment.tokens(app, browser)["access_token"]) for _ in range(2))
    manager.json("grant", "revoke", revoked)
    whose = (option, EMAIL if option == "--user" else app.client_id)
    assert [record["grant_id"] for record in manager.json("grant", "list", *whose)] == [left]
    records = {record["grant_id"]: record for record in manager.json("grant", "list", *whose, "--all")}
    assert len(records) == 3
    assert records[revoked]["revoked_because"] == "revoked by an operator"
    assert records[revoked]["revoked_at"]


def test_thousands_of_grants_are_read_a_hundred_at_a_time(manager: CommandLine, machine: App) -> None:
    tokens_of(machine, 130)
    with count_requests() as requests:
        records = manager.json("grant", "list", "--client", machine.client_id)
    assert len({record["grant_id"] for record in records}) == 130
    assert requests["BatchGetItem"] == 2 + 2
    assert requests["Query"] <= 32


def test_a_grant_is_shown_with_what_came_out_of_it(
    manager: CommandLine, deployment: Deployment, app: App, browser: Browser
) -> None:
    tokens = deployment.tokens(app, browser)
    shown = manager.json("grant", "show", id_of(tokens["access_token"]))
    (listed,) = manager.json("grant", "list", "--user", EMAIL)
    assert shown.items() >= listed.items()
    (access_token,) = shown["access_tokens"]
    assert access_token.startswith("read, issued 20")
    assert shown["refresh_token_expires_at"] < shown["refresh_token_ends_at"]


def test_nothing_that_is_printed_is_a_credential_or_its_hash(
    manager: CommandLine, deployment: Deployment, app: App, browser: Browser
) -> None:
    tokens = deployment.tokens(app, browser)
    grant = Grant.find(id_of(tokens["access_token"]))
    assert grant
    assert grant.refresh_token
    printed = "".join(
        manager.text("grant", *arguments, "--json")
        for arguments in (("show", grant.grant_id), ("list", "--user", EMAIL))
    )
    for secret in (
        grant.access_tokens[0].hash,
        grant.refresh_token.hash,
        grant.refresh_token.tag_key,
        "oat_",
    ):
        assert secret not in printed


@pytest.mark.parametrize(
    "arguments",
    [
        ("list",),
        ("list", "--user", EMAIL, "--client", "x"),
        ("revoke",),
        ("revoke", "x", "--user", EMAIL),
        ("revoke", "--user", EMAIL, "--client", "x"),
    ],
)
def test_whose_grants_is_said_once(manager: CommandLine, arguments: tuple[str, ...]) -> None:
    result = manager.run("grant", *arguments)
    assert result.exit_code == 2
    assert "either" in result.stderr


@pytest.mark.parametrize("command", ["list", "revoke"])
def test_who_is_not_there_is_named(manager: CommandLine, command: str) -> None:
    assert "no account x@example.org" in manager.refused("grant", command, "--user", "x@example.org")
    assert "no application x" in manager.refused("grant", command, "--client", "x")


@pytest.mark.parametrize("command", ["show", "revoke"])
def test_a_grant_that_is_not_there_is_named(manager: CommandLine, command: str) -> None:
    assert manager.refused("grant", command, "unknown1") == "Error: there is no grant unknown1"


# Revoking


def test_grants_are_revoked_by_their_ids_and_no_others(manager: CommandLine, machine: App) -> None:
    tokens = tokens_of(machine, 4)
    ids = [id_of(token) for token in tokens[:2]]
    assert manager.json("grant", "revoke", *ids, ids[0]) == {"grants_revoked": 2}
    assert [is_alive(token) for token in tokens] == [False, False, True, True]


def test_if_one_grant_is_not_there_none_is_revoked(manager: CommandLine, machine: App) -> None:
    (token,) = tokens_of(machine, 1)
    manager.refused("grant", "revoke", id_of(token), "unknown1")
    assert is_alive(token)


def test_all_of_a_persons_grants_are_revoked_and_nobody_elses(
    manager: CommandLine, deployment: Deployment, app: App, browser: Browser
) -> None:
    deployment.add_account(OTHER)
    others = deployment.tokens(app, deployment.signed_in_browser(OTHER))
    apps = [app, deployment.add_app(name="Another")]
    tokens = [deployment.tokens(each, browser)["access_token"] for each in apps * 2]
    assert manager.json("grant", "revoke", "--user", EMAIL) == {"grants_revoked": 4}
    assert not alive(tokens)
    assert is_alive(others["access_token"])


def test_all_of_an_applications_grants_are_revoked_and_no_other_ones(
    manager: CommandLine, deployment: Deployment, machine: App
) -> None:
    tokens = tokens_of(machine, 5)
    other = tokens_of(deployment.add_app(grant_types=("client_credentials",)), 1)
    assert manager.json("grant", "revoke", "--client", machine.client_id) == {"grants_revoked": 5}
    assert alive(tokens) == 0
    assert alive(other) == 1


def test_refresh_tokens_and_codes_end_as_well(
    manager: CommandLine, deployment: Deployment, app: App, browser: Browser
) -> None:
    tokens, code = deployment.tokens(app, browser), deployment.code(app, browser)
    manager.json("grant", "revoke", "--client", app.client_id)
    assert_error(app.refresh(tokens["refresh_token"]), "invalid_grant")
    assert_error(app.exchange(code), "invalid_grant")


def test_revoking_again_finds_nothing(manager: CommandLine, machine: App) -> None:
    tokens_of(machine, 3)
    manager.json("grant", "revoke", "--client", machine.client_id)
    with count_requests() as requests:
        assert manager.json("grant", "revoke", "--client", machine.client_id) == {"grants_revoked": 0}
    assert requests["UpdateItem"] == 0


def test_revoking_a_persons_grants_again_finds_nothing(
    manager: CommandLine, deployment: Deployment, app: App, browser: Browser
) -> None:
    deployment.tokens(app, browser)
    manager.json("grant", "revoke", "--user", EMAIL)
    with count_requests() as requests:
        assert manager.json("grant", "revoke", "--user", EMAIL) == {"grants_revoked": 0}
    assert requests["UpdateItem"] == 0


@pytest.mark.parametrize("by", ["id", "--user", "--client"])
def test_people_are_asked_again_whose_grants_were_revoked(
    manager: CommandLine, deployment: Deployment, app: App, browser: Browser, time: Time, by: str
) -> None:
    grant_id = id_of(deployment.tokens(app, browser)["access_token"])
    assert not is_asked(app, browser)
    time.passes(1)
    whose = {"id": (grant_id,), "--user": (by, EMAIL), "--client": (by, app.client_id)}[by]
    manager.json("grant", "revoke", *whose)
    assert is_asked(app, browser)


def test_who_agreed_and_has_no_grant_any_more_is_asked_again_too(
    manager: CommandLine, deployment: Deployment, app: App, browser: Browser, time: Time
) -> None:
    """The application gave its grant back, which is not for it to say what the person agreed to."""
    tokens = deployment.tokens(app, browser)
    app.post("/oauth2/revoke", token=tokens["refresh_token"])
    assert not is_asked(app, browser)
    time.passes(90)
    assert manager.json("grant", "revoke", "--client", app.client_id)["grants_revoked"] <= 1
    assert is_asked(app, browser)


def test_an_application_can_be_connected_again(
    manager: CommandLine, deployment: Deployment, app: App, browser: Browser, time: Time
) -> None:
    deployment.tokens(app, browser)
    manager.json("grant", "revoke", "--client", app.client_id)
    time.passes(1)
    assert is_alive(deployment.tokens(app, browser)["access_token"])
    assert not is_asked(app, browser)
    assert "`client disable` is for" in " ".join(manager.text("grant", "revoke", "--help").split())


def test_a_grant_made_while_functions_still_knew_the_application_is_revoked_as_well(
    manager: CommandLine, machine: App, change_setting: Callable[[str, object], None]
) -> None:
    change_setting("client_cache_lifetime", 1)
    tokens = tokens_of(machine, 2)
    late: list[str] = []

    def wait(_: float) -> None:
        late.extend(tokens_of(machine, 1))

    with mock.patch.object(progress.Interruption, "wait", mock.Mock(side_effect=wait)):
        result = manager.run("grant", "revoke", "--client", machine.client_id, "--json")
    assert "Waiting 1 s until all functions know" in result.stderr
    assert not alive(tokens + late)


@pytest.mark.usefixtures("at_a_terminal")
@pytest.mark.parametrize("typed", ["n\n", "\n", ""])
def test_revoking_asks_first_at_a_terminal(manager: CommandLine, machine: App, typed: str) -> None:
    tokens = tokens_of(machine, 1)
    command = ("grant", "revoke", "--client", machine.client_id)
    assert manager.run(*command, typed=typed).exit_code == 1
    assert alive(tokens) == 1
    assert manager.run(*command, "--yes").exit_code == 0
    assert alive(tokens) == 0


# On the way


COMMANDS: dict[str, Callable[[App], tuple[str, ...]]] = {
    "grant revoke --client": lambda app: ("grant", "revoke", "--client", app.client_id),
    "grant revoke --user": lambda _: ("grant", "revoke", "--user", EMAIL),
    "client disable": lambda app: ("client", "disable", app.client_id),
    "client delete": lambda app: ("client", "delete", app.client_id),
    "user disable": lambda _: ("user", "disable", EMAIL),
}


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", COMMANDS)
def test_what_was_interrupted_says_how_far_it_got_and_goes_on(
    manager: CommandLine,
    deployment: Deployment,
    app: App,
    browser: Browser,
    command: str,
    number: signal.Signals,
) -> None:
    tokens = [deployment.tokens(app, browser)["access_token"] for _ in range(7)]
    arguments = COMMANDS[command](app)
    before = signal.getsignal(number)
    with meanwhile("UpdateItem", lambda: os.kill(os.getpid(), number)):
        result = manager.run(*arguments)
    assert result.exit_code == 128 + number
    assert result.stdout == ""
    assert result.stderr == ("Interrupted: 2 of 7 grants revoked. Run the same command again to go on.\n")
    assert alive(tokens) == 5
    assert signal.getsignal(number) == before
    assert manager.json(*arguments)["grants_revoked"] == 5
    assert alive(tokens) == 0


@pytest.mark.usefixtures("small_chunks")
def test_an_application_is_not_deleted_before_all_its_grants_are_revoked(
    manager: CommandLine, machine: App
) -> None:
    tokens_of(machine, 5)
    with meanwhile("UpdateItem", lambda: os.kill(os.getpid(), signal.SIGINT)):
        manager.run("client", "delete", machine.client_id)
    assert manager.json("client", "show", machine.client_id)["disabled_at"]


def test_an_interruption_while_functions_are_waited_for_is_not_taken_for_the_end(
    manager: CommandLine, machine: App, change_setting: Callable[[str, object], None]
) -> None:
    change_setting("client_cache_lifetime", 60)
    tokens_of(machine, 1)
    interrupt = mock.Mock(side_effect=lambda *_, **__: os.kill(os.getpid(), signal.SIGINT))
    with mock.patch.object(revoking, "click", mock.Mock(echo=interrupt)):
        result = manager.run("grant", "revoke", "--client", machine.client_id)
    assert result.exit_code == 130
    assert "Interrupted: some functions may not know yet" in result.stderr


def test_the_second_interruption_does_not_wait() -> None:
    with progress.Interruption():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_failing_storage_says_how_far_it_got(manager: CommandLine, machine: App) -> None:
    tokens = tokens_of(machine, 3)
    with storage_fails(FAULTS["no permission"], "UpdateItem"):
        result = manager.run("grant", "revoke", "--client", machine.client_id)
    assert result.exit_code == 1
    stopped, reason = result.stderr.splitlines()
    assert stopped == "Stopped: 0 of 3 grants revoked. Run the same command again to go on."
    assert reason.startswith("Error: DynamoDB refused")
    assert manager.json("grant", "revoke", "--client", machine.client_id) == {"grants_revoked": 3}
    assert alive(tokens) == 0


@pytest.fixture
def hours_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an hour pass between two looks at the clock."""
    ticks = iter(range(0, 10**9, 3600))
    monkeypatch.setattr(progress, "time", mock.Mock(monotonic=lambda: next(ticks)))


@pytest.mark.usefixtures("hours_pass")
def test_a_log_has_a_line_now_and_then(manager: CommandLine, machine: App) -> None:
    tokens_of(machine, 3)
    result = manager.run("grant", "revoke", "--client", machine.client_id, "--json")
    assert result.stderr.splitlines() == [f"{done} of 3 grants revoked" for done in (1, 2, 3)]


def test_what_is_quick_says_nothing_on_the_way(manager: CommandLine, machine: App) -> None:
    tokens_of(machine, 3)
    assert manager.run("grant", "revoke", "--client", machine.client_id).stderr == ""


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what is written to the terminal that standard error is."""
    written: list[str] = []
    stderr = mock.Mock(isatty=lambda: True, write=written.append, encoding="utf-8")
    monkeypatch.setattr(progress, "sys", mock.Mock(wraps=sys, stderr=stderr))
    return written


def test_a_terminal_has_a_bar(manager: CommandLine, machine: App, terminal: list[str]) -> None:
    tokens_of(machine, 3)
    result: Any = manager.run("grant", "revoke", "--client", machine.client_id, "--json")
    assert result.exit_code == 0
    assert "Grants revoked" in "".join(terminal)
    assert "3/3" in "".join(terminal)
