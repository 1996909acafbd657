"""DynamoDB in this process: dictionaries, which are put back as they were after each request.

moto takes most of the time of a request, and copies nothing back. What is tested here is the side
that calls DynamoDB, and that it never asks for what DynamoDB refuses.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

from botocore.exceptions import ClientError

from bench.stub import DynamoDB, Refused
from chalicelib.models.table import dynamodb
from management.infrastructure import tables

LONGEST_KEYS = {"HASH": 2048, "RANGE": 1024}
"""Bytes, of which there is at least one."""
LARGEST_ROW = 400 * 1024
"""Bytes."""

Key = tuple[str, ...]


class Storage(DynamoDB):
    """Tables that know what changed in them, and go back."""

    def __init__(self) -> None:
        super().__init__()
        self._limits: dict[str, int] = {}
        for model in tables.TABLES.values():
            definition = tables.table_definition(model)
            self.answer("CreateTable", definition)
            for part in definition["KeySchema"]:
                self._limits[part["AttributeName"]] = LONGEST_KEYS[part["KeyType"]]
        self.writes = 0
        """Requests that may have changed something. Who looks at the changes sets it back."""
        self._kept: dict[str, dict[Key, Any]] = {}

    def call(self, operation: str, request: Mapping[str, Any]) -> Any:
        """Carry out a request of the client, in the place of botocore.

        Raises:
            ClientError: DynamoDB refuses it.
        """
        self.writes += operation not in ("GetItem", "BatchGetItem", "Query")
        try:
            # As through a network: nobody holds on to what is stored.
            return json.loads(json.dumps(self.answer(operation, self._received(request))))
        except Refused as refused:
            code = refused.body["__type"].rpartition("#")[2]
            raise ClientError({**refused.body, "Error": {"Code": code}}, operation) from None

    def rows(self, table: str) -> list[Any]:
        """Return what is in a table."""
        return list(self._tables[table].values())

    def keep(self) -> None:
        """Remember what there is now."""
        self._kept = {table: dict(rows) for table, rows in self._tables.items()}

    def changes(self) -> list[tuple[str, Any, Any]]:
        """Return what changed since then: the kind of table, the row before and the row now."""
        return [
            (table.rpartition("-")[2], before, now)
            for table, rows in self._tables.items()
            for key in {**self._kept[table], **rows}
            if (before := self._kept[table].get(key)) != (now := rows.get(key))
        ]

    def put_back(self) -> None:
        """Make all as it was then."""
        self._tables = {table: dict(rows) for table, rows in self._kept.items()}

    def _received(self, request: Mapping[str, Any]) -> Any:
        """Return a copy of a request.

        Raises:
            Refused: what dictionaries would take and DynamoDB does not: a key that is empty or too
                long, a row that is too large, or text that is none.
        """
        text = json.dumps(request, ensure_ascii=False)
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            raise Refused("SerializationException") from None
        if size > LARGEST_ROW:
            raise Refused("ValidationException")
        for keys in _keys_in(request):
            for name, limit in self._limits.items():
                value = keys.get(name, {}).get("S", "x")
                if not 0 < len(value.encode()) <= limit:
                    raise Refused("ValidationException")
        return json.loads(text)


def _keys_in(request: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield each key, or row with its key, that a request names."""
    for name in ("Key", "Item"):
        if name in request:
            yield request[name]
    for part in request.get("TransactItems", ()):
        yield from _keys_in(next(iter(part.values())))
    for wanted in request.get("RequestItems", {}).values():
        yield from wanted["Keys"]


@contextmanager
def in_memory() -> Iterator[Storage]:
    """Let the app have empty tables in this process until the end of the block."""
    storage = Storage()
    with mock.patch.object(dynamodb.client, "_make_api_call", storage.call):
        yield storage
