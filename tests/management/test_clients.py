"""`manage.py client`."""

import json
from typing import Any

import pytest

from chalicelib.models.user import UserApplication
from tests.expect import assert_error
from tests.faults import FAULTS, meanwhile, storage_fails
from tests.harness import CALLBACK, EMAIL, App, Deployment, is_alive
from tests.management.conftest import CommandLine

ADD = ("client", "add", "--name", "Example", "--redirect-uri", CALLBACK)
MEMBERS = {"client_id", "client_name", "redirect_uris", "grant_types", "scope"}
"""The names are those of RFC 7591."""


def add(manager: CommandLine, *options: str) -> Any:
    return manager.json(*ADD, *options)


def as_app(added: Any) -> App:
    return App(added["client_id"], added["client_secret"])


@pytest.fixture
def machine(manager: CommandLine) -> App:
    return as_app(add(manager, "--grant-type", "client_credentials"))


def works(app: App) -> bool:
    return app.token(grant_type="client_credentials").status == 200


# Adding


def test_add_prints_id_and_secret_for_people(manager: CommandLine, deployment: Deployment) -> None:
    lines = dict(line.split(None, 1) for line in manager.text(*ADD).splitlines())
    (row,) = deployment.snapshot()["clients"]
    assert lines["client_id"] == row["client_id"]["S"]
    assert len(lines["client_secret"]) == 40
    assert lines["redirect_uris"] == CALLBACK


def test_add_prints_json_for_scripts(manager: CommandLine) -> None:
    added = add(manager)
    assert added.keys() >= MEMBERS | {"client_secret"}
    assert added["client_name"] == "Example"
    assert added["redirect_uris"] == [CALLBACK]


def test_the_defaults_are_the_code_grant_and_the_scope_read(manager: CommandLine) -> None:
    added = add(manager)
    assert added["grant_types"] == ["authorization_code"]
    assert added["scope"] == "read"


def test_every_option_is_taken(manager: CommandLine, deployment: Deployment) -> None:
    owner = deployment.add_account()
    other = "http://localhost:3000/callback"
    options = ("--redirect-uri", other, "--scope", "read write", "--owner", EMAIL.upper())
    shown = ("--description", " Draws maps.\r\nNicely. ", "--homepage", "https://app.example.com/about")
    grant_types = ("--grant-type", "authorization_code", "--grant-type", "refresh_token")
    added = add(manager, *options, *shown, *grant_types)
    assert added["redirect_uris"] == [CALLBACK, other]
    assert added["grant_types"] == ["authorization_code", "refresh_token"]
    assert added["scope"] == "read write"
    assert added["owner"] == owner.user_id
    assert added["description"] == "Draws maps.\nNicely."
    assert added["client_uri"] == "https://app.example.com/about"


def test_an_owner_has_a_pointer_to_the_application_until_it_is_deleted(
    manager: CommandLine, deployment: Deployment
) -> None:
    owner = deployment.add_account()
    client_id = add(manager, "--owner", EMAIL)["client_id"]
    key = (owner.user_id, UserApplication.item_of(client_id))
    pointer = UserApplication.find(*key)
    assert pointer
    assert pointer.client_id == client_id
    manager.json("client", "delete", client_id)
    assert UserApplication.find(*key) is None


def test_an_application_and_the_pointer_to_it_come_together_or_not_at_all(
    manager: CommandLine, deployment: Deployment
) -> None:
    deployment.add_account()
    before = deployment.snapshot()
    with storage_fails(FAULTS["internal error"], "TransactWriteItems"):
        manager.refused(*ADD, "--owner", EMAIL)
    assert deployment.snapshot() == before


def test_an_application_and_the_pointer_to_it_go_together_or_not_at_all(
    manager: CommandLine, deployment: Deployment
) -> None:
    owner = deployment.add_account()
    client_id = add(manager, "--owner", EMAIL)["client_id"]
    with storage_fails(FAULTS["internal error"], "TransactWriteItems"):
        manager.refused("client", "delete", client_id)
    assert UserApplication.find(owner.user_id, UserApplication.item_of(client_id))
    assert manager.json("client", "show", client_id)["disabled_at"]


def test_an_application_that_was_changed_meanwhile_is_not_deleted(
    manager: CommandLine, deployment: Deployment, machine: App
) -> None:
    def change() -> None:
        client = deployment.client(machine)
        client.client_name = "Changed"
        client.write()

    with meanwhile("TransactWriteItems", change):
        assert "somebody else" in manager.refused("client", "delete", machine.client_id)
    assert deployment.client(machine).client_name == "Changed"


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("http://app.example.com/", "it must use https"),
        ("com.example.app:/about", "it must start with https://"),
        ("app.example.com", "it must start with https://"),
        ("javascript:alert(1)", "it must start with https://"),
        ("https://user@app.example.com/", "it has a user name"),
    ],
)
def test_a_homepage_is_a_web_page(
    manager: CommandLine, deployment: Deployment, uri: str, reason: str
) -> None:
    refusal = manager.refused(*ADD, "--homepage", uri)
    assert uri in refusal
    assert reason in refusal
    assert deployment.snapshot()["clients"] == []


def test_an_added_application_goes_through_the_whole_flow(
    manager: CommandLine, deployment: Deployment
) -> None:
    deployment.add_account()
    app = as_app(add(manager, "--grant-type", "authorization_code", "--grant-type", "refresh_token"))
    tokens = deployment.tokens(app)
    assert app.refresh(tokens["refresh_token"]).status == 200


def test_a_public_application_has_no_secret(manager: CommandLine, deployment: Deployment) -> None:
    added = manager.json(
        "client", "add", "--name", "Native", "--redirect-uri", "com.example.app:/callback", "--public"
    )
    assert "client_secret" not in added
    (row,) = deployment.snapshot()["clients"]
    assert row["secrets"]["L"] == []


def test_the_secret_is_shown_once_and_stored_as_a_hash(manager: CommandLine, deployment: Deployment) -> None:
    added = add(manager)
    assert added["client_secret"] not in json.dumps(deployment.snapshot())
    for command in (("client", "show", added["client_id"]), ("client", "list")):
        for output in (manager.text(*command), json.dumps(manager.json(*command))):
            assert "ocs_" not in output
            assert "hash" not in output


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("https://app.example.com/callback#x", "it has a fragment"),
        ("http://app.example.com/callback", "it must use https"),
        ("/callback", "it is not an absolute URI"),
        ("https://user@app.example.com/", "it has a user name"),
        ("https://*.example.com/", "it has a wildcard"),
        ("https:///callback", "it has no host"),
        ("javascript:alert(1)", "private-use schemes are for public clients only"),
        ("com.example.app:/callback", "private-use schemes are for public clients only"),
    ],
)
def test_a_redirect_uri_is_refused_with_the_reason(
    manager: CommandLine, deployment: Deployment, uri: str, reason: str
) -> None:
    refusal = manager.refused(*ADD, "--redirect-uri", uri)
    assert uri in refusal
    assert reason in refusal
    assert deployment.snapshot()["clients"] == []


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--name", "Example"), "needs a redirect URI"),
        (("--name", "", "--redirect-uri", CALLBACK), "name"),
        (("--name", " ", "--redirect-uri", CALLBACK), "name"),
        (("--name", "x" * 81, "--redirect-uri", CALLBACK), "name"),
        (("--name", "a\nb", "--redirect-uri", CALLBACK), "name"),
        (("--name", "Example", "--redirect-uri", CALLBACK, "--description", "x" * 1001), "1000"),
        (("--name", "Example", "--redirect-uri", CALLBACK, "--description", "a\x07b"), "description"),
        (("--name", "Example", "--redirect-uri", CALLBACK, "--scope", "admin"), "There are: read, write"),
        (("--name", "Example", "--redirect-uri", CALLBACK, "--scope", "read  write"), "single spaces"),
        (("--name", "Example", "--redirect-uri", CALLBACK, "--grant-type", "implicit"), "implicit"),
        (("--name", "Example", "--redirect-uri", CALLBACK, "--owner", "no@example.org"), "no account"),
    ],
)
def test_what_cannot_be_registered_is_refused_with_the_reason(
    manager: CommandLine, deployment: Deployment, arguments: tuple[str, ...], reason: str
) -> None:
    assert reason in manager.refused("client", "add", *arguments)
    assert deployment.snapshot()["clients"] == []


def test_an_application_without_users_needs_no_redirect_uri(manager: CommandLine) -> None:
    added = manager.json("client", "add", "--name", "Machine", "--grant-type", "client_credentials")
    assert added["redirect_uris"] == []
    assert works(as_app(added))


# Looking


def test_list_of_nothing_is_empty(manager: CommandLine) -> None:
    assert manager.json("client", "list") == []
    assert len(manager.text("client", "list").splitlines()) == 1


def test_list_shows_all_in_order_of_their_names(manager: CommandLine) -> None:
    for name in ("Charlie", "Alpha", "Bravo"):
        manager.text("client", "add", "--name", name, "--redirect-uri", CALLBACK)
    records = manager.json("client", "list")
    assert [record["client_name"] for record in records] == ["Alpha", "Bravo", "Charlie"]
    assert all(record.keys() >= MEMBERS for record in records)
    header, *lines = manager.text("client", "list").splitlines()
    assert header.split()[:2] == ["client_id", "client_name"]
    assert [line.split()[1] for line in lines] == ["Alpha", "Bravo", "Charlie"]


def test_show_tells_what_add_told(manager: CommandLine) -> None:
    added = add(manager)
    del added["client_secret"]
    assert manager.json("client", "show", added["client_id"]) == added


@pytest.mark.parametrize("command", ["show", "rotate-secret", "disable", "enable"])
def test_an_unknown_application_is_named(manager: CommandLine, command: str) -> None:
    assert manager.refused("client", command, "unknown") == "Error: there is no application unknown"


def test_an_unknown_application_cannot_be_deleted(manager: CommandLine) -> None:
    assert "there is no application" in manager.refused("client", "delete", "unknown", "--yes")


# Secrets


def test_a_rotated_secret_works_and_the_old_one_ends_at_once(
    manager: CommandLine, deployment: Deployment, machine: App
) -> None:
    rotated = manager.json("client", "rotate-secret", machine.client_id)
    assert rotated["client_secret"] != machine.client_secret
    assert works(as_app(rotated))
    assert_error(machine.token(grant_type="client_credentials"), "invalid_client", 401)
    assert rotated["client_secret"] not in json.dumps(deployment.snapshot())


def test_rotating_ends_no_tokens(manager: CommandLine, machine: App) -> None:
    token = machine.token(grant_type="client_credentials").json["access_token"]
    manager.json("client", "rotate-secret", machine.client_id)
    assert is_alive(token)


def test_a_public_application_has_no_secret_to_rotate(manager: CommandLine, deployment: Deployment) -> None:
    app = deployment.add_app(public=True)
    assert "without a secret" in manager.refused("client", "rotate-secret", app.client_id)


# Ending


def test_disabling_refuses_the_application_and_kills_its_tokens(
    manager: CommandLine, deployment: Deployment, machine: App
) -> None:
    tokens = [machine.token(grant_type="client_credentials").json["access_token"] for _ in range(3)]
    other = deployment.add_app(grant_types=("client_credentials",))
    unrelated = other.token(grant_type="client_credentials").json["access_token"]
    disabled = manager.json("client", "disable", machine.client_id)
    assert disabled["disabled_at"]
    assert disabled["grants_revoked"] == 3
    assert not any(map(is_alive, tokens))
    assert is_alive(unrelated)
    assert_error(machine.token(grant_type="client_credentials"), "invalid_client", 401)


def test_disabling_kills_codes_and_refresh_tokens(manager: CommandLine, deployment: Deployment) -> None:
    deployment.add_account()
    app = deployment.add_app(grant_types=("authorization_code", "refresh_token"))
    browser = deployment.signed_in_browser()
    code, tokens = deployment.code(app, browser), deployment.tokens(app, browser)
    assert manager.json("client", "disable", app.client_id)["grants_revoked"] == 2
    manager.json("client", "enable", app.client_id)
    assert_error(app.exchange(code), "invalid_grant")
    assert_error(app.refresh(tokens["refresh_token"]), "invalid_grant")


def test_enabling_serves_the_application_again_and_revives_no_token(
    manager: CommandLine, machine: App
) -> None:
    token = machine.token(grant_type="client_credentials").json["access_token"]
    manager.json("client", "disable", machine.client_id)
    enabled = manager.json("client", "enable", machine.client_id)
    assert enabled["disabled_at"] is None
    assert works(machine)
    assert not is_alive(token)


def test_disabling_twice_is_fine(manager: CommandLine, machine: App) -> None:
    first = manager.json("client", "disable", machine.client_id)
    second = manager.json("client", "disable", machine.client_id)
    assert second["disabled_at"] == first["disabled_at"]
    assert second["grants_revoked"] == 0


def test_deleting_removes_the_application_and_kills_its_tokens(
    manager: CommandLine, deployment: Deployment, machine: App
) -> None:
    token = machine.token(grant_type="client_credentials").json["access_token"]
    deleted = manager.json("client", "delete", machine.client_id, "--yes")
    assert deleted["client_id"] == machine.client_id
    assert deleted["grants_revoked"] == 1
    assert not is_alive(token)
    assert deployment.snapshot()["clients"] == []
    assert_error(machine.token(grant_type="client_credentials"), "invalid_client", 401)


@pytest.mark.usefixtures("at_a_terminal")
@pytest.mark.parametrize("typed", ["n\n", "\n", ""])
def test_deleting_asks_first_at_a_terminal(manager: CommandLine, machine: App, typed: str) -> None:
    assert manager.run("client", "delete", machine.client_id, typed=typed).exit_code == 1
    assert works(machine)


@pytest.mark.usefixtures("at_a_terminal")
def test_deleting_goes_on_when_the_answer_is_yes(manager: CommandLine, machine: App) -> None:
    assert manager.run("client", "delete", machine.client_id, typed="y\n").exit_code == 0
    assert not works(machine)


# Failures


def test_a_conflict_is_told_in_a_sentence(manager: CommandLine, deployment: Deployment, machine: App) -> None:
    def change() -> None:
        client = deployment.client(machine)
        client.client_name = "Changed"
        client.write()

    with meanwhile("PutItem", change):
        refusal = manager.refused("client", "rotate-secret", machine.client_id)
    assert "somebody else changed this at the same time" in refusal
    assert works(machine)


@pytest.mark.parametrize("fault", FAULTS)
def test_failing_storage_is_told_in_a_sentence(manager: CommandLine, machine: App, fault: str) -> None:
    with storage_fails(FAULTS[fault]):
        manager.refused("client", "show", machine.client_id)
        manager.refused("client", "disable", machine.client_id)
    with storage_fails(FAULTS[fault], "PutItem"):
        manager.refused("client", "disable", machine.client_id)
    assert works(machine)
