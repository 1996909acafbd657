"""Streams as DynamoDB makes them of real rows, and a bus that notes what it is told."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from moto.events.models import EventPattern

from chalicelib.events import publisher
from chalicelib.models.table import dynamodb
from management.infrastructure.events import FILTERS
from management.infrastructure.tables import TABLES
from tests.harness import Deployment, _onlooker
from tests.management.conftest import manager  # noqa: F401 (a fixture)

Record = dict[str, Any]

QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/dead-letters"


WRITES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems")


class Stream:
    """What the streams of `grants` and `clients` tell: each change with the row before and after.

    It looks at the tables after every write, since moto has no streams of transactions.
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._rows = self._read()

    def look(self, **_: Any) -> None:
        rows = self._read()
        for table, key in [*self._rows, *rows]:
            old, new = self._rows.get((table, key)), rows.get((table, key))
            if old != new:
                self._note(table, old, new)
                self._rows = {at: row for at, row in (self._rows | {(table, key): new}).items() if row}

    def taken(self) -> list[Record]:
        """Return what was not taken before."""
        records, self.records = self.records, []
        return records

    def _read(self) -> dict[tuple[str, str], Any]:
        return {
            (kind, row[_key_of(kind)]["S"]): row
            for kind in FILTERS
            for row in _onlooker().scan(TableName=TABLES[kind].Meta.table_name)["Items"]
        }

    def _note(self, kind: str, old: Any, new: Any) -> None:
        number = f"{len(self.records) + 1:021}"
        key = _key_of(kind)
        images = {name: row for name, row in (("OldImage", old), ("NewImage", new)) if row}
        record = {
            "eventID": f"event-{number}",
            "eventName": "INSERT" if not old else "MODIFY" if new else "REMOVE",
            "eventSource": "aws:dynamodb",
            "eventSourceARN": f"arn:aws:dynamodb:us-east-1:123456789012:table/oauth-test-{kind}/stream/now",
            "dynamodb": {"Keys": {key: (new or old)[key]}, "SequenceNumber": number, **images},
        }
        self.records.append(json.loads(json.dumps(record)))


def _key_of(kind: str) -> str:
    return str(TABLES[kind]._hash_key_attribute().attr_name)


def passes(record: Record) -> bool:
    """Tell whether a record passes the filters of its table, and so costs an invocation.

    moto's matcher of event patterns does as the rules of EventBridge say, and so those of Lambda: what
    is not there, however far up, does not exist.
    """
    kind = record["eventSourceARN"].split("/")[1].rpartition("-")[2]
    return any(EventPattern(None, pattern).matches_event(cast("Any", record)) for pattern in FILTERS[kind])


class Bus:
    """EventBridge, and the queue of dead letters."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.dead_letters: list[dict[str, Any]] = []
        self.requests: list[int] = []
        self.refuse: Callable[[Mapping[str, str]], str | None] = lambda _: None
        """Say with which code an entry is refused, if it is."""
        self.broken = False

    def put_events(self, Entries: Sequence[Mapping[str, str]]) -> dict[str, Any]:  # noqa: N803
        assert 1 <= len(Entries) <= 10
        self.requests.append(len(Entries))
        if self.broken:
            raise ClientError({"Error": {"Code": "InternalException"}}, "PutEvents")
        results: list[dict[str, str]] = []
        for entry in Entries:
            code = self.refuse(entry)
            if code:
                results.append({"ErrorCode": code, "ErrorMessage": "no"})
            else:
                results.append({"EventId": "1"})
                self.events.append(dict(entry))
        return {"FailedEntryCount": sum("ErrorCode" in result for result in results), "Entries": results}

    def send_message(self, QueueUrl: str, MessageBody: str) -> None:  # noqa: N803
        assert QueueUrl == QUEUE
        self.dead_letters.append(json.loads(MessageBody))

    def told(self) -> list[dict[str, Any]]:
        """Return the events, each with its name, and forget them."""
        events, self.events = self.events, []
        return [{"event": entry["DetailType"], **json.loads(entry["Detail"])} for entry in events]


@pytest.fixture
def stream(deployment: Deployment) -> Iterator[Stream]:
    stream = Stream()
    events = dynamodb.client.meta.events
    for write in WRITES:
        events.register(f"after-call.dynamodb.{write}", stream.look)
    yield stream
    for write in WRITES:
        events.unregister(f"after-call.dynamodb.{write}", stream.look)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENT_BUS", "platform")
    monkeypatch.setenv("EVENT_SOURCE", "oauth.test")
    monkeypatch.setenv("DEAD_LETTERS", QUEUE)


@pytest.fixture
def bus(environment: None, monkeypatch: pytest.MonkeyPatch) -> Bus:
    bus = Bus()
    monkeypatch.setattr(publisher, "_bus", lambda: bus)
    monkeypatch.setattr(publisher, "_queue", lambda: bus)
    monkeypatch.setattr("time.sleep", lambda _: None)
    return bus
