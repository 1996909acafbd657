"""A stage from nothing to nothing, by the commands that its user has, on MiniStack."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from requests_oauthlib import OAuth2Session

from management.stack import Stack, StackError
from tests.interop.server import Person, Server
from tests.last_words import say
from tests.stack.checkout import Checkout, checkout


@pytest.fixture(scope="module")
def project(ministack: str, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    made = checkout(tmp_path_factory.mktemp("project"), ministack)
    made.configure("dev", environment_variables={"OAUTH_AUTHORIZER_CACHE_LIFETIME": "0"})
    return made


@pytest.fixture(scope="module")
def stage(project: Checkout) -> Iterator[Server]:
    with project.deployed("dev") as server:
        yield server


def test_a_plan_shows_what_would_be_made_and_makes_nothing(project: Checkout) -> None:
    told = project.make("deploy", "STAGE=prod", "PLAN=1")
    assert "Add      GrantsTable" in told
    assert "Nothing was changed" in told
    stacks = project.client("cloudformation").list_stacks()["StackSummaries"]
    assert not [stack for stack in stacks if stack["StackName"] == "oauth-prod" and _is_there(stack)]


def _is_there(stack: dict[str, Any]) -> bool:
    return str(stack["StackStatus"]) != "DELETE_COMPLETE"


def test_the_documented_flow_by_an_independent_client(stage: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    account, registered = (
        stage.add_account(),
        stage.add_client("--grant-type", "authorization_code", "--grant-type", "refresh_token"),
    )
    oauth = OAuth2Session(registered.client_id, redirect_uri=registered.redirect_uri)
    url, _ = oauth.authorization_url(stage.authorization_endpoint)
    first = dict(
        oauth.fetch_token(
            stage.token_endpoint,
            authorization_response=Person(stage, account).authorize(url),
            client_secret=registered.client_secret,
        )
    )
    assert oauth.get(f"{stage.url}/api/me").json()["user"]["email"] == account.email
    secret = {"client_id": registered.client_id, "client_secret": registered.client_secret}
    oauth.refresh_token(stage.token_endpoint, **secret)
    assert oauth.token["refresh_token"] != first["refresh_token"]
    assert stage.get("/api/me", oauth.token["access_token"]).status_code == 200
    revoked = requests.post(
        f"{stage.url}/oauth2/revoke", data=secret | {"token": oauth.token["refresh_token"]}, timeout=10
    )
    assert revoked.status_code == 200
    assert stage.get("/api/me", oauth.token["access_token"]).status_code == 401
    assert stage.get("/api/me").status_code == 401


def test_what_needs_signatures_finds_its_layer(stage: Server) -> None:
    """Libraries for signatures lie in a layer; without them this would be a server_error."""
    answer = requests.post(
        stage.token_endpoint,
        data={
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJub2JvZHkifQ.c2ln",
        },
        timeout=20,
    )
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_the_log_is_lines_of_json_and_the_audit_trail_has_what_was_done(
    project: Checkout, stage: Server
) -> None:
    registered = stage.add_client("--grant-type", "client_credentials")
    secret = {"client_id": registered.client_id, "client_secret": registered.client_secret}
    issued = requests.post(
        stage.token_endpoint, data=secret | {"grant_type": "client_credentials"}, timeout=20
    ).json()
    assert stage.get("/api/me", issued["access_token"]).status_code == 200
    told = _told(project, "oauth-dev", registered.client_id)
    token, request = (event for event in told if event["event"] in ("token.issued", "request"))
    filters = project.client("logs").describe_metric_filters(logGroupName="/aws/lambda/oauth-dev")
    metrics = [made for one in filters["metricFilters"] for made in one["metricTransformations"]]
    assert {(made["metricNamespace"], made["metricName"]) for made in metrics} >= {
        ("oauth-dev", "TokensIssued")
    }
    assert request["endpoint"] == "POST /oauth2/access_token"
    assert token["request_id"] == request["request_id"]
    (allowed,) = _told(project, "oauth-dev-bearer", registered.client_id)
    assert (allowed["event"], allowed["grant_id"]) == ("authorizer.allowed", issued["access_token"][4:12])
    assert allowed["request_id"]
    trail = json.loads(stage.manage("audit", "--client", registered.client_id, "--json"))
    assert [record["event"] for record in trail] == ["client.registered"]


def _told(project: Checkout, function: str, client_id: str) -> list[dict[str, Any]]:
    """Return the events in a function's log that are about a client, once they are there."""
    logs = project.client("logs")
    for _ in range(50):
        found = logs.filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]
        lines = [line for event in found for line in event["message"].splitlines()]
        told = [json.loads(line) for line in lines if client_id in line]
        if told and (function != "oauth-dev" or told[-1]["event"] == "request"):
            return told
        time.sleep(0.2)
    raise AssertionError(f"the log of {function} has nothing about {client_id}")


class Caller(threading.Thread):
    """An application that never rests."""

    def __init__(self, stage: Server) -> None:
        super().__init__(daemon=True)
        registered = stage.add_client("--grant-type", "client_credentials")
        self._form = {
            "grant_type": "client_credentials",
            "client_id": registered.client_id,
            "client_secret": registered.client_secret,
        }
        self._stage = stage
        self._over = threading.Event()
        self.answers: Counter[Any] = Counter()
        self.lifetimes: list[int] = []

    def run(self) -> None:
        while not self._over.is_set():
            try:
                issued = requests.post(self._stage.token_endpoint, data=self._form, timeout=30)
                self.answers[issued.status_code] += 1
                self.lifetimes.append(issued.json()["expires_in"])
                used = self._stage.get("/api/me", issued.json()["access_token"])
                self.answers[used.status_code] += 1
            except Exception as error:
                self.answers[repr(error)] += 1

    def rest(self) -> None:
        self._over.set()
        self.join()


def test_an_update_fails_no_call(project: Checkout, stage: Server, request: pytest.FixtureRequest) -> None:
    project.configure("dev", environment_variables={"OAUTH_ACCESS_TOKEN_LIFETIME": "3600"})
    caller = Caller(stage)
    caller.start()
    told = project.make("deploy", "STAGE=dev")
    deadline = time.monotonic() + 20
    while caller.lifetimes[-1:] != [3600] and time.monotonic() < deadline:
        time.sleep(0.1)
    caller.rest()
    say(request.config, f"calls during an update: {dict(caller.answers)}")
    assert set(caller.answers) == {200}
    assert caller.lifetimes[0] == 2592000
    assert caller.lifetimes[-1] == 3600
    assert "UPDATE_COMPLETE" in told


def test_no_table_is_replaced_unasked(project: Checkout, stage: Server) -> None:
    project.configure("dev", environment_variables={"OAUTH_TABLE_PREFIX": "oauth-other"})
    done = project.run("make", "deploy", "STAGE=dev")
    project.configure("dev", environment_variables={"OAUTH_TABLE_PREFIX": "oauth-dev"})
    assert done.returncode != 0
    assert "GrantsTable" in done.stdout
    assert "would be replaced by an empty one" in done.stdout
    assert stage.get("/.well-known/oauth-authorization-server").status_code == 200


def test_deploying_the_same_again_changes_nothing(project: Checkout, stage: Server) -> None:
    told = project.make("deploy", "STAGE=dev")
    assert "Nothing has changed" in told
    assert "Uploading" not in told


def test_a_setting_that_cannot_be_is_named_before_anything_is_touched(
    project: Checkout, stage: Server
) -> None:
    project.configure("prod", deployment={"alarm_email": "nobody"})
    done = project.run("make", "deploy", "STAGE=prod")
    assert done.returncode != 0
    assert "alarm_email: expected an e-mail address, not 'nobody'" in done.stdout
    project.configure("prod", deployment={"alarm_email": ""})


def test_a_change_that_fails_says_why_and_leaves_nothing(project: Checkout) -> None:
    project.client("events").create_event_bus(Name="taken")
    template = {
        "Resources": {
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {}},
            "Bus": {"Type": "AWS::Events::EventBus", "DependsOn": "Queue", "Properties": {"Name": "taken"}},
        }
    }
    s3, told = project.client("s3"), list[str]()
    s3.create_bucket(Bucket="templates")
    s3.put_object(Bucket="templates", Key="template.json", Body=json.dumps(template))
    stack = Stack(project.client("cloudformation"), "failing", told.append)
    plan = stack.plan("https://s3.amazonaws.com/templates/template.json", {})
    assert plan
    with pytest.raises(StackError, match=r"(?s)failing ended as ROLLBACK_COMPLETE.*Bus: .*taken"):
        plan.execute()
    assert any(line.endswith("CREATE_FAILED            Bus") for line in told)
    assert project.client("sqs").list_queues().get("QueueUrls", []) == []
    with pytest.raises(StackError, match="failing is ROLLBACK_COMPLETE"):
        stack.plan("https://s3.amazonaws.com/templates/template.json", {})


def test_tables_of_prod_outlive_it_and_are_taken_over_by_the_next(project: Checkout) -> None:
    with project.deployed("prod") as server:
        account = server.add_account()
    project.make("destroy", "STAGE=prod", "YES=prod")
    # As plain `chalice deploy` leaves it behind.
    project.client("logs").create_log_group(logGroupName="/aws/lambda/oauth-prod")
    names = project.client("dynamodb").list_tables()["TableNames"]
    assert {"oauth-prod-clients", "oauth-prod-users", "oauth-prod-grants", "oauth-prod-sessions"} <= set(
        names
    )
    with project.deployed("prod") as server:
        assert account.email in server.manage("user", "list", "--json")
    stack = project.client("cloudformation").describe_stacks(StackName="oauth-prod")["Stacks"][0]
    assert stack["EnableTerminationProtection"]


def test_destroy_wants_the_stage_s_name(project: Checkout, stage: Server) -> None:
    done = project.run("make", "destroy", "STAGE=dev", "YES=prod")
    assert done.returncode != 0
    assert "nothing was removed" in done.stdout
    assert stage.get("/.well-known/oauth-authorization-server").status_code == 200


def test_nothing_of_dev_is_left(project: Checkout, stage: Server) -> None:
    project.make("destroy", "STAGE=dev", "YES=dev")
    left = project.client("dynamodb").list_tables()["TableNames"]
    assert not [name for name in left if name.startswith("oauth-dev-")]
    functions = project.client("lambda").list_functions()["Functions"]
    assert not [function for function in functions if function["FunctionName"].startswith("oauth-dev")]
    roles = project.client("iam").list_roles()["Roles"]
    assert not [role for role in roles if "oauth-dev" in json.dumps(role, default=str)]
