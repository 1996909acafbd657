"""The operator's command line, as an operator or a script uses it."""

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result

from chalicelib.oauth import clients
from chalicelib.oauth.grants import GRANT_TYPES
from management.cli import manage
from tests.harness import CALLBACK, DEVICE_CODE, EMAIL, PASSWORD, App, Browser, Deployment, is_alive

Run = Callable[..., Result]


@pytest.fixture
def run(deployment: Deployment, change_setting: Callable[[str, object], None]) -> Iterator[Run]:
    """Run a command against the test's tables, without waiting for warm functions."""
    change_setting("client_cache_lifetime", 0)
    environment = dict(os.environ)

    def run(*arguments: str, text: str = "", fails: bool = False) -> Result:
        result = CliRunner().invoke(manage, list(arguments), input=text)
        assert (result.exit_code != 0) == fails, result.output
        return result

    yield run
    os.environ.clear()
    os.environ.update(environment)


def record(result: Result) -> Any:
    return json.loads(result.stdout)


ADD = ("client", "add", "--name", "Some application", "--redirect-uri", CALLBACK)


def added(run: Run, *options: str) -> App:
    client = record(run(*ADD, "--json", *options))
    return App(client["client_id"], client.get("client_secret"))


def connected(deployment: Deployment, run: Run) -> tuple[App, str]:
    """Return an application and a token that somebody granted to it."""
    run("user", "add", EMAIL, "--password-stdin", text=PASSWORD)
    app = added(run)
    return app, deployment.tokens(app)["access_token"]


def test_an_application_is_registered_with_its_defaults(run: Run) -> None:
    client = record(run(*ADD, "--json"))
    assert client["client_name"] == "Some application"
    assert client["redirect_uris"] == [CALLBACK]
    assert client["grant_types"] == ["authorization_code"]
    assert client["scope"] == "read"
    assert len(client["client_secret"]) == 40


def test_everything_about_an_application_can_be_said(run: Run) -> None:
    run("user", "add", EMAIL, "--password-stdin", text=PASSWORD)
    client = record(
        run(
            *ADD,
            *("--redirect-uri", "http://127.0.0.1:9000/cb"),
            *("--scope", "read write"),
            *("--grant-type", "authorization_code", "--grant-type", "refresh_token"),
            *("--owner", EMAIL, "--may-introspect", "--auth-method", "client_secret_basic", "--json"),
        )
    )
    assert client["redirect_uris"] == [CALLBACK, "http://127.0.0.1:9000/cb"]
    assert client["grant_types"] == ["authorization_code", "refresh_token"]
    assert client["scope"] == "read write"
    assert client["token_endpoint_auth_method"] == "client_secret_basic"
    assert client["may_introspect"] is True
    assert client["owner"]


def test_a_secret_is_told_once_and_stored_as_a_hash(deployment: Deployment, run: Run) -> None:
    client = record(run(*ADD, "--json"))
    assert "client_secret" not in record(run("client", "show", client["client_id"], "--json"))
    assert client["client_secret"] not in run("client", "list").output
    assert client["client_secret"] not in str(deployment.snapshot())


def test_a_public_client_has_no_secret(run: Run) -> None:
    assert "client_secret" not in record(run(*ADD, "--public", "--json"))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--redirect-uri", "http://app.example.com/cb"), "must use https"),
        (("--redirect-uri", "https://app.example.com/#x"), "fragment"),
        (("--redirect-uri", "com.example.app:/cb"), "public clients only"),
        (("--scope", "unknown"), "unknown"),
        (("--grant-type", "password"), "unknown grant type"),
        (("--name", " "), "name"),
        (("--owner", "nobody@example.org"), "no account"),
        (("--auth-method", "private_key_jwt"), "go together"),
        (("--public", "--may-introspect"), "public client"),
        (("--public", "--auth-method", "client_secret_post"), "not both"),
    ],
)
def test_what_cannot_be_registered_is_refused_with_the_reason(
    deployment: Deployment, run: Run, options: tuple[str, ...], reason: str
) -> None:
    assert reason in run(*ADD, *options, fails=True).output
    assert not deployment.snapshot()["clients"]


def test_an_application_needs_a_redirect_uri_to_send_users_back(run: Run) -> None:
    assert "needs a redirect URI" in run("client", "add", "--name", "X", fails=True).output
    run("client", "add", "--name", "X", "--grant-type", "client_credentials")


def test_an_application_on_devices_needs_no_redirect_uri(run: Run) -> None:
    options = ("--name", "Television", "--public", "--grant-type", DEVICE_CODE)
    client = record(run("client", "add", *options, "--json"))
    assert client["grant_types"] == [DEVICE_CODE]
    assert App(client["client_id"], None).start_device().status == 200


def test_help_names_every_grant_type(run: Run) -> None:
    told = "".join(run("client", "add", "--help").output.split())
    assert all(grant_type in told for grant_type in GRANT_TYPES)


def test_applications_are_listed(run: Run) -> None:
    first, second = added(run), added(run)
    listed = record(run("client", "list", "--json"))
    assert {client["client_id"] for client in listed} == {first.client_id, second.client_id}
    assert "Some application" in run("client", "list").output


def test_a_new_secret_ends_the_old_one(run: Run) -> None:
    app = added(run, "--grant-type", "client_credentials")
    secret = record(run("client", "rotate-secret", app.client_id, "--json"))["client_secret"]
    assert app.token(grant_type="client_credentials").status == 401
    assert app.token(grant_type="client_credentials", client_secret=secret).status == 200


def test_two_secrets_are_valid_while_a_rotation_lasts(run: Run, time: Any) -> None:
    app = added(run, "--grant-type", "client_credentials")
    rotated = record(run("client", "rotate-secret", app.client_id, "--overlap", "24h", "--json"))
    for secret in (app.client_secret, rotated["client_secret"]):
        assert app.token(grant_type="client_credentials", client_secret=secret).status == 200
    time.passes(24 * 3600)
    assert app.token(grant_type="client_credentials").status == 401
    secret = rotated["client_secret"]
    assert app.token(grant_type="client_credentials", client_secret=secret).status == 200


def test_never_more_than_three_secrets_are_valid(run: Run) -> None:
    """The last two stay beside the new one: the answer with the second may have got lost."""
    app = added(run, "--grant-type", "client_credentials")
    for _ in range(2):
        run("client", "rotate-secret", app.client_id, "--overlap", "24h")
    assert app.token(grant_type="client_credentials").status == 200
    run("client", "rotate-secret", app.client_id, "--overlap", "24h")
    assert app.token(grant_type="client_credentials").status == 401


@pytest.mark.parametrize("overlap", ["soon", "1w", "-1", "1.5h"])
def test_an_overlap_is_a_time(run: Run, overlap: str) -> None:
    app = added(run)
    result = run("client", "rotate-secret", app.client_id, "--overlap", overlap, fails=True)
    assert "expected a time" in result.output


def test_disabling_an_application_ends_its_tokens_for_good(deployment: Deployment, run: Run) -> None:
    app, token = connected(deployment, run)
    assert record(run("client", "disable", app.client_id, "--json"))["grants_revoked"] == 1
    assert not is_alive(token)
    assert app.exchange("oac_" + "A" * 36).json["error"] == "invalid_client"
    run("client", "enable", app.client_id)
    clients.forget()
    assert not is_alive(token)
    assert is_alive(deployment.tokens(app)["access_token"])


def test_deleting_an_application_ends_its_tokens(deployment: Deployment, run: Run) -> None:
    app, token = connected(deployment, run)
    run("client", "delete", app.client_id)
    assert not is_alive(token)
    assert "there is no application" in run("client", "show", app.client_id, fails=True).output


@pytest.mark.parametrize("command", ["show", "rotate-secret", "disable", "enable", "delete"])
def test_an_application_that_is_not_there(run: Run, command: str) -> None:
    assert "there is no application" in run("client", command, "nobody", fails=True).output


def test_an_account_is_added_once(run: Run) -> None:
    account = record(run("user", "add", f" {EMAIL.upper()}", "--password-stdin", "--json", text=PASSWORD))
    assert account["email"] == EMAIL
    result = run("user", "add", EMAIL, "--password-stdin", text=PASSWORD, fails=True)
    assert "there is an account" in result.output
    assert [user["email"] for user in record(run("user", "list", "--json"))] == [EMAIL]


@pytest.mark.parametrize(
    ("email", "password", "reason"),
    [("no address", PASSWORD, "no e-mail address"), (EMAIL, "short", "8 to 1000 characters")],
)
def test_what_is_no_account(run: Run, email: str, password: str, reason: str) -> None:
    assert reason in run("user", "add", email, "--password-stdin", text=password, fails=True).output


def test_at_the_terminal_the_password_is_asked_for_twice(run: Run) -> None:
    run("user", "add", EMAIL, text=f"{PASSWORD}\n{PASSWORD}\n")
    run("user", "set-password", EMAIL, text=f"{PASSWORD}\nother\n", fails=True)


@pytest.mark.parametrize("command", ["set-password", "disable"])
def test_a_new_password_or_disabling_revokes_all_that_was_granted(
    deployment: Deployment, run: Run, command: str
) -> None:
    _, token = connected(deployment, run)
    options = ("--password-stdin",) if command == "set-password" else ()
    result = record(run("user", command, EMAIL, *options, "--json", text="another password"))
    assert result["grants_revoked"] == 1
    assert not is_alive(token)


def test_a_disabled_account_cannot_sign_in_until_it_is_enabled(deployment: Deployment, run: Run) -> None:
    app, _ = connected(deployment, run)

    def sign_in() -> int:
        browser = Browser()
        page = browser.get(app.authorization_url())
        return browser.submit(page, email=EMAIL, password=PASSWORD).status

    run("user", "disable", EMAIL)
    assert sign_in() == 422
    run("user", "enable", EMAIL)
    assert sign_in() == 303


@pytest.mark.parametrize("command", ["set-password", "disable", "enable"])
def test_an_account_that_is_not_there(run: Run, command: str) -> None:
    assert "there is no account" in run("user", command, EMAIL, text=f"{PASSWORD}\n" * 2, fails=True).output


def test_tables_can_be_made_and_deleted(run: Run) -> None:
    run("tables", "delete")
    missing = record(run("tables", "status", "--json"))
    assert [table["status"] for table in missing] == ["MISSING"] * 5
    assert "tables create" in run("client", "list", fails=True).output
    run("tables", "create")
    made = record(run("tables", "status", "--json"))
    assert all(table["as_expected"] for table in made)
    assert [table["problems"] for table in made] == [[]] * 5
    run("tables", "create", "--if-missing")


def test_an_unknown_stage_is_told(run: Run) -> None:
    result = run("--stage", "nowhere", "client", "list", fails=True)
    assert "no stage 'nowhere'" in result.output


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("client",),
        ("client", "add"),
        ("doctor",),
        ("grant",),
        ("status",),
        ("tables",),
        ("template",),
        ("user",),
        ("user", "import"),
    ],
)
def test_help_is_there(run: Run, command: tuple[str, ...]) -> None:
    assert "Usage:" in run(*command, "--help").output


def test_a_table_that_is_not_as_it_should_be_is_told(run: Run) -> None:
    client = boto3.client("dynamodb", region_name="us-east-1")
    client.update_time_to_live(
        TableName="oauth-test-grants",
        TimeToLiveSpecification={"AttributeName": "expires_at", "Enabled": True},
    )
    tables = {table["table"]: table for table in record(run("tables", "status", "--json"))}
    assert tables["oauth-test-grants"]["problems"] == ["no point-in-time recovery"]
    assert tables["oauth-test-users"]["problems"] == ["no TTL", "no point-in-time recovery"]


def test_prods_tables_are_protected_from_deletion(run: Run) -> None:
    run("tables", "delete")
    run("--stage", "prod", "tables", "create")
    assert "protect" in run("--stage", "prod", "tables", "delete", fails=True).output.lower()
