"""`manage.py user`."""

import json
from typing import Any

import pytest

from chalicelib.accounts import accounts, identities, passwords
from chalicelib.accounts.identities import NotAllowed
from chalicelib.models.user import Identity
from tests.expect import assert_error
from tests.faults import FAULTS, storage_fails
from tests.harness import EMAIL, PASSWORD, App, Browser, Deployment, is_alive
from tests.management.conftest import CommandLine

NEW_PASSWORD = "another password"
MEMBERS = {"user_id", "email", "is_operator", "created_at", "disabled_at"}


def add(manager: CommandLine, email: str = EMAIL, password: str = PASSWORD) -> Any:
    return manager.json("user", "add", email, "--password-stdin", typed=password + "\n")


@pytest.fixture
def app(deployment: Deployment) -> App:
    return deployment.add_app(grant_types=("authorization_code", "refresh_token"))


def can_sign_in(app: App, password: str, email: str = EMAIL) -> bool:
    browser = Browser()
    page = browser.get(app.authorization_url())
    return browser.submit(page, email=email, password=password).status == 303


# Adding


def test_an_added_account_can_sign_in(manager: CommandLine, app: App) -> None:
    added = add(manager)
    assert set(added) == MEMBERS
    assert added["email"] == EMAIL
    assert added["disabled_at"] is None
    assert can_sign_in(app, PASSWORD)


def test_add_prints_a_record_for_people(manager: CommandLine) -> None:
    text = manager.text("user", "add", EMAIL, "--password-stdin", typed=PASSWORD)
    assert dict(line.split(None, 1) for line in text.splitlines()).keys() == MEMBERS


def test_the_password_may_be_typed_twice_unseen(manager: CommandLine, app: App) -> None:
    output = manager.text("user", "add", EMAIL, typed=f"{PASSWORD}\n{PASSWORD}\n")
    assert PASSWORD not in output
    assert can_sign_in(app, PASSWORD)


PASSWORDS = (
    "  spaces around  ",
    "päss wörd €",
    "x" * 1000,
    '"quoted\\',
    "no\u00a0break",
    "👩\u200d🚀👩\u200d🚀👩\u200d🚀",
)


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_is_taken_as_it_is(manager: CommandLine, app: App, password: str) -> None:
    add(manager, password=password)
    assert can_sign_in(app, password)
    assert not can_sign_in(app, password.strip() + "x")


def test_passwords_are_stored_as_argon2id_and_never_printed(
    manager: CommandLine, deployment: Deployment
) -> None:
    result = manager.run("user", "add", EMAIL, "--password-stdin", typed=PASSWORD)
    assert PASSWORD not in result.output
    stored = json.dumps(deployment.snapshot())
    assert PASSWORD not in stored
    assert '"$argon2id$v=19$' in stored


def test_an_email_address_is_taken_in_any_case_and_once(manager: CommandLine, deployment: Deployment) -> None:
    assert add(manager, f" {EMAIL.upper()} ")["email"] == EMAIL
    before = deployment.snapshot()
    refusal = manager.refused("user", "add", EMAIL, "--password-stdin", typed=PASSWORD)
    assert "there is an account with this e-mail address" in refusal
    assert deployment.snapshot() == before


@pytest.mark.parametrize(
    "email", ["", "user", "@example.org", "user@", "a b@example.org", "a@b@c", "a\n@b.org"]
)
def test_what_is_no_email_address_is_refused(
    manager: CommandLine, deployment: Deployment, email: str
) -> None:
    assert "no e-mail address" in manager.refused("user", "add", email, "--password-stdin", typed=PASSWORD)
    assert deployment.snapshot()["users"] == []


@pytest.mark.parametrize("password", ["", "1234567", "x" * 1001])
def test_a_password_too_short_or_too_long_is_refused(
    manager: CommandLine, deployment: Deployment, password: str
) -> None:
    refusal = manager.refused("user", "add", EMAIL, "--password-stdin", typed=password)
    assert f"{passwords.MIN_LENGTH} to {passwords.MAX_LENGTH} characters" in refusal
    assert deployment.snapshot()["users"] == []


# Looking


def test_list_shows_accounts_in_order_and_no_hashes(manager: CommandLine) -> None:
    assert manager.json("user", "list") == []
    for name in ("b", "c", "a"):
        add(manager, f"{name}@example.org")
    records = manager.json("user", "list")
    assert [record["email"] for record in records] == ["a@example.org", "b@example.org", "c@example.org"]
    assert all(set(record) == MEMBERS for record in records)
    header, *lines = manager.text("user", "list").splitlines()
    assert header.split() == ["user_id", "email", "is_operator", "created_at", "disabled_at"]
    assert len(lines) == 3
    assert "argon2" not in json.dumps(records) + "".join(lines)


@pytest.mark.parametrize("command", ["set-password", "disable", "enable", "promote", "demote"])
def test_an_unknown_account_is_named(manager: CommandLine, command: str) -> None:
    options = ("--password-stdin",) if command == "set-password" else ()
    refusal = manager.refused("user", command, "no@example.org", *options, typed=PASSWORD)
    assert refusal == "Error: there is no account no@example.org"


# Operators


def test_an_account_is_no_operator_unless_somebody_says_so(manager: CommandLine) -> None:
    assert add(manager)["is_operator"] is False
    added = manager.json("user", "add", "o@example.org", "--operator", "--password-stdin", typed=PASSWORD)
    assert added["is_operator"] is True
    assert [record["is_operator"] for record in manager.json("user", "list")] == [True, False]


def test_promoting_and_demoting_leave_everything_else_as_it_is(
    manager: CommandLine, app: App, deployment: Deployment
) -> None:
    added = add(manager)
    browser = deployment.signed_in_browser()
    assert manager.json("user", "promote", EMAIL) == added | {"is_operator": True}
    assert manager.json("user", "demote", EMAIL) == added
    assert browser.get(app.authorization_url()).form.buttons  # Still signed in.


# What ends with a password or an account


@pytest.fixture
def signed_in(manager: CommandLine, deployment: Deployment) -> Browser:
    add(manager)
    return deployment.signed_in_browser()


ENDINGS: dict[str, tuple[str, ...]] = {
    "set-password": ("user", "set-password", EMAIL, "--password-stdin"),
    "disable": ("user", "disable", EMAIL),
}


@pytest.mark.parametrize("command", ENDINGS.values(), ids=ENDINGS)
def test_it_kills_codes_and_tokens_of_every_application(
    manager: CommandLine,
    deployment: Deployment,
    app: App,
    signed_in: Browser,
    command: tuple[str, ...],
) -> None:
    other = deployment.add_app()
    code, tokens = deployment.code(app, signed_in), deployment.tokens(app, signed_in)
    others = deployment.tokens(other, signed_in)
    ended = manager.json(*command, typed=NEW_PASSWORD)
    assert set(ended) == MEMBERS | {"grants_revoked"}
    assert ended["grants_revoked"] == 3
    assert_error(app.exchange(code), "invalid_grant")
    assert_error(app.refresh(tokens["refresh_token"]), "invalid_grant")
    assert not is_alive(tokens["access_token"])
    assert not is_alive(others["access_token"])


@pytest.mark.parametrize("command", ENDINGS.values(), ids=ENDINGS)
def test_it_ends_every_session(
    manager: CommandLine,
    deployment: Deployment,
    app: App,
    signed_in: Browser,
    command: tuple[str, ...],
) -> None:
    elsewhere = deployment.signed_in_browser()
    manager.text(*command, typed=NEW_PASSWORD)
    for browser in (signed_in, elsewhere):
        assert "password" in browser.get(app.authorization_url()).form.fields


@pytest.mark.parametrize("command", ENDINGS.values(), ids=ENDINGS)
def test_it_leaves_other_people_alone(
    manager: CommandLine,
    deployment: Deployment,
    app: App,
    signed_in: Browser,
    command: tuple[str, ...],
) -> None:
    add(manager, "other@example.org")
    theirs = deployment.signed_in_browser("other@example.org")
    tokens = deployment.tokens(app, theirs)
    manager.text(*command, typed=NEW_PASSWORD)
    assert is_alive(tokens["access_token"])
    assert theirs.get(app.authorization_url(prompt="consent")).form.buttons


def test_only_the_new_password_counts(manager: CommandLine, app: App) -> None:
    add(manager)
    manager.text("user", "set-password", EMAIL, "--password-stdin", typed=NEW_PASSWORD)
    assert not can_sign_in(app, PASSWORD)
    assert can_sign_in(app, NEW_PASSWORD)


def test_a_new_password_that_broke_off_is_gone_on_with_at_the_next_sign_in(
    manager: CommandLine, deployment: Deployment, app: App, signed_in: Browser
) -> None:
    token = deployment.tokens(app, signed_in)["access_token"]
    with storage_fails(FAULTS["unavailable"], "DeleteItem"):
        manager.run("user", "set-password", EMAIL, "--password-stdin", typed=NEW_PASSWORD)
    assert is_alive(token)
    assert can_sign_in(app, NEW_PASSWORD)
    assert not is_alive(token)


def test_an_unacceptable_new_password_changes_nothing(
    manager: CommandLine, deployment: Deployment, app: App, signed_in: Browser
) -> None:
    tokens = deployment.tokens(app, signed_in)
    before = deployment.snapshot()
    manager.refused("user", "set-password", EMAIL, "--password-stdin", typed="short")
    assert deployment.snapshot() == before
    assert is_alive(tokens["access_token"])


def test_a_disabled_account_cannot_sign_in_until_it_is_enabled(manager: CommandLine, app: App) -> None:
    add(manager)
    assert manager.json("user", "disable", EMAIL)["disabled_at"]
    assert not can_sign_in(app, PASSWORD)
    assert manager.json("user", "enable", EMAIL)["disabled_at"] is None
    assert can_sign_in(app, PASSWORD)


def test_enabling_revives_neither_tokens_nor_sessions(
    manager: CommandLine, deployment: Deployment, app: App, signed_in: Browser
) -> None:
    tokens = deployment.tokens(app, signed_in)
    manager.text("user", "disable", EMAIL)
    manager.text("user", "enable", EMAIL)
    assert not is_alive(tokens["access_token"])
    assert "password" in signed_in.get(app.authorization_url()).form.fields


def test_disabling_twice_is_fine(manager: CommandLine) -> None:
    add(manager)
    first = manager.json("user", "disable", EMAIL)
    second = manager.json("user", "disable", EMAIL)
    assert (second["disabled_at"], second["grants_revoked"]) == (first["disabled_at"], 0)


# Unlinking from the OpenID provider


def test_unlink_lets_somebody_else_at_the_provider_have_the_account(
    manager: CommandLine, deployment: Deployment, app: App
) -> None:
    account = identities.account_of("https://id.example", "former", lambda: EMAIL)
    accounts.set_password(account, PASSWORD)
    token = deployment.tokens(app)["access_token"]
    with pytest.raises(NotAllowed):
        identities.account_of("https://id.example", "next", lambda: EMAIL)
    unlinked = manager.json("user", "unlink", EMAIL)
    assert (unlinked["email"], unlinked["grants_revoked"]) == (EMAIL, 1)
    assert not is_alive(token)
    found = identities.account_of("https://id.example", "next", lambda: EMAIL)
    assert found.user_id == account.user_id


def test_unlink_mends_what_a_backup_tore_apart(manager: CommandLine, deployment: Deployment) -> None:
    account = identities.account_of("https://id.example", "person", lambda: EMAIL)
    others = identities.account_of("https://id.example", "other", lambda: "other@example.org")
    key = account.identity
    identities.unlink(account)
    Identity(key, Identity.ITEM, account_id=account.user_id).save()
    with pytest.raises(NotAllowed):
        identities.account_of("https://id.example", "person", lambda: EMAIL)
    manager.text("user", "unlink", EMAIL)
    found = identities.account_of("https://id.example", "person", lambda: EMAIL)
    assert found.user_id == account.user_id
    assert identities.account_of("https://id.example", "other", lambda: "").user_id == others.user_id


def test_unlink_needs_an_account(manager: CommandLine) -> None:
    assert EMAIL in manager.refused("user", "unlink", EMAIL)
