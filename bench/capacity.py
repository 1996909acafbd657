"""What requests to DynamoDB consume, by its documented rules.

Engines on one machine do not follow them: moto answers with one number for each kind of request, and
MiniStack looks at the size of what is written, and not of what is read.

Sizes: docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
Units: .../read-write-operations.html; indexes: .../GSI.html, "Provisioned throughput considerations".
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

Item = Mapping[str, Mapping[str, Any]]
"""A row as the API has it: each attribute with its type."""

READ_UNIT, WRITE_UNIT = 4096, 1024
"""Bytes."""

STORAGE_OVERHEAD = 100
"""Bytes that each row, and each entry of an index, is billed for besides its size."""


def item_size(item: Item) -> int:
    """Return the size of a row in bytes: of the names of its attributes, and of their values."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return number_size(content)
        case "B":
            return len(content)
        case "BOOL" | "NULL":
            return 1
        case "SS":
            return sum(len(text.encode()) for text in content)
        case "L":
            return 3 + sum(1 + _value_size(element) for element in content)
        case "M":
            return 3 + len(content) + item_size(content)
    raise NotImplementedError(kind)


def number_size(number: str) -> int:
    """Return the size of a number: a byte for two significant digits, and one more."""
    digits = "".join(map(str, Decimal(number).as_tuple().digits)).strip("0")
    return math.ceil(len(digits) / 2) + 1


def read_units(size: int, *, consistent: bool) -> float:
    """Return what reading so many bytes consumes; what is not there counts as one unit of them."""
    return max(1, math.ceil(size / READ_UNIT)) * (1.0 if consistent else 0.5)


def write_units(before: int, after: int, *, transactional: bool = False) -> float:
    """Return what replacing one row by another consumes: the larger counts.

    Args:
        before: the size in bytes of the row that was there; 0: none.
        after: that of the row that is there now. If a condition failed, it is the same one.
        transactional: whether it was written by a transaction, which counts twice.
    """
    return max(1, math.ceil(max(before, after) / WRITE_UNIT)) * (2.0 if transactional else 1.0)


@dataclass(frozen=True)
class Index:
    """A global secondary index."""

    name: str
    keys: tuple[str, ...]
    """Of the index, its partition's key first."""
    projected: frozenset[str]
    """What its entries hold: its own keys, the table's, and what is included."""

    def entry(self, item: Item | None) -> Item | None:
        """Return the entry of a row; None for a row without the keys."""
        if item is None or not all(key in item for key in self.keys):
            return None
        return {name: value for name, value in item.items() if name in self.projected}

    def write_units(self, before: Item | None, after: Item | None) -> float:
        """Return what a change of a row consumes here.

        A changed key deletes the entry and makes another one; what an entry does not hold costs nothing.
        """
        old, new = self.entry(before), self.entry(after)
        if old == new:
            return 0.0
        if old and new and all(old[key] == new[key] for key in self.keys):
            return write_units(item_size(old), item_size(new))
        return sum(write_units(0, item_size(entry)) for entry in (old, new) if entry)


@dataclass(frozen=True)
class Access:
    """One row, or the rows of one query, that a request read or wrote."""

    where: str
    """The table (`grants`), or the index."""
    partition: str
    """The partition's key."""
    writes: bool
    units: float
    size: int
    """Bytes of the row; after it was written, if it was."""


@dataclass
class Consumption:
    """What an operation sent to DynamoDB."""

    requests: Counter[str] = field(default_factory=Counter)
    accesses: list[Access] = field(default_factory=list)
    logged: int = 0
    """Bytes that the function printed meanwhile, if somebody looked."""

    @property
    def read(self) -> float:
        """Read request units."""
        return sum(access.units for access in self.accesses if not access.writes)

    @property
    def write(self) -> float:
        """Write request units, those of indexes included."""
        return sum(access.units for access in self.accesses if access.writes)


class Meter:
    """Counts what a client of DynamoDB consumes while it is entered.

    Args:
        client: whose requests count.
        onlooker: another client, which looks at rows before and after a write.
        tables: all tables: under the name that they have, what they are called in the report.
    """

    def __init__(self, client: Any, onlooker: Any, tables: Mapping[str, str]) -> None:
        self._events = client.meta.events
        self.onlooker = onlooker
        self._called = dict(tables)
        self._tables = {name: Table.of(onlooker.describe_table(TableName=name)["Table"]) for name in tables}
        self.consumption = Consumption()

    def __enter__(self) -> Consumption:
        self.consumption = Consumption()
        self._events.register("provide-client-params.dynamodb", self._before)
        self._events.register("after-call.dynamodb", self._after)
        return self.consumption

    def __exit__(self, *_: object) -> None:
        self._events.unregister("provide-client-params.dynamodb", self._before)
        self._events.unregister("after-call.dynamodb", self._after)

    def _before(self, params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        self.consumption.requests[model.name] += 1
        written = [(name, key, self._look(name, key)) for name, key in self._written_keys(model.name, params)]
        context["metered"] = params, written

    def _after(self, model: Any, context: dict[str, Any], **_: Any) -> None:
        params, written = context["metered"]
        transactional = model.name.startswith("Transact")
        for name, key, before in written:
            self._count_write(name, key, before, transactional)
        if model.name in ("GetItem", "BatchGetItem"):
            self._count_reads(model.name, params)
        elif model.name == "Query":
            self._count_query(params)
        elif not written:
            raise NotImplementedError(model.name)

    def _written_keys(self, operation: str, params: dict[str, Any]) -> Iterator[tuple[str, Item]]:
        """Find the keys of what a request writes, or makes a condition of."""
        if operation == "TransactWriteItems":
            for entry in params["TransactItems"]:
                (change,) = entry.values()
                yield change["TableName"], self._key(change)
        elif operation in ("PutItem", "UpdateItem", "DeleteItem"):
            yield params["TableName"], self._key(params)

    def _key(self, change: dict[str, Any]) -> Item:
        if "Key" in change:
            key: Item = change["Key"]
            return key
        item = change["Item"]
        return {name: item[name] for name in self._tables[change["TableName"]].keys}

    def _count_write(self, name: str, key: Item, before: Item | None, transactional: bool) -> None:
        after = self._look(name, key)
        table = self._tables[name]
        sizes = item_size(before or {}), item_size(after or {})
        units = write_units(*sizes, transactional=transactional)
        self._add(name, key[table.keys[0]]["S"], True, units, sizes[1])
        for index in table.indexes:
            # AWS does not say what a transaction costs in an index: twice, to be safe.
            units = index.write_units(before, after) * (2 if transactional else 1)
            entry = index.entry(after) or index.entry(before)
            if units and entry:
                self._add(index.name, entry[index.keys[0]]["S"], True, units, item_size(entry))

    def _count_reads(self, operation: str, params: dict[str, Any]) -> None:
        asked = {params["TableName"]: params} if operation == "GetItem" else params["RequestItems"]
        for name, request in asked.items():
            for key in request.get("Keys") or [request["Key"]]:
                size = item_size(self._look(name, key) or {})
                units = read_units(size, consistent=bool(request.get("ConsistentRead")))
                self._add(name, key[self._tables[name].keys[0]]["S"], False, units, size)

    def _count_query(self, params: dict[str, Any]) -> None:
        table = self._tables[params["TableName"]]
        index = next((index for index in table.indexes if index.name == params.get("IndexName")), None)
        read = self.onlooker.query(**_unfiltered(params))["Items"]
        size = sum(item_size((index.entry(item) if index else item) or {}) for item in read)
        units = read_units(size, consistent=bool(params.get("ConsistentRead")))
        # The partition's key comes first.
        placeholder = re.findall(r":\w+", params["KeyConditionExpression"])[0]
        value = params["ExpressionAttributeValues"][placeholder]["S"]
        self._add(index.name if index else params["TableName"], value, False, units, size)

    def _add(self, where: str, partition: str, writes: bool, units: float, size: int) -> None:
        called = self._called.get(where, where)
        self.consumption.accesses.append(Access(called, partition, writes, units, size))

    def _look(self, name: str, key: Item) -> Item | None:
        found: Item | None = self.onlooker.get_item(TableName=name, Key=key, ConsistentRead=True).get("Item")
        return found


@dataclass(frozen=True)
class Table:
    """A table's keys, and its indexes."""

    keys: tuple[str, ...]
    indexes: tuple[Index, ...]

    @classmethod
    def of(cls, description: Mapping[str, Any]) -> "Table":
        """Read what DynamoDB says of a table, or is told to make."""
        keys = _names(description["KeySchema"])
        indexes = []
        for index in description.get("GlobalSecondaryIndexes", ()):
            own = _names(index["KeySchema"])
            included = index["Projection"].get("NonKeyAttributes", ())
            indexes.append(Index(index["IndexName"], own, frozenset({*own, *keys, *included})))
        return cls(keys, tuple(indexes))


def _names(schema: list[dict[str, str]]) -> tuple[str, ...]:
    return tuple(key["AttributeName"] for key in sorted(schema, key=lambda key: key["KeyType"] != "HASH"))


def _unfiltered(params: dict[str, Any]) -> dict[str, Any]:
    """Return the query that reads the same rows and keeps none of them back: all of them are paid for."""
    kept = {
        name: value
        for name, value in params.items()
        if name not in ("FilterExpression", "ProjectionExpression", "Select", "ReturnConsumedCapacity")
    }
    condition = kept["KeyConditionExpression"]
    for placeholders in ("ExpressionAttributeNames", "ExpressionAttributeValues"):
        used = {
            name: value
            for name, value in kept.get(placeholders, {}).items()
            if re.search(rf"{re.escape(name)}\b", condition)
        }
        kept[placeholders] = used
    return kept
