"""A platform listens to the bus of a deployed stage: API Gateway, functions, streams, publisher, bus, queue.

MiniStack's filters of streams take `exists: false` for an attribute whose type is gone with it as never
true, where the rules of EventBridge and Lambda have it true. So a device that is allowed is told of
in AWS and not here; `tests/events/test_changes.py` has it.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests

from tests.harness import CALLBACK
from tests.interop.server import Person, RegisteredClient, Server
from tests.stack.checkout import Checkout, checkout

PATIENCE = 30
"""Seconds that what is told may take."""

QUEUE = "heard"


@dataclass(frozen=True)
class Listener:
    """A queue of the platform."""

    sqs: Any
    url: str

    def hears(self, count: int) -> list[dict[str, Any]]:
        """Wait for so many messages, and return all there are."""
        heard: list[dict[str, Any]] = []
        deadline = time.monotonic() + PATIENCE
        while len(heard) < count and time.monotonic() < deadline:
            answer = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in answer.get("Messages", []):
                heard.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return heard


@pytest.fixture(scope="module")
def project(ministack: str, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    made = checkout(tmp_path_factory.mktemp("events"), ministack)
    made.configure("dev", deployment={"event_bus": "platform"})
    return made


@pytest.fixture(scope="module")
def stage(project: Checkout) -> Iterator[Server]:
    with project.deployed("dev") as server:
        yield server
    project.client("events").remove_targets(EventBusName="platform", Rule=QUEUE, Ids=[QUEUE])
    project.client("events").delete_rule(EventBusName="platform", Name=QUEUE)
    project.make("destroy", "STAGE=dev", "YES=dev")


@pytest.fixture(scope="module")
def platform(project: Checkout, stage: Server) -> Listener:
    sqs, events = project.client("sqs"), project.client("events")
    url = sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = json.dumps({"source": ["oauth.dev"]})
    events.put_rule(EventBusName="platform", Name=QUEUE, EventPattern=pattern)
    events.put_targets(EventBusName="platform", Rule=QUEUE, Targets=[{"Id": QUEUE, "Arn": arn}])
    return Listener(sqs, url)


def post(stage: Server, path: str, client: RegisteredClient, **form: str) -> requests.Response:
    credentials = {"client_id": client.client_id, "client_secret": client.client_secret}
    return requests.post(stage.url + path, data=credentials | form, timeout=20)


def connect(stage: Server, client: RegisteredClient, person: Person) -> dict[str, str]:
    """Let a person allow an application, and return the tokens."""
    asked = {"client_id": client.client_id, "redirect_uri": CALLBACK, "response_type": "code"}
    back = person.authorize(f"{stage.authorization_endpoint}?{urlencode(asked)}")
    (code,) = parse_qs(urlsplit(back).query)["code"]
    answer = post(
        stage,
        "/oauth2/access_token",
        client,
        grant_type="authorization_code",
        code=code,
        redirect_uri=CALLBACK,
    )
    assert answer.status_code == 200, answer.text
    tokens: dict[str, str] = answer.json()
    return tokens


def refresh(stage: Server, client: RegisteredClient, tokens: dict[str, str]) -> requests.Response:
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    return post(stage, "/oauth2/access_token", client, **form)


def test_the_platform_hears_what_becomes_of_grants_and_clients(stage: Server, platform: Listener) -> None:
    person = Person(stage, stage.add_account())
    grant_types = ("authorization_code", "refresh_token", "client_credentials")
    client = stage.add_client(*[option for name in grant_types for option in ("--grant-type", name)])
    stolen = connect(stage, client, person)
    current = refresh(stage, client, stolen).json()
    assert refresh(stage, client, current).status_code == 200
    assert refresh(stage, client, stolen).json()["error"] == "invalid_grant"
    returned = connect(stage, client, person)
    assert post(stage, "/oauth2/revoke", client, token=returned["refresh_token"]).status_code == 200
    assert post(stage, "/oauth2/token", client, grant_type="client_credentials").status_code == 200

    heard = platform.hears(6)
    details = [(event["detail-type"], event["detail"]) for event in heard]
    told = Counter((name, detail.get("grant_id"), detail.get("reason")) for name, detail in details)
    first, second = stolen["access_token"][4:12], returned["access_token"][4:12]
    assert told == Counter(
        [
            ("client.registered", None, None),
            ("grant.created", first, None),
            ("grant.revoked", first, "refresh token reused"),
            ("refresh.reused", first, None),
            ("grant.created", second, None),
            ("grant.revoked", second, "revoked by the client"),
        ]
    )
    assert {detail["client_id"] for _, detail in details} == {client.client_id}
    assert len({detail["id"] for _, detail in details}) == 6


def test_a_row_that_cannot_be_read_is_told_to_the_operator_and_holds_nothing_up(
    project: Checkout, stage: Server, platform: Listener
) -> None:
    odd = {"grant_id": {"S": "odd"}, "user_id": {"S": "somebody"}, "scope": {"N": "1"}}
    project.client("dynamodb").put_item(TableName="oauth-dev-grants", Item=odd)
    client = stage.add_client()
    connect(stage, client, Person(stage, stage.add_account()))
    heard = platform.hears(2)
    assert sorted(event["detail-type"] for event in heard) == ["client.registered", "grant.created"]
    outputs = project.client("cloudformation").describe_stacks(StackName="oauth-dev")["Stacks"][0]["Outputs"]
    (queue,) = [
        output["OutputValue"] for output in outputs if output["OutputKey"] == "PublisherDeadLettersUrl"
    ]
    (letter,) = Listener(project.client("sqs"), queue).hears(1)
    assert letter["keys"] == {"grant_id": {"S": "odd"}}
