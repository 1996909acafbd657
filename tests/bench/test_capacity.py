"""The arithmetic of capacity units, by the examples of AWS's documentation."""

from typing import Any

import boto3
import pytest

from bench.capacity import Index, Item, Meter, item_size, number_size, read_units, write_units
from tests.harness import Deployment

KB = 1024
INDEX = Index("by-owner", ("owner", "day"), frozenset({"owner", "day", "id", "state"}))


def row(**changes: Any) -> Item:
    attributes = {"id": "1", "owner": "somebody", "day": "2026-01-01", "state": "new", "other": "x"} | changes
    return {name: {"S": value} for name, value in attributes.items() if value is not None}


@pytest.mark.parametrize(
    ("size", "consistent", "units"),
    [
        (3500, True, 1),  # "reading a 3,500-byte item consumes the same throughput as reading a 4 KB item"
        (8 * KB, True, 2),
        (8 * KB, False, 1),
        (10 * KB, False, 1.5),
        (0, True, 1),  # "a read operation on an item that does not exist"
        (0, False, 0.5),
    ],
)
def test_reads_are_rounded_up_to_4_kb(size: int, consistent: bool, units: float) -> None:
    assert read_units(size, consistent=consistent) == units


@pytest.mark.parametrize(
    ("before", "after", "transactional", "units"),
    [
        (0, 500, False, 1),  # "writing a 500-byte item consumes the same throughput as writing a 1 KB item"
        (0, 2 * KB, False, 2),
        (0, 2 * KB, True, 4),
        (3 * KB, 100, False, 3),  # "the larger of these item sizes"
        (0, 0, False, 1),
    ],
)
def test_writes_are_rounded_up_to_1_kb(before: int, after: int, transactional: bool, units: float) -> None:
    assert write_units(before, after, transactional=transactional) == units


@pytest.mark.parametrize(("number", "size"), [("0", 1), ("7", 2), ("27", 2), ("-271", 3), ("1700000000", 2)])
def test_a_number_takes_a_byte_for_two_significant_digits_and_one_more(number: str, size: int) -> None:
    assert number_size(number) == size


@pytest.mark.parametrize(
    ("item", "size"),
    [
        ({"name": {"S": "é"}}, 6),
        ({"b": {"B": b"123"}}, 4),
        ({"yes": {"BOOL": True}}, 4),
        ({"list": {"L": []}}, 7),
        ({"map": {"M": {}}}, 6),
        ({"list": {"L": [{"S": "ab"}, {"NULL": True}]}}, 4 + 3 + (1 + 2) + (1 + 1)),
        ({"map": {"M": {"a": {"S": "b"}}}}, 3 + 3 + (1 + 1 + 1)),
    ],
)
def test_names_and_values_and_what_holds_others_count(item: Item, size: int) -> None:
    assert item_size(item) == size


@pytest.mark.parametrize(
    ("before", "after", "units"),
    [
        (None, row(), 1),  # "a new item to the table that defines an indexed attribute": one write
        (row(), row(day="2026-01-02"), 2),  # "changes the value of an indexed key attribute": two writes
        (row(), row(owner=None), 1),  # "deleted by the update": one write
        (row(owner=None), row(owner=None, other="y"), 0),  # "not present in the index before or after"
        (row(), row(state="old"), 1),  # "only changes the value of projected attributes": one write
        (row(), row(other="y"), 0),
        (row(), None, 1),
        (None, row(state="x" * KB), 2),
    ],
)
def test_an_index_is_written_when_what_it_holds_changes(
    before: Item | None, after: Item | None, units: float
) -> None:
    assert INDEX.write_units(before, after) == units


def test_the_meter_sees_every_row_of_a_batch_a_query_and_a_transaction(deployment: Deployment) -> None:
    del deployment
    client, onlooker = (boto3.client("dynamodb", region_name="us-east-1") for _ in range(2))
    table = "oauth-test-users"
    key = {"user_id": {"S": "1"}, "item": {"S": "a"}}
    with Meter(client, onlooker, {table: "users"}) as consumption:
        client.put_item(TableName=table, Item=key | {"text": {"S": "x" * 5000}})
        client.batch_get_item(RequestItems={table: {"Keys": [key, key | {"item": {"S": "b"}}]}})
        client.query(
            TableName=table,
            KeyConditionExpression="#id = :id",
            FilterExpression="#text = :nothing",
            ExpressionAttributeNames={"#id": "user_id", "#text": "text"},
            ExpressionAttributeValues={":id": {"S": "1"}, ":nothing": {"S": ""}},
            ConsistentRead=True,
        )
        check = {"TableName": table, "Key": key, "ConditionExpression": "attribute_exists(user_id)"}
        client.transact_write_items(TransactItems=[{"ConditionCheck": check}])
    assert {access.where for access in consumption.accesses} == {"users"}
    found = [(access.writes, access.units) for access in consumption.accesses]
    assert found == [(True, 5), (False, 1), (False, 0.5), (False, 2), (True, 10)]
    assert (consumption.read, consumption.write) == (3.5, 15)
    assert consumption.requests.total() == 4
