"""The publisher delivers what a batch of changes means, whatever fails on the way."""

import json
from collections.abc import Mapping
from typing import Any

import boto3
import moto
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.events import publisher
from chalicelib.events.publisher import MOST_BYTES, publish
from tests.events.conftest import Bus, Record
from tests.test_imports import loaded_by

ALL_WELL: dict[str, Any] = {"batchItemFailures": []}


def record(number: int, **attributes: Any) -> Record:
    """Return the record of a grant that a user made."""
    grant_id = f"grant{number:03}"
    row = {
        "grant_id": {"S": grant_id},
        "client_id": {"S": "client"},
        "user_id": {"S": "user"},
        "scope": {"S": "read"},
        "created_at": {"N": "1795003200"},
        "revision": {"S": "once"},
    }
    return {
        "eventID": str(number),
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/oauth-test-grants/stream/now",
        "dynamodb": {
            "Keys": {"grant_id": {"S": grant_id}},
            "SequenceNumber": f"{number:03}",
            "NewImage": row | attributes,
        },
    }


def reused(number: int) -> Record:
    """Return the record of a refresh token that was reused, which is worth two events."""
    after = record(number, revoked_at={"N": "1795003300"}, revoked_because={"S": "refresh token reused"})
    after["dynamodb"]["OldImage"] = record(number)["dynamodb"]["NewImage"]
    return after


def batch(*records: Record) -> dict[str, Any]:
    return {"Records": list(records)}


def grants(bus: Bus) -> list[str]:
    return [event["grant_id"] for event in bus.told()]


def refuse(grant_id: str, code: str, times: int) -> Any:
    """Return a bus's mind: it refuses an event about a grant so many times."""
    left = [code] * times

    def decide(entry: Mapping[str, str]) -> str | None:
        return left.pop() if left and json.loads(entry["Detail"])["grant_id"] == grant_id else None

    return decide


def test_events_say_which_bus_they_are_for_and_who_they_are_from(bus: Bus) -> None:
    assert publish(batch(record(1)), None) == ALL_WELL
    (entry,) = bus.events
    assert set(entry) == {"EventBusName", "Source", "DetailType", "Detail"}
    assert (entry["EventBusName"], entry["Source"]) == ("platform", "oauth.test")
    assert entry["DetailType"] == "grant.created"


def test_ten_at_a_time(bus: Bus) -> None:
    assert publish(batch(*map(record, range(23))), None) == ALL_WELL
    assert bus.requests == [10, 10, 3]
    assert grants(bus) == [f"grant{number:03}" for number in range(23)]


def test_two_events_of_a_record_may_go_in_two_requests(bus: Bus) -> None:
    assert publish(batch(*map(record, range(9)), reused(9)), None) == ALL_WELL
    assert bus.requests == [10, 1]
    assert [event["event"] for event in bus.told()][-2:] == ["grant.revoked", "refresh.reused"]


def test_an_empty_batch_asks_nobody(bus: Bus) -> None:
    assert publish(batch(), None) == ALL_WELL
    assert bus.requests == []


def test_what_is_delivered_again_has_the_same_id(bus: Bus) -> None:
    publish(batch(record(1), reused(2)), None)
    first = bus.told()
    publish(batch(record(1), reused(2)), None)
    assert bus.told() == first
    assert len({event["id"] for event in first}) == 3


def test_another_write_of_a_row_is_another_event(bus: Bus) -> None:
    publish(batch(record(1), record(1, revision={"S": "again"})), None)
    first, second = bus.told()
    assert first["id"] != second["id"]


def test_a_grant_that_moves_here_revoked_is_no_news(bus: Bus) -> None:
    moved = record(1, revoked_at={"N": "1795003300"}, revoked_because={"S": "revoked by the client"})
    assert publish(batch(moved), None) == ALL_WELL
    assert bus.events == bus.dead_letters == []


def test_only_what_was_not_taken_is_put_again(bus: Bus) -> None:
    bus.refuse = refuse("grant002", "ThrottlingException", times=2)
    assert publish(batch(*map(record, range(5))), None) == ALL_WELL
    assert bus.requests == [5, 1, 1]
    assert sorted(grants(bus)) == [f"grant{number:03}" for number in range(5)]


def test_what_is_not_taken_in_the_end_is_reported_and_nothing_after_it_is_put(
    bus: Bus, capsys: pytest.CaptureFixture[str]
) -> None:
    bus.refuse = refuse("grant012", "InternalFailure", times=99)
    answer = publish(batch(*map(record, range(35))), None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "012"}]}
    assert bus.requests == [10, 10, 1, 1]
    assert len(grants(bus)) == 19
    logged = json.loads(capsys.readouterr().out)
    assert logged["event"] == "events.undelivered"
    assert (logged["count"], logged["error"]) == (1, "InternalFailure")


def test_a_bus_that_is_out_of_reach_is_asked_once_and_all_is_reported(bus: Bus) -> None:
    bus.broken = True
    answer = publish(batch(*map(record, range(35))), None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "000"}]}
    assert bus.requests == [10]


def test_after_an_outage_everything_is_told(bus: Bus) -> None:
    bus.broken = True
    records = [record(number) for number in range(5)]
    assert publish(batch(*records), None)["batchItemFailures"]
    bus.broken = False
    assert publish(batch(*records), None) == ALL_WELL
    assert len(grants(bus)) == 5


@pytest.mark.parametrize("code", ["MalformedDetail", "InvalidArgument"])
def test_what_is_refused_for_good_holds_nothing_up(bus: Bus, code: str) -> None:
    bus.refuse = refuse("grant001", code, times=1)
    assert publish(batch(*map(record, range(3))), None) == ALL_WELL
    assert grants(bus) == ["grant000", "grant002"]
    (letter,) = bus.dead_letters
    assert (letter["reason"], letter["sequenceNumber"]) == (code, "001")


@pytest.mark.parametrize(
    "odd",
    [
        {"scope": {"N": "1"}},
        {"scope": {"S": "x" * MOST_BYTES}},
        {"created_at": {"N": "soon"}},
        {"created_at": {"N": "9" * 30}},
        {"revision": {"NULL": True}},
        {"client_id": "client"},
        {"device_code": {"M": {}}},
    ],
    ids=lambda odd: str(odd)[:40],
)
def test_a_row_that_cannot_be_read_is_set_aside_and_holds_nothing_up(bus: Bus, odd: dict[str, Any]) -> None:
    assert publish(batch(record(0), record(1, **odd), record(2)), None) == ALL_WELL
    assert grants(bus) == ["grant000", "grant002"]
    (letter,) = bus.dead_letters
    assert letter.pop("reason").startswith("unreadable: ")
    assert letter == {
        "streamArn": record(1)["eventSourceARN"],
        "sequenceNumber": "001",
        "keys": {"grant_id": {"S": "grant001"}},
    }


def test_what_a_row_holds_stays_out_of_the_log_and_the_dead_letters(
    bus: Bus, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = record(1, scope={"N": "secret"}, refresh_token={"M": {"hash": {"S": "secret"}}})
    publish(batch(odd), None)
    bus.broken = True
    publish(batch(record(2, refresh_token={"M": {"hash": {"S": "secret"}}})), None)
    assert "secret" not in json.dumps(bus.dead_letters) + capsys.readouterr().out


def images() -> st.SearchStrategy[Any]:
    """Rows that are nearly right: attributes that are missing, of other types, or of other sizes."""
    whole = record(1)["dynamodb"]["NewImage"]
    names = [*whole, "revoked_at", "revoked_because", "device_code", "owner"]
    values = st.one_of(
        st.fixed_dictionaries({"S": st.text(max_size=50)}),
        st.fixed_dictionaries({"N": st.one_of(st.integers().map(str), st.text(max_size=5))}),
        st.just({"NULL": True}),
        st.just({"M": {"approved_at": {"N": "1"}}}),
        st.recursive(
            st.none() | st.booleans() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=2)
        ),
    )
    return st.one_of(
        st.none(),
        st.dictionaries(st.sampled_from(names), values, max_size=8),
        st.dictionaries(st.sampled_from(names), values, max_size=2).map(lambda odd: whole | odd),
        st.text(max_size=5),
    )


KEYS: list[Any] = [{"grant_id": {"S": "g"}}, {"client_id": {"S": "c"}}, {}, None, "grant_id"]

changes = st.one_of(
    st.fixed_dictionaries(
        {},
        optional={
            "Keys": st.sampled_from(
                [{"grant_id": {"S": "g"}}, {"client_id": {"S": "c"}}, {}, None, "grant_id"]
            ),
            "OldImage": images(),
            "NewImage": images(),
        },
    ),
    st.none(),
    st.lists(st.integers(), max_size=2),
)


@given(odd=st.lists(changes, max_size=4))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_record_holds_up_those_after_it(bus: Bus, odd: list[Any]) -> None:
    bus.told()
    bus.dead_letters.clear()
    records = [{"eventID": "odd", "dynamodb": change} for change in odd]
    assert publish(batch(*records, record(1)), None) == ALL_WELL
    *of_odd, last = bus.told()
    assert last["grant_id"] == "grant001"
    for event in of_odd:
        assert all(isinstance(value, str) for value in event.values())
    assert len(bus.dead_letters) <= len(odd)


def test_a_record_that_cannot_even_be_set_aside_is_delivered_again(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: str) -> None:
        raise ConnectionError

    monkeypatch.setattr(bus, "send_message", fail)
    with pytest.raises(ConnectionError):
        publish(batch(record(0), record(1, scope={"N": "1"})), None)
    assert bus.events == []


def forget_clients() -> None:
    for client in (publisher._bus, publisher._queue):
        client.cache_clear()


def test_aws_takes_what_is_sent(environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """By botocore's own checks, and as far as moto knows them."""
    forget_clients()
    with moto.mock_aws():
        sqs = boto3.client("sqs", region_name="us-east-1")
        queue = sqs.create_queue(QueueName="dead-letters")["QueueUrl"]
        monkeypatch.setenv("DEAD_LETTERS", queue)
        boto3.client("events", region_name="us-east-1").create_event_bus(Name="platform")
        assert publish(batch(record(0), record(1, scope={"N": "1"}), reused(2)), None) == ALL_WELL
        letters = sqs.receive_message(QueueUrl=queue)["Messages"]
        assert json.loads(letters[0]["Body"])["sequenceNumber"] == "001"
    forget_clients()


def test_it_imports_no_more_than_it_needs() -> None:
    loaded = loaded_by("chalicelib.events.publisher")
    assert not loaded & {"pynamodb", "chalice", "boto3", "jinja2", "chalicelib.settings", "chalicelib.models"}
