"""What the platform is told of which flow: flows through the front door, and the rows they leave."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chalicelib.events.publisher import publish
from chalicelib.models.table import dynamodb
from tests.conftest import Time
from tests.events.conftest import Bus, Stream, passes
from tests.faults import answer_gets_lost
from tests.harness import DEVICE_CODE, EMAIL, App, Browser, Deployment
from tests.management.conftest import CommandLine
from tests.pages import test_applications as applications

GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials", DEVICE_CODE)
NOON = 1795003200
"""2026-11-18T12:00:00Z"""


OPERATIONS = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")

EXAMPLES = {
    example["detail-type"]: example["detail"]
    for example in map(json.loads, re.findall(r"^    (\{\"source\".*)$", OPERATIONS, re.MULTILINE))
}
"""What operators are shown of each event."""


class Platform:
    """Who listens to the bus."""

    def __init__(self, stream: Stream, bus: Bus) -> None:
        self.stream, self.bus = stream, bus

    def hears(self) -> list[dict[str, Any]]:
        """Return what the changes since the last time come to; all that matters passes the filters."""
        self.stream.look()
        records = self.stream.taken()
        assert publish({"Records": records}, None) == {"batchItemFailures": []}
        everything = self.bus.told()
        assert publish({"Records": [record for record in records if passes(record)]}, None) == {
            "batchItemFailures": []
        }
        assert self.bus.told() == everything
        assert not self.bus.dead_letters
        for event in everything:
            assert set(event) - {"event"} | {"owner"} == set(EXAMPLES[event["event"]]) | {"owner"}
            assert f"`{event.get('reason', event['event'])}`" in OPERATIONS
        return everything

    def hears_of(self) -> list[str]:
        return [event["event"] for event in self.hears()]


@pytest.fixture
def platform(stream: Stream, bus: Bus) -> Platform:
    return Platform(stream, bus)


@pytest.fixture
def user_id(deployment: Deployment, time: Time) -> str:
    time.now = NOON
    return str(deployment.add_account().user_id)


@pytest.fixture
def browser(deployment: Deployment, user_id: str) -> Browser:
    return deployment.signed_in_browser()


@pytest.fixture
def app(deployment: Deployment, browser: Browser, platform: Platform) -> App:
    app = deployment.add_app(grant_types=GRANT_TYPES, may_introspect=True)
    platform.hears()
    return app


@pytest.fixture
def tokens(deployment: Deployment, app: App, browser: Browser, platform: Platform) -> dict[str, str]:
    tokens: dict[str, str] = deployment.tokens(app, browser)
    assert platform.hears_of() == ["grant.created"]
    return tokens


def test_a_user_allows_an_application(
    deployment: Deployment, app: App, browser: Browser, platform: Platform, user_id: str
) -> None:
    code = deployment.code(app, browser, scope="read write")
    (created,) = platform.hears()
    assert len(created.pop("id")) == 32
    assert created == {
        "event": "grant.created",
        "at": "2026-11-18T12:00:00Z",
        "grant_id": code[4:12],
        "client_id": app.client_id,
        "user_id": user_id,
        "scope": "read write",
    }


def test_a_consent_that_is_remembered_makes_a_grant_as_well(
    deployment: Deployment, app: App, tokens: dict[str, str], browser: Browser, platform: Platform
) -> None:
    deployment.tokens(app, browser)
    assert platform.hears_of() == ["grant.created"]


def test_a_user_allows_a_device(
    app: App, deployment: Deployment, browser: Browser, platform: Platform, time: Time, user_id: str
) -> None:
    device = app.start_device(scope="read write").json
    time.passes(30)
    assert app.poll(device["device_code"]).json["error"] == "authorization_pending"
    assert platform.hears() == []
    time.passes(30)
    deployment.decide(device["user_code"], browser, scope="read")
    (created,) = platform.hears()
    assert (created["event"], created["at"]) == ("grant.created", "2026-11-18T12:01:00Z")
    assert (created["user_id"], created["grant_id"]) == (user_id, device["device_code"][4:12])
    connected = app.poll(device["device_code"]).json
    assert app.refresh(connected["refresh_token"]).status == 200
    assert platform.hears() == []


def test_a_user_denies_a_device(
    app: App, deployment: Deployment, browser: Browser, platform: Platform
) -> None:
    device = app.start_device().json
    deployment.decide(device["user_code"], browser, decision="deny")
    assert app.poll(device["device_code"]).json["error"] == "access_denied"
    assert platform.hears() == []


@pytest.mark.parametrize(
    "happens",
    [
        lambda app, tokens: app.refresh(tokens["refresh_token"]),
        lambda app, tokens: [app.refresh(tokens["refresh_token"]) for _ in range(2)][-1],
        lambda app, tokens: app.post("/oauth2/introspect", token=tokens["access_token"]),
        lambda app, tokens: app.post("/oauth2/revoke", token=tokens["access_token"]),
        lambda app, _: app.token(grant_type="client_credentials"),
    ],
    ids=["refresh", "refresh twice", "introspect", "revoke an access token", "client credentials"],
)
def test_of_tokens_that_come_and_go_nothing_is_told(
    app: App, tokens: dict[str, str], platform: Platform, happens: Callable[[App, dict[str, str]], Any]
) -> None:
    assert happens(app, tokens).status == 200
    assert platform.hears() == []


def test_a_reused_refresh_token_is_told_besides_what_it_revoked(
    app: App, tokens: dict[str, str], platform: Platform, time: Time, user_id: str
) -> None:
    assert app.refresh(tokens["refresh_token"]).status == 200
    time.passes(3600)
    assert app.refresh(tokens["refresh_token"]).status == 400
    revoked, reused = platform.hears()
    assert (revoked["event"], revoked["reason"]) == ("grant.revoked", "refresh token reused")
    assert revoked["id"] != reused["id"]
    assert {name: value for name, value in reused.items() if name != "id"} == {
        "event": "refresh.reused",
        "at": "2026-11-18T13:00:00Z",
        "grant_id": tokens["access_token"][4:12],
        "client_id": app.client_id,
        "user_id": user_id,
        "scope": "read",
    }
    assert app.refresh(tokens["refresh_token"]).status == 400
    assert platform.hears() == []


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (lambda app, tokens, *_: app.post("/oauth2/revoke", token=tokens["refresh_token"]), "by the client"),
        (lambda _, __, browser, ___: browser.submit(browser.get("/connections")), "disconnected by the user"),
        (lambda *given: given[3].text("user", "disable", EMAIL), "account disabled"),
        (lambda *given: given[3].text("client", "disable", given[0].client_id), "client disabled"),
        (lambda *given: given[3].text("grant", "revoke", given[1]["access_token"][4:12]), "by an operator"),
    ],
    ids=["the client", "the user", "account disabled", "client disabled", "an operator"],
)
def test_a_grant_is_revoked(
    app: App,
    tokens: dict[str, str],
    browser: Browser,
    manager: CommandLine,
    platform: Platform,
    happens: Callable[[App, dict[str, str], Browser, CommandLine], object],
    reason: str,
) -> None:
    happens(app, tokens, browser, manager)
    (revoked,) = platform.hears()
    assert revoked["event"] == "grant.revoked"
    assert revoked["grant_id"] == tokens["access_token"][4:12]
    assert reason in revoked["reason"]


def test_a_code_that_is_used_twice_revokes_what_it_yielded(
    app: App, deployment: Deployment, browser: Browser, platform: Platform
) -> None:
    code = deployment.code(app, browser)
    assert [app.exchange(code).status for _ in range(2)] == [200, 400]
    created, revoked = platform.hears()
    assert (created["event"], revoked["event"]) == ("grant.created", "grant.revoked")
    assert revoked["reason"] == "authorization code replayed"


def test_what_an_application_has_for_itself_is_revoked_untold(
    app: App, manager: CommandLine, platform: Platform
) -> None:
    token = app.token(grant_type="client_credentials").json["access_token"]
    manager.text("grant", "revoke", token[4:12])
    assert platform.hears() == []


def test_rows_that_are_deleted_are_no_news(
    app: App, tokens: dict[str, str], stream: Stream, platform: Platform
) -> None:
    dynamodb.client.delete_item(
        TableName="oauth-test-grants", Key={"grant_id": {"S": tokens["access_token"][4:12]}}
    )
    stream.look()
    assert [record["eventName"] for record in stream.records] == ["REMOVE"]
    assert platform.hears() == []


def test_a_write_whose_answer_gets_lost_is_told_once(
    app: App, deployment: Deployment, browser: Browser, manager: CommandLine, platform: Platform
) -> None:
    with answer_gets_lost("TransactWriteItems") as lost:
        code = deployment.code(app, browser)
    assert platform.hears_of() == ["grant.created"]
    with answer_gets_lost("UpdateItem") as lost_again:
        manager.text("grant", "revoke", code[4:12])
    assert lost
    assert lost_again
    assert platform.hears_of() == ["grant.revoked"]


def test_a_developer_registers_an_application(
    browser: Browser,
    platform: Platform,
    user_id: str,
    change_setting: Callable[[str, object], None],
) -> None:
    change_setting("may_register", "everyone")
    platform.hears()
    app = applications.register(browser)
    (registered,) = platform.hears()
    assert len(registered.pop("id")) == 32
    assert registered == {
        "event": "client.registered",
        "at": "2026-11-18T12:00:00Z",
        "client_id": app.client_id,
        "owner": user_id,
        "scope": registered["scope"],
    }
    applications.rotate(browser, app, "0")
    assert applications.edit(browser, app, client_name="Renamed").status == 303
    assert browser.submit(applications.page_of(browser, app, "/delete")).status == 303
    assert platform.hears() == []


def test_an_operator_imports_applications(manager: CommandLine, platform: Platform, user_id: str) -> None:
    entries = [
        {
            "client_id": "map-editor",
            "client_name": "Map editor",
            "client_secret": "0123456789abcdef",
            "redirect_uris": ["https://editor.example/cb"],
        }
    ]
    manager.text("client", "import", "-", typed=json.dumps(entries))
    (registered,) = platform.hears()
    assert (registered["event"], registered["client_id"]) == ("client.registered", "map-editor")
    assert "owner" not in registered
    manager.text("client", "import", "-", "--if-exists", "replace", typed=json.dumps(entries))
    assert platform.hears() == []


def test_only_what_matters_costs_an_invocation(
    app: App, tokens: dict[str, str], deployment: Deployment, browser: Browser, stream: Stream
) -> None:
    stream.taken()
    for _ in range(3):
        tokens = app.refresh(tokens["refresh_token"]).json
    app.token(grant_type="client_credentials")
    device = app.start_device().json
    app.poll(device["device_code"])
    deployment.decide(device["user_code"], browser)
    connected = app.poll(device["device_code"]).json
    assert app.refresh(connected["refresh_token"]).status == 200
    stream.look()
    of_decision = 6
    assert [passes(record) for record in stream.records] == [
        number == of_decision for number in range(of_decision + 3)
    ]


def test_nothing_that_opens_a_door_is_told(
    app: App, deployment: Deployment, browser: Browser, stream: Stream, bus: Bus
) -> None:
    tokens = deployment.tokens(app, browser)
    app.post("/oauth2/revoke", token=tokens["refresh_token"])
    stream.look()
    publish({"Records": stream.records}, None)
    told = json.dumps(bus.events)
    for record in stream.records:
        row = record["dynamodb"]["NewImage"]
        for value in strings_of(row):
            public = value in {row.get(name, {}).get("S") for name in PUBLIC}
            assert public or len(value) < 12 or value not in told


PUBLIC = ("grant_id", "client_id", "user_id", "owner", "scope", "revoked_because")


def strings_of(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [string for inner in value.values() for string in strings_of(inner)]
    if isinstance(value, list):
        return [string for inner in value for string in strings_of(inner)]
    return [value] if isinstance(value, str) else []
