"""What docs/operations.md says of restoring, step by step: rows that were lost, and whole tables."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from management.infrastructure.tables import TABLES
from tests.harness import query_of
from tests.interop.server import Person, RegisteredClient, Server
from tests.stack.checkout import Checkout, checkout

PREFIX, COPY = "maps-prod", "maps-prod-2"


@dataclass(frozen=True)
class Connected:
    """Somebody who has connected an application, and what that got."""

    person: Person
    client: RegisteredClient
    tokens: dict[str, Any]

    def is_served(self, server: Server) -> bool:
        return server.get("/api/me", self.tokens["access_token"]).status_code == 200

    def refresh(self, server: Server) -> requests.Response:
        return self._ask(server, grant_type="refresh_token", refresh_token=self.tokens["refresh_token"])

    def _ask(self, server: Server, **parameters: str) -> requests.Response:
        known = {"client_id": self.client.client_id, "client_secret": self.client.client_secret or ""}
        return requests.post(server.token_endpoint, data=known | parameters, timeout=20)

    @classmethod
    def to(cls, server: Server) -> "Connected":
        person = Person(server, server.add_account())
        client = server.add_client("--grant-type", "authorization_code", "--grant-type", "refresh_token")
        asked = {
            "response_type": "code",
            "client_id": client.client_id,
            "redirect_uri": client.redirect_uri,
        }
        came_back = person.authorize(f"{server.authorization_endpoint}?{urlencode(asked)}")
        (code,) = query_of(came_back)["code"]
        made = cls(person, client, {})
        exchange = {"grant_type": "authorization_code", "code": code, "redirect_uri": client.redirect_uri}
        made.tokens.update(made._ask(server, **exchange).json())
        return made


@pytest.fixture(scope="module")
def project(ministack: str, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Return a project whose stack has another name than those of other tests."""
    made = checkout(tmp_path_factory.mktemp("project"), ministack)
    path = made.folder / ".chalice" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"app_name": "maps"}))
    settings = {"OAUTH_TABLE_PREFIX": PREFIX, "OAUTH_AUTHORIZER_CACHE_LIFETIME": "0"}
    made.configure("prod", environment_variables=settings)
    return made


@pytest.fixture(scope="module")
def stage(project: Checkout) -> Iterator[Server]:
    with project.deployed("prod") as server:
        for kind in TABLES:  # The template says so, and MiniStack does not do it.
            project.client("dynamodb").update_continuous_backups(
                TableName=f"{PREFIX}-{kind}",
                PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
            )
        yield server


@pytest.fixture(scope="module")
def connected(stage: Server) -> Connected:
    return Connected.to(stage)


@pytest.fixture(scope="module")
def copies(stage: Server, connected: Connected) -> Any:
    return json.loads(stage.manage("tables", "restore", "--to-prefix", COPY, "--json"))


def test_copies_are_as_tables_should_be(copies: Any) -> None:
    assert all(copy["table"].startswith(f"{COPY}-") for copy in copies)
    assert [copy["problems"] for copy in copies] == [[]] * len(copies)


def test_rows_that_were_lost_come_back_from_a_copy(
    stage: Server, project: Checkout, connected: Connected, copies: Any
) -> None:
    dynamodb = project.client("dynamodb")
    dynamodb.delete_item(TableName=f"{PREFIX}-clients", Key={"client_id": {"S": connected.client.client_id}})
    grant = {"grant_id": {"S": connected.tokens["access_token"][4:12]}}
    dynamodb.delete_item(TableName=f"{PREFIX}-grants", Key=grant)
    newcomer = Connected.to(stage)
    assert not connected.is_served(stage)

    file = "copy.jsonl"
    tables = ("--table", "clients", "--table", "users", "--table", "grants")
    stage.manage("export", file, "--table-prefix", COPY, *tables)
    done = json.loads(stage.manage("import", file, "--if-exists", "skip", "--forget-consents", "--json"))

    assert (done["imported"], done["left_out"], done["added"]) == (2, {}, {})
    assert connected.is_served(stage)
    assert newcomer.is_served(stage)
    refreshed = connected.refresh(stage)
    assert refreshed.status_code == 200


def test_a_stage_goes_on_with_the_copies_of_all_its_tables(
    stage: Server, project: Checkout, connected: Connected, copies: Any
) -> None:
    project.make("destroy", "STAGE=prod", "YES=prod")
    project.configure("prod", environment_variables={"OAUTH_TABLE_PREFIX": COPY})
    with project.deployed("prod") as moved:
        assert all(table["as_expected"] for table in json.loads(moved.manage("tables", "status", "--json")))
        assert connected.is_served(moved)
        # What was traded since counts as current again; who has its successor has to ask anew.
        assert connected.refresh(moved).status_code == 200
        Connected.to(moved)
    project.make("destroy", "STAGE=prod", "YES=prod")
    names = project.client("dynamodb").list_tables()["TableNames"]
    assert {f"{prefix}-{kind}" for prefix in (PREFIX, COPY) for kind in TABLES} <= set(names)
