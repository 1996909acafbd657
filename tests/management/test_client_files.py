"""`manage.py client export`, `import`, `update`, `verify`: applications that move, and change."""

import json
import stat
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from joserfc.jwk import ECKey, KeySet

from chalicelib.models.user import UserApplication
from chalicelib.oauth import clients
from tests.conftest import Time
from tests.expect import assert_error
from tests.faults import FAULTS, storage_fails
from tests.harness import CALLBACK, EMAIL, App, Browser, Deployment, basic, is_alive, post
from tests.management.conftest import CommandLine

MACHINE: dict[str, Any] = {
    "client_id": "machine.example.com",
    "client_name": "Machine",
    "grant_types": ["client_credentials"],
    "client_secret": "from another system",
}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return tmp_path


def export(manager: CommandLine, *ids: str) -> Any:
    return json.loads(manager.text("client", "export", *ids))


def bring(manager: CommandLine, entries: Any, *options: str) -> Any:
    """Import entries, and return what was done to each."""
    records = manager.json("client", "import", "-", *options, typed=json.dumps(entries))
    return [record["done"] for record in records]


def refusal(manager: CommandLine, entries: Any, *options: str) -> str:
    return manager.refused("client", "import", "-", *options, typed=json.dumps(entries))


def works(client_id: str, secret: str) -> bool:
    fields = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    return post("/oauth2/token", fields).status == 200


def works_by_basic(client_id: str, secret: str) -> bool:
    return post("/oauth2/token", {"grant_type": "client_credentials"}, basic(client_id, secret)).status == 200


def lose(manager: CommandLine, *ids: str) -> None:
    for client_id in ids:
        manager.json("client", "delete", client_id)
    clients.forget()


# Moving


def test_applications_move_with_all_that_they_are(
    manager: CommandLine, deployment: Deployment, files: Path
) -> None:
    deployment.add_account()
    options = ("--description", "Draws.", "--homepage", "https://app.example.com/", "--owner", EMAIL)
    full = ("--scope", "read write", "--grant-type", "client_credentials", "--may-introspect", "--unverified")
    added = manager.json("client", "add", "--name", "Ä", "--redirect-uri", CALLBACK, *options, *full)
    public = deployment.add_app(public=True)
    keys = files / "keys.json"
    keys.write_text(json.dumps(KeySet([ECKey.generate_key("P-256")]).as_dict(private=False)))
    signing = ("--auth-method", "private_key_jwt", "--jwks", str(keys), "--grant-type", "client_credentials")
    service = manager.json("client", "add", "--name", "Service", *signing)
    exported, before = export(manager), deployment.snapshot()["clients"]
    lose(manager, added["client_id"], public.client_id, service["client_id"])
    assert bring(manager, exported) == ["added"] * 3
    after = deployment.snapshot()["clients"]
    for row in (*before, *after):
        del row["revision"]
    assert after == before
    assert export(manager) == exported
    assert works(added["client_id"], added["client_secret"])


def test_both_secrets_move_while_a_rotation_lasts(
    manager: CommandLine, deployment: Deployment, time: Time
) -> None:
    app = deployment.add_app(grant_types=("client_credentials",))
    secret = manager.json("client", "rotate-secret", app.client_id, "--overlap", "1h")["client_secret"]
    exported = export(manager)
    lose(manager, app.client_id)
    bring(manager, exported)
    assert works(app.client_id, secret)
    assert works(app.client_id, str(app.client_secret))
    time.passes(3600)
    assert works(app.client_id, secret)
    assert not works(app.client_id, str(app.client_secret))


def test_no_secret_is_exported(manager: CommandLine, deployment: Deployment) -> None:
    app = deployment.add_app()
    text = manager.text("client", "export")
    assert str(app.client_secret) not in text
    assert "ocs_" not in text


def test_a_disabled_application_stays_disabled(manager: CommandLine) -> None:
    bring(manager, [MACHINE])
    manager.json("client", "disable", MACHINE["client_id"])
    exported = export(manager)
    lose(manager, MACHINE["client_id"])
    bring(manager, exported)
    assert not works(MACHINE["client_id"], MACHINE["client_secret"])


def test_those_named_are_exported(manager: CommandLine, deployment: Deployment) -> None:
    first, _, third = (deployment.add_app().client_id for _ in range(3))
    assert {entry["client_id"] for entry in export(manager, first, third, first)} == {first, third}
    assert len(export(manager)) == 3
    assert "no application unknown" in manager.refused("client", "export", first, "unknown")


def test_a_file_is_for_the_operators_eyes_only(
    manager: CommandLine, deployment: Deployment, files: Path
) -> None:
    app = deployment.add_app(name="Ä")
    path = files / "clients.json"
    assert manager.text("client", "export", "--file", str(path)) == ""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    lose(manager, app.client_id)
    assert manager.json("client", "import", str(path))[0]["client_name"] == "Ä"


def test_nothing_is_exported_as_an_empty_array(manager: CommandLine) -> None:
    assert export(manager) == []
    assert bring(manager, []) == []


# From another system


@pytest.mark.parametrize(
    "secret",
    [
        "sixteen letters!",
        "with spaces and = & + % : / # ? \" ' \\",
        "base64+of+something/long==",
        "100%25 of %41 %zz %FF",
        "Zeichen: äöü€😀 und so",
        "x" * 1000,
    ],
)
def test_a_secret_of_any_shape_goes_on_working(
    manager: CommandLine, deployment: Deployment, secret: str
) -> None:
    """Also for clients that forget to form-encode it in the header."""
    client_id = MACHINE["client_id"]
    assert bring(manager, [MACHINE | {"client_secret": secret}]) == ["added"]
    assert secret not in json.dumps(deployment.snapshot(), ensure_ascii=False)
    assert works(client_id, secret)
    assert works_by_basic(client_id, quote_plus(secret))
    assert works_by_basic(client_id, secret)
    for wrong in (secret + "x", secret[:-1], secret.upper() + "!", quote_plus(quote_plus(secret + "+"))):
        assert not works(client_id, wrong)
        assert not works_by_basic(client_id, wrong)


@pytest.mark.parametrize(
    "client_id",
    [
        "1",
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        "123-abc.apps.googleusercontent.com",
        "https://app.example.com/metadata?a=b&c",
        "a name: with, spaces",
        "~" * 128,
    ],
)
def test_an_id_of_any_shape_goes_on_working(
    manager: CommandLine, deployment: Deployment, client_id: str
) -> None:
    deployment.add_account()
    entry = {"client_id": client_id, "client_name": "X", "redirect_uris": [CALLBACK]}
    bring(manager, [entry | {"client_secret": "from another system"}])
    app = App(client_id, "from another system")
    token = deployment.tokens(app)["access_token"]
    (grant,) = manager.json("grant", "list", "--client", client_id)
    assert grant["grant_id"] == token[4:12]
    assert manager.json("grant", "revoke", "--client", client_id) == {"grants_revoked": 1}
    assert not is_alive(token)


def test_the_defaults_are_those_of_a_registration(manager: CommandLine, deployment: Deployment) -> None:
    bring(manager, [{"client_id": "x", "client_name": "X", "redirect_uris": [CALLBACK], "secret_hashes": []}])
    shown = manager.json("client", "show", "x")
    assert shown["grant_types"] == ["authorization_code"]
    assert shown["scope"] == "read"
    assert shown["created_at"]
    assert shown["verified_at"] is None
    secret = manager.json("client", "rotate-secret", "x")["client_secret"]
    deployment.add_account()
    deployment.tokens(App("x", secret))


def test_an_owner_gets_a_pointer(manager: CommandLine, deployment: Deployment) -> None:
    owner = deployment.add_account().user_id
    bring(manager, [MACHINE | {"owner": f" {EMAIL.upper()}"}])
    assert manager.json("client", "show", "machine.example.com")["owner"] == owner
    assert UserApplication.find(owner, UserApplication.item_of("machine.example.com"))


HASH = "A" * 43
BAD: Mapping[str, tuple[Any, str]] = {
    "no object": ("x", "not a JSON object"),
    "no id": (MACHINE | {"client_id": None}, "client_id"),
    "an empty id": (MACHINE | {"client_id": ""}, "client_id"),
    "a number as id": (MACHINE | {"client_id": 7}, "client_id must be text"),
    "a separator in the id": (MACHINE | {"client_id": "a#b"}, "'#'"),
    "an id in another script": (MACHINE | {"client_id": "ä"}, "ASCII"),
    "a long id": (MACHINE | {"client_id": "x" * 129}, "128"),
    "no name": (MACHINE | {"client_name": None}, "the name needs"),
    "a surrogate as name": (MACHINE | {"client_name": "\ud800"}, "the name needs"),
    "no redirect URI": (MACHINE | {"grant_types": ["authorization_code"]}, "needs a redirect URI"),
    "an open redirect URI": (MACHINE | {"redirect_uris": ["http://app.example.com"]}, "must use https"),
    "one redirect URI": (MACHINE | {"redirect_uris": CALLBACK}, "redirect_uris must be an array"),
    "numbers as grant types": (MACHINE | {"grant_types": [1]}, "grant_types must be an array of texts"),
    "an unknown grant type": (MACHINE | {"grant_types": ["implicit"]}, "implicit"),
    "an unknown scope": (MACHINE | {"scope": "admin"}, "There are: read, write"),
    "a homepage": (MACHINE | {"client_uri": "http://app.example.com"}, "homepage"),
    "a long description": (MACHINE | {"description": "x" * 1001}, "description"),
    "an unknown method": (
        MACHINE | {"token_endpoint_auth_method": "tls_client_auth"},
        "authentication method",
    ),
    "keys without their method": (MACHINE | {"jwks": {"keys": []}}, "go together"),
    "keys as text": (MACHINE | {"jwks": "{}"}, "jwks must be an object"),
    "a text for a truth": (MACHINE | {"may_introspect": "no"}, "may_introspect must be true or false"),
    "an unknown owner": (MACHINE | {"owner": "x@example.org"}, "no account 'x@example.org'"),
    "a strange owner": (MACHINE | {"owner": "\ud800@example.org"}, "no account"),
    "an unknown member": (MACHINE | {"redirect_url": CALLBACK}, "unknown members: 'redirect_url'"),
    "a short secret": (MACHINE | {"client_secret": "x" * 15}, "16 to 1000 printable"),
    "a long secret": (MACHINE | {"client_secret": "x" * 1001}, "16 to 1000 printable"),
    "an unprintable secret": (MACHINE | {"client_secret": "x" * 16 + "\n"}, "16 to 1000 printable"),
    "no secret": (MACHINE | {"client_secret": None}, "client_secret or secret_hashes"),
    "two kinds of secrets": (MACHINE | {"secret_hashes": []}, "client_secret or secret_hashes"),
    "a secret of a public one": (MACHINE | {"token_endpoint_auth_method": "private_key_jwt"}, "go together"),
    "a secret without use": (
        {"client_id": "x", "client_name": "X", "redirect_uris": [CALLBACK], "client_secret": "x" * 16}
        | {"token_endpoint_auth_method": "none"},
        "authenticates without",
    ),
    "a short hash": (
        MACHINE | {"client_secret": None, "secret_hashes": [{"hash": "A" * 42}]},
        "43 characters",
    ),
    "three hashes": (MACHINE | {"client_secret": None, "secret_hashes": [{"hash": HASH}] * 3}, "more than 2"),
    "hashes without names": (MACHINE | {"client_secret": None, "secret_hashes": [HASH]}, "secret_hashes"),
    "a time in no zone": (MACHINE | {"created_at": "2026-01-31T12:00:00"}, "created_at must be a time"),
    "a number as time": (MACHINE | {"disabled_at": 0}, "disabled_at must be text"),
    "a time out of time": (MACHINE | {"verified_at": "9999-99-99T00:00:00Z"}, "verified_at must be a time"),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_entry_is_told_by_its_number_and_nothing_is_imported(
    manager: CommandLine, deployment: Deployment, bad: str
) -> None:
    entry, reason = BAD[bad]
    told = refusal(manager, [MACHINE | {"client_id": "good"}, entry])
    assert told.startswith("Error: entry 2: ")
    assert reason in told
    assert deployment.snapshot()["clients"] == []


def test_all_bad_entries_are_told(manager: CommandLine) -> None:
    entries = [BAD["no name"][0], MACHINE, BAD["a short secret"][0]]
    result = manager.run("client", "import", "-", typed=json.dumps(entries))
    first, second = result.stderr.splitlines()
    assert first.startswith("Error: entry 1: ")
    assert second.startswith("entry 3: ")
    assert "x" * 15 not in result.stderr


def test_two_entries_with_one_id_are_refused(manager: CommandLine, deployment: Deployment) -> None:
    assert "entry 3: it has the client_id of entry 1" in refusal(
        manager, [MACHINE, MACHINE | {"client_id": "x"}, MACHINE]
    )
    assert deployment.snapshot()["clients"] == []


@pytest.mark.parametrize("text", ["", "{}", "[", "null", "[" * 100_000, '"x"'])
def test_what_is_no_array_is_refused(manager: CommandLine, text: str) -> None:
    assert "the file is not" in manager.refused("client", "import", "-", typed=text)


def test_what_is_no_text_is_refused(manager: CommandLine, files: Path) -> None:
    path = files / "clients.json"
    path.write_bytes(b"\xff\xfe")
    assert "utf-8" in manager.refused("client", "import", str(path))


# What is there


@pytest.fixture
def there(manager: CommandLine) -> dict[str, Any]:
    bring(manager, [MACHINE])
    return MACHINE | {"client_name": "Changed", "client_secret": "quite another secret"}


def names(manager: CommandLine) -> set[str]:
    return {record["client_name"] for record in manager.json("client", "list")}


def test_by_default_nothing_is_imported_if_one_is_there(manager: CommandLine, there: dict[str, Any]) -> None:
    told = refusal(manager, [MACHINE | {"client_id": "new"}, there])
    assert told == "Error: entry 2: there is an application machine.example.com"
    assert names(manager) == {"Machine"}


def test_those_that_are_there_can_be_skipped(manager: CommandLine, there: dict[str, Any]) -> None:
    done = bring(
        manager, [MACHINE | {"client_id": "new", "client_name": "New"}, there], "--if-exists", "skip"
    )
    assert done == ["added", "skipped"]
    assert names(manager) == {"Machine", "New"}
    assert works(there["client_id"], "from another system")


def test_those_that_are_there_can_be_replaced(
    manager: CommandLine, deployment: Deployment, there: dict[str, Any]
) -> None:
    machine = App(there["client_id"], "from another system")
    token = machine.token(grant_type="client_credentials").json["access_token"]
    assert bring(manager, [there], "--if-exists", "replace") == ["replaced"]
    assert names(manager) == {"Changed"}
    assert works(there["client_id"], "quite another secret")
    assert not works(there["client_id"], "from another system")
    assert is_alive(token)


def test_a_pointer_goes_from_owner_to_owner(
    manager: CommandLine, deployment: Deployment, there: dict[str, Any]
) -> None:
    emails = (EMAIL, "other@example.org")
    owners = [deployment.add_account(email).user_id for email in emails]
    item = UserApplication.item_of(there["client_id"])
    for email, has in ((emails[0], [True, False]), (emails[1], [False, True]), (None, [False, False])):
        bring(manager, [there | {"owner": email}], "--if-exists", "replace")
        assert [UserApplication.find(owner, item) is not None for owner in owners] == has


def test_replacing_does_not_disable_which_would_leave_tokens_alive(
    manager: CommandLine, there: dict[str, Any]
) -> None:
    disabled = there | {"disabled_at": "2026-01-31T12:00:00Z"}
    assert "`client disable`" in refusal(manager, [disabled], "--if-exists", "replace")
    manager.json("client", "disable", there["client_id"])
    assert bring(manager, [disabled], "--if-exists", "replace") == ["replaced"]


@pytest.mark.parametrize("ending", [("client", "disable"), ("grant", "revoke", "--client")])
def test_replacing_an_application_brings_no_consent_back(
    manager: CommandLine, deployment: Deployment, time: Time, ending: tuple[str, ...]
) -> None:
    deployment.add_account()
    app, browser = deployment.add_app(), deployment.signed_in_browser()
    deployment.tokens(app, browser)
    exported = export(manager, app.client_id)
    assert asks(app, browser) is False
    time.passes(1)
    manager.json(*ending, app.client_id)
    bring(manager, exported, "--if-exists", "replace")
    assert asks(app, browser) is True


def asks(app: App, browser: Browser) -> bool:
    return browser.get(app.authorization_url()).status == 200


def test_an_import_that_failed_on_the_way_can_be_repeated(manager: CommandLine) -> None:
    entries = [MACHINE, MACHINE | {"client_id": "second"}]
    with storage_fails(FAULTS["no permission"], "TransactWriteItems"):
        result = manager.run("client", "import", "-", typed=json.dumps(entries))
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == "Stopped: 0 of 2 applications imported."
    bring(manager, entries[:1])
    assert bring(manager, entries, "--if-exists", "skip") == ["skipped", "added"]


# Changing


@pytest.fixture
def app(deployment: Deployment) -> App:
    return deployment.add_app()


def test_what_is_said_changes_and_the_rest_stays(manager: CommandLine, app: App) -> None:
    before = manager.json("client", "show", app.client_id)
    manager.json("client", "update", app.client_id, "--name", "New", "--homepage", "https://app.example.com/")
    changed = manager.json("client", "update", app.client_id, "--description", "New, too")
    new = {"client_name": "New", "client_uri": "https://app.example.com/", "description": "New, too"}
    assert changed == before | new
    cleared = manager.json("client", "update", app.client_id, "--homepage", "", "--description", "")
    assert cleared == before | {"client_name": "New"}


def test_lists_are_replaced(manager: CommandLine, app: App) -> None:
    uris = ["https://app.example.com/a", "http://localhost/b"]
    options = [argument for uri in uris for argument in ("--redirect-uri", uri)]
    changed = manager.json("client", "update", app.client_id, *options, "--grant-type", "authorization_code")
    assert changed["redirect_uris"] == uris
    assert manager.json("client", "update", app.client_id, "--scope", "read")["scope"] == "read"


def test_changing_leaves_secrets_and_tokens_alone(manager: CommandLine, deployment: Deployment) -> None:
    app = deployment.add_app(grant_types=("client_credentials",))
    token = app.token(grant_type="client_credentials").json["access_token"]
    manager.json("client", "update", app.client_id, "--name", "New")
    assert works(app.client_id, str(app.client_secret))
    assert is_alive(token)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--name", ""), "name"),
        (("--redirect-uri", "http://app.example.com/"), "must use https"),
        (("--scope", "admin"), "There are"),
        (("--grant-type", "password"), "unknown grant type"),
        (("--homepage", "ftp://x"), "homepage"),
    ],
)
def test_what_cannot_be_registered_is_no_change(
    manager: CommandLine, deployment: Deployment, app: App, options: tuple[str, str], reason: str
) -> None:
    before = deployment.snapshot()
    assert reason in manager.refused("client", "update", app.client_id, *options)
    assert deployment.snapshot() == before


def test_an_application_is_verified_and_no_longer(
    manager: CommandLine, deployment: Deployment, time: Time
) -> None:
    app = deployment.add_app(verified=False)
    verified = manager.json("client", "verify", app.client_id)
    assert verified["verified_at"] == datetime.fromtimestamp(time.now, UTC).isoformat()
    time.passes(60)
    assert manager.json("client", "verify", app.client_id) == verified
    assert manager.json("client", "unverify", app.client_id)["verified_at"] is None
    assert manager.json("client", "unverify", app.client_id)["verified_at"] is None


@pytest.mark.parametrize("command", ["update", "verify", "unverify"])
def test_an_unknown_application_is_named(manager: CommandLine, command: str) -> None:
    assert manager.refused("client", command, "unknown") == "Error: there is no application unknown"


def test_a_wrong_secret_of_a_client_from_elsewhere_is_refused(manager: CommandLine) -> None:
    bring(manager, [MACHINE])
    fields = {"grant_type": "client_credentials", "client_id": MACHINE["client_id"], "client_secret": "x"}
    assert_error(post("/oauth2/token", fields), "invalid_client", 401)
