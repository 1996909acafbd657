"""The stub understands conditions and updates as DynamoDB does."""

from typing import Any

import pytest

from bench.expressions import Expressions

NAMES = {"#0": "revision", "#1": "revoked_at", "#2": "count", "#3": "name"}
VALUES = {":0": {"S": "x"}, ":1": {"N": "9"}, ":2": {"N": "10"}, ":3": {"S": "grant#"}}
REQUEST = {"ExpressionAttributeNames": NAMES, "ExpressionAttributeValues": VALUES}


@pytest.mark.parametrize(
    ("condition", "item", "holds"),
    [
        (None, None, True),
        ("attribute_not_exists (#0)", None, True),
        ("attribute_not_exists (#0)", {"revision": {"S": "x"}}, False),
        ("attribute_exists (#0)", None, False),
        ("#0 = :0", {"revision": {"S": "x"}}, True),
        ("#0 = :0", {"revision": {"S": "y"}}, False),
        ("#0 = :0", None, False),
        ("#0 <> :0", None, True),
        ("#0 = :1", {"revision": {"S": "9"}}, False),
        ("#2 > :1", {"count": {"N": "10"}}, True),
        ("#2 < :2", {"count": {"N": "9"}}, True),
        ("#2 >= :2", {"count": {"N": "9"}}, False),
        ("(attribute_exists (#0) AND attribute_not_exists (#1))", {"revision": {"S": "x"}}, True),
        ("(#0 = :0 OR attribute_exists (#1))", {"revoked_at": {"N": "1"}}, True),
        ("(NOT #0 = :0)", {"revision": {"S": "x"}}, False),
        ("begins_with (#3, :3)", {"name": {"S": "grant#1"}}, True),
        ("(#0 = :0 AND (#2 > :1 OR #2 <= :2))", {"revision": {"S": "y"}, "count": {"N": "1"}}, False),
    ],
)
def test_conditions(condition: str | None, item: dict[str, Any] | None, holds: bool) -> None:
    assert Expressions(REQUEST).holds(condition, item) is holds


def test_updates() -> None:
    item = {"revision": {"S": "old"}, "name": {"S": "gone"}, "count": {"N": "1"}}
    Expressions(REQUEST).update("SET #0 = :0, #1 = :1 REMOVE #3 ADD #2 :2", item)
    assert item == {"revision": {"S": "x"}, "revoked_at": {"N": "9"}, "count": {"N": "11"}}


def test_what_is_no_expression_is_refused() -> None:
    with pytest.raises(ValueError, match="#0 = :0 :0"):
        Expressions(REQUEST).holds("#0 = :0 :0", None)
