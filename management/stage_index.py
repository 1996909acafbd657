"""What leads to what in an export, on disk: there may be more rows than fit into memory."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from typing import Self

from chalicelib.models.table import Table
from management import stage_rows
from management.stage_rows import Item

_SCHEMA = """
    CREATE TABLE rows (line INTEGER PRIMARY KEY, name TEXT, key TEXT UNIQUE);
    CREATE TABLE facts (fact TEXT, line INTEGER, PRIMARY KEY (fact, line)) WITHOUT ROWID;
    CREATE TABLE needs (line INTEGER, fact TEXT, kind TEXT, key TEXT, row TEXT);
"""

_LEFT_OUT = """
    DELETE FROM rows WHERE line IN (
        SELECT line FROM needs WHERE row IS NULL
        AND NOT EXISTS (SELECT 1 FROM facts JOIN rows USING (line) WHERE facts.fact = needs.fact)
    ) RETURNING name
"""
"""Once more after each time: what was left out may have been what others need."""

_MISSING = """
    FROM needs JOIN rows USING (line) LEFT JOIN rows AS taken ON taken.key = needs.key
    WHERE needs.row IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM facts JOIN rows USING (line) WHERE facts.fact = needs.fact)
"""


class Duplicate(ValueError):
    """A row is there twice."""


class Index:
    """The rows of a file, by the numbers of their lines."""

    def __init__(self, tables: list[str]) -> None:
        """Make an empty index, in a file of its own that is gone with it.

        Args:
            tables: those that the file has. What is in others cannot be looked for.
        """
        self._tables = set(tables)
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(_SCHEMA + "BEGIN;")
        self.left_out: Counter[str] = Counter()
        """How many rows lead nowhere, by their kind."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def add(self, line: int, kind: str, row: Table) -> None:
        """Note a row.

        Raises:
            Duplicate: there was one with the same key; the message says where.
        """
        execute, key = self._database.execute, _text(stage_rows.key(kind, row))
        there = execute("SELECT line FROM rows WHERE key = ?", (key,)).fetchone()
        if there:
            raise Duplicate(f"it has the key of the row in line {there[0]}")
        execute("INSERT INTO rows VALUES (?, ?, ?)", (line, stage_rows.name(row), key))

    def relate(self, line: int, row: Table, staying: Table | None) -> None:
        """Note what a row tells, and what it needs.

        Args:
            line: where it is.
            row: which.
            staying: what is there in its place, and stays. What that tells counts then; if it is
                something else, what it needs is beside it already.
        """
        execute = self._database.execute
        told = list(stage_rows.facts(staying or row))
        for fact in told:
            execute("INSERT INTO facts VALUES (?, ?)", (fact, line))
        if told != list(stage_rows.facts(row)):
            return
        for need in stage_rows.needs(row):
            if need.table not in self._tables:
                continue
            remedy = need.remedy
            added: tuple[str | None, ...] = (None, None, None)
            if remedy is not None:
                key = _text(stage_rows.key(need.table, remedy))
                added = (need.table, key, json.dumps(remedy.serialize()))
            execute("INSERT INTO needs VALUES (?, ?, ?, ?, ?)", (line, need.fact, *added))

    def leave_out(self) -> None:
        """Forget the rows that lead nowhere."""
        while found := Counter(name for (name,) in self._database.execute(_LEFT_OUT)):
            self.left_out += found

    def has(self, line: int) -> bool:
        """Tell whether the row in a line is to be imported."""
        return self._database.execute("SELECT 1 FROM rows WHERE line = ?", (line,)).fetchone() is not None

    def contradictions(self) -> Iterator[tuple[int, int]]:
        """Yield the line of each row that needs a row in whose place another one is, and the line of that."""
        query = f"SELECT needs.line, taken.line {_MISSING} AND taken.line IS NOT NULL"
        yield from self._database.execute(query)

    def missing(self) -> Iterator[tuple[int, str, Item]]:
        """Yield each row that is missing and can be told from the rest.

        It comes with its table, and with the line of a row that needs it.
        """
        query = f"SELECT MIN(needs.line), kind, row {_MISSING} GROUP BY kind, row"
        for line, kind, row in self._database.execute(query):
            yield line, kind, json.loads(row)


def _text(key: tuple[str, ...]) -> str:
    return json.dumps(key)
