"""The tables that a stage is moved into."""

import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click

from chalicelib.models.table import Table
from management import aws, stage_rows
from management.infrastructure.tables import TABLES
from management.stage_file import table_name
from management.stage_rows import Item

READ_AT_ONCE, WRITTEN_AT_ONCE = 100, 25
"""Rows in one request, at most."""

PATIENCE = 12
"""How often what DynamoDB left unprocessed is sent again, waiting longer each time: half a minute or so."""
LONGEST_WAIT = 10
"""Seconds."""

GO_ON = "Some rows are written, others not: go on with --if-exists skip."

Numbered = tuple[int, str, Item]
"""A row, with its line in the file and its table."""

Read = tuple[int, str, Table]
"""The same, as its model has it."""

Compared = tuple[int, Table, Table | None]
"""A row, with its line in the file, and what is there in its place."""


class Target:
    """The tables under a prefix, and what is to be done with rows that are there."""

    def __init__(self, table_prefix: str, if_exists: str) -> None:
        self._client = aws.dynamodb()
        self._prefix = table_prefix
        self._if_exists = if_exists

    def check_tables(self, kinds: Iterable[str]) -> None:
        """Raise a `ClickException` if a table is not there."""
        for kind in kinds:
            name = table_name(self._prefix, kind)
            try:
                self._client.describe_table(TableName=name)
            except self._client.exceptions.ResourceNotFoundException:
                raise click.ClickException(
                    f"there is no table {name}; deploy the stage first, or `manage.py tables create`"
                ) from None

    def compare(self, rows: Sequence[Read]) -> list[Compared]:
        """Read what is there in the place of rows: at most 100 at once."""
        there = self._find(stage_rows.key(kind, row) for _, kind, row in rows)
        return [(line, row, there.get(stage_rows.key(kind, row))) for line, kind, row in rows]

    def problems(self, compared: Iterable[Compared]) -> Iterator[str]:
        """Yield what keeps rows from being imported."""
        for line, row, found in compared:
            if found is None:
                continue
            claimed = stage_rows.claimed(found, row)
            if claimed is not None:
                yield f"line {line}: {claimed} belongs to another account here"
            elif self._if_exists == "fail":
                yield f"line {line}: there is such a row already ({stage_rows.name(row)})"

    def write(self, rows: Sequence[Numbered]) -> Counter[str]:
        """Store rows, at most 100 at once, and return how many had which outcome."""
        pending = [(kind, item) for _, kind, item in rows]
        outcomes = Counter(imported=len(rows))
        if self._if_exists != "fail":
            pending, outcomes = self._choose(rows)
        for start in range(0, len(pending), WRITTEN_AT_ONCE):
            self._put(pending[start : start + WRITTEN_AT_ONCE])
        return outcomes

    def _choose(self, rows: Sequence[Numbered]) -> tuple[list[tuple[str, Item]], Counter[str]]:
        """Return the rows that are to be written, and how many have which outcome."""
        read = [(kind, item, stage_rows.read(kind, item)) for _, kind, item in rows]
        there = self._find(stage_rows.key(kind, row) for kind, _, row in read)
        outcomes: Counter[str] = Counter()
        pending = []
        for kind, item, row in read:
            outcome = self.outcome(row, there.get(stage_rows.key(kind, row)))
            outcomes[outcome] += 1
            if outcome in ("imported", "replaced"):
                pending.append((kind, item))
        return pending, outcomes

    def outcome(self, row: Table, there: Table | None) -> str:
        """Return what becomes of a row: `imported`, `replaced`; `skipped` or `kept`: what is there stays."""
        if there is None:
            return "imported"
        if self._if_exists == "skip":
            return "skipped"
        return "kept" if stage_rows.outlasts(there, row) else "replaced"

    def _find(self, keys: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], Table]:
        """Read rows by their keys, consistently; those that are not there are left out."""
        wanted: dict[str, Any] = {}
        kinds = {}
        for kind, *values in keys:
            attributes = zip(stage_rows.key_attributes(kind), values, strict=True)
            key = {name: {key_type: value} for (name, key_type), value in attributes}
            kinds[table_name(self._prefix, kind)] = kind
            request = wanted.setdefault(table_name(self._prefix, kind), {"Keys": [], "ConsistentRead": True})
            request["Keys"].append(key)
        found = {}
        for answer in self._patiently("batch_get_item", wanted, "UnprocessedKeys"):
            for name, items in answer["Responses"].items():
                for item in items:
                    row = TABLES[kinds[name]].from_raw_data(item)
                    found[stage_rows.key(kinds[name], row)] = row
        return found

    def _put(self, rows: Sequence[tuple[str, Item]]) -> None:
        requests: dict[str, Any] = {}
        for kind, item in rows:
            request = {"PutRequest": {"Item": stage_rows.granted_before(kind, item)}}
            requests.setdefault(table_name(self._prefix, kind), []).append(request)
        for _ in self._patiently("batch_write_item", requests, "UnprocessedItems"):
            pass

    def _patiently(
        self, operation: str, wanted: dict[str, Any], unprocessed: str
    ) -> Iterator[dict[str, Any]]:
        """Send a batch, and again what DynamoDB did not get to, until nothing of it is left."""
        for attempt in range(PATIENCE):
            if not wanted:
                return
            if attempt:
                time.sleep(random.uniform(0, min(LONGEST_WAIT, 0.05 * 2**attempt)))  # nosec B311 # noqa: S311 (jitter)
            answer: dict[str, Any] = getattr(self._client, operation)(RequestItems=wanted)
            yield answer
            wanted = answer[unprocessed]
        if wanted:
            raise click.ClickException(f"DynamoDB throttles for too long. {GO_ON}")
