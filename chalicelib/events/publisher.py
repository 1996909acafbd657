"""The function that tells the platform's event bus what happened (docs/operations.md).

It is invoked by the streams of the tables `grants` and `clients`, so nothing is told that was not
written, and nothing that was written stays untold; whoever wrote it did not wait. It imports
neither models nor settings: its environment says where events go, from whom, and where dead letters.
"""

import json
import os
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.events import changes
from chalicelib.events.changes import Event

MOST_ENTRIES = 10
"""That `PutEvents` takes at once."""
MOST_BYTES = 20_000
"""Of one event. Ours have hundreds; ten of these are below the 256 KB that `PutEvents` always took."""
PATIENCE = Config(connect_timeout=1, read_timeout=3, retries={"total_max_attempts": 3, "mode": "standard"})
"""For one request, in seconds: 12 at worst, and some waiting."""
ATTEMPTS = 3
"""How often what EventBridge did not take is put again, before Lambda has to deliver the record anew."""

REFUSED_FOR_GOOD = ("InvalidArgument", "MalformedDetail")
"""What EventBridge says of an entry that it will never take."""

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Pending:
    """An event to be delivered, and the record that it comes from."""

    event: Event
    record: Record

    def entry(self) -> dict[str, str]:
        """Return it as `PutEvents` takes it."""
        return {
            "EventBusName": os.environ["EVENT_BUS"],
            "Source": os.environ["EVENT_SOURCE"],
            "DetailType": self.event.name,
            "Detail": json.dumps(self.event.detail),
        }


def publish(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Publish what a batch of changes means.

    Args:
        event: what a stream of DynamoDB sends to a function.
        context: of the invocation; not used.

    Returns:
        From which record on Lambda has to deliver the batch again (`ReportBatchItemFailures`), if
        something could not be published.

    Raises:
        BotoCoreError, ClientError: a record that cannot be read could not be set aside. Lambda
            delivers the batch again.
    """
    pending = [found for record in event["Records"] for found in _read(record)]
    for start in range(0, len(pending), MOST_ENTRIES):
        undelivered = _deliver(pending[start : start + MOST_ENTRIES])
        if undelivered:
            first = undelivered[0].record["dynamodb"]["SequenceNumber"]
            return {"batchItemFailures": [{"itemIdentifier": first}]}
    return {"batchItemFailures": []}


def _read(record: Record) -> list[Pending]:
    """Return what to publish of a record. One that cannot be read must not hold up those after it."""
    try:
        found = [Pending(event, record) for event in changes.events_of(record)]
        if any(len(json.dumps(pending.entry())) > MOST_BYTES for pending in found):
            raise ValueError("too long")
    except Exception as error:  # Whatever is wrong with it.
        _set_aside(record, f"unreadable: {type(error).__name__}")
        return []
    return found


def _deliver(pending: Sequence[Pending]) -> Sequence[Pending]:
    """Put up to `MOST_ENTRIES` events on the bus, and return those that it did not take."""
    why = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(random.uniform(0, 0.2 * 2**attempt))  # nosec B311 # noqa: S311 (jitter, no secret)
        try:
            results = _bus().put_events(Entries=[one.entry() for one in pending])["Entries"]
        except (BotoCoreError, ClientError) as error:  # botocore has tried several times.
            why = _code(error)
            break
        refused = [
            (one, result["ErrorCode"])
            for one, result in zip(pending, results, strict=True)
            if "ErrorCode" in result
        ]
        for one, code in refused:
            if code in REFUSED_FOR_GOOD:
                _set_aside(one.record, code)
        pending = [one for one, code in refused if code not in REFUSED_FOR_GOOD]
        if not pending:
            return ()
        why = ", ".join(sorted({code for _, code in refused}))
    _log("events.undelivered", count=len(pending), error=why)
    return pending


def _set_aside(record: Record, reason: str) -> None:
    """Put where a record is to be found on the dead-letter queue: never what is in the row."""
    change = record.get("dynamodb")
    place = change if isinstance(change, Mapping) else {}
    message = {
        "reason": reason,
        "streamArn": record.get("eventSourceARN"),
        "sequenceNumber": place.get("SequenceNumber"),
        "keys": place.get("Keys"),
    }
    _log("event.set_aside", reason=reason)
    _queue().send_message(QueueUrl=os.environ["DEAD_LETTERS"], MessageBody=json.dumps(message))


@cache
def _bus() -> Any:
    return botocore.session.get_session().create_client("events", config=PATIENCE)


@cache
def _queue() -> Any:
    return botocore.session.get_session().create_client("sqs", config=PATIENCE)


def _code(error: Exception) -> str:
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code"))
    return type(error).__name__


def _log(event: str, **fields: object) -> None:
    print(json.dumps({"level": "ERROR", "event": event, **fields}))
