"""A whole stage in a file: JSON lines, the first of which says what it is, and the last that it is whole.

    {"format": "oauth stage", "version": 1, "exported_at": "...", "table_prefix": "...", "tables": [...]}
    {"table": "clients", "row": {"client_id": {"S": "..."}, ...}}
    ...
    {"rows": {"clients": 1, ...}, "sha256": "..."}

Rows are as DynamoDB has them, each attribute with its type. The SHA-256 is that of all lines before.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from chalicelib import clock
from chalicelib.settings import settings
from management.infrastructure.tables import TABLES
from management.output import when
from management.stage_rows import Item

FORMAT, VERSION = "oauth stage", 1

LONGEST = 1 << 22
"""Bytes of a line. DynamoDB's rows have 400 KB at most; escapes make some of it longer."""

_TRAILER = 4096
"""Bytes at the end of a file in which its last line is."""


class BadFile(ValueError):
    """A file that is no whole export; the message says why, and where."""


class Writer:
    """Writes a file, line by line."""

    def __init__(self, file: BinaryIO, table_prefix: str, kinds: Sequence[str]) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.rows = Counter(dict.fromkeys(kinds, 0))
        header = {"exported_at": when(clock.now()), "table_prefix": table_prefix, "tables": list(kinds)}
        self._write({"format": FORMAT, "version": VERSION, **header})

    def add(self, kind: str, item: Item) -> None:
        """Write a row."""
        self.rows[kind] += 1
        self._write({"table": kind, "row": item})

    def end(self) -> str:
        """Write the last line, and return the SHA-256 of the whole file."""
        self._write({"rows": dict(self.rows), "sha256": self._hash.hexdigest()})
        return self._hash.hexdigest()

    def _write(self, entry: dict[str, Any]) -> None:
        line = json.dumps(entry, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
        self._hash.update(line)
        self._file.write(line)


class Reader:
    """Reads a file, as often as is wanted."""

    def __init__(self, file: BinaryIO) -> None:
        """Look at the first and the last line.

        Args:
            file: can seek.

        Raises:
            BadFile: the first does not say that this is an export of ours, or the last is missing.
        """
        self._file = file
        self.sha256 = ""
        """Of the whole file, once its rows have been read."""
        self.header = self._header()
        self.tables: list[str] = self.header["tables"]
        self._trailer = self._last_line()

    @property
    def total(self) -> int:
        """How many rows there are."""
        return sum(self._trailer["rows"].values())

    def rows(self) -> Iterator[tuple[int, str, Item]]:
        """Yield the number of each line, which table its row is in, and the row. Only then is all checked.

        Raises:
            BadFile: a line has another form, or the file is not as it was written.
        """
        self._file.seek(0)
        found, whole = Counter(dict.fromkeys(self.tables, 0)), hashlib.sha256(self._file.readline(LONGEST))
        for number in range(2, self.total + 2):
            line = self._file.readline(LONGEST)
            whole.update(line)
            entry = _parse(line, number)
            if entry.keys() != {"table", "row"} or entry["table"] not in self.tables:
                raise BadFile(f"line {number}: no row of a table that the first line names")
            found[entry["table"]] += 1
            yield number, entry["table"], entry["row"]
        last = self._file.readline(LONGEST)
        same = self._trailer == {"rows": dict(found), "sha256": whole.hexdigest()} == _parse(last, "last")
        if not same or self._file.read(1):
            raise BadFile("the rows are not those that the last line counts, by its numbers and its SHA-256")
        whole.update(last)
        self.sha256 = whole.hexdigest()

    def _header(self) -> dict[str, Any]:
        self._file.seek(0)
        header = _parse(self._file.readline(LONGEST), 1)
        if header.get("format") != FORMAT:
            raise BadFile("line 1: this is no export of a stage")
        if header.get("version") != VERSION:
            raise BadFile(f"line 1: the format is version {header.get('version')!r}, and known is {VERSION}")
        tables = header.get("tables")
        if not isinstance(tables, list) or not all(isinstance(kind, str) for kind in tables):
            raise BadFile("line 1: it does not say which tables there are")
        unknown = sorted(set(tables) - set(TABLES))
        if unknown:
            raise BadFile(f"line 1: there is no table {', '.join(unknown)} here; is this version older?")
        return header

    def _last_line(self) -> dict[str, Any]:
        self._file.seek(max(0, self._file.seek(0, 2) - _TRAILER))
        end = self._file.read()
        trailer: dict[str, Any] = {}
        if end.endswith(b"\n"):
            trailer = _parse(end.rstrip(b"\n").rpartition(b"\n")[2] + b"\n", "last", or_else={})
        counts = trailer.get("rows")
        if not isinstance(counts, dict) or not all(type(count) is int for count in counts.values()):
            raise BadFile(f"line {self._lines()}: the file is cut off: its last line is missing")
        return trailer

    def _lines(self) -> int:
        self._file.seek(0)
        blocks = iter(lambda: self._file.read(1 << 20), b"")
        return max(1, sum(block.count(b"\n") for block in blocks))


def _parse(line: bytes, number: int | str, or_else: dict[str, Any] | None = None) -> dict[str, Any]:
    try:
        if not line.endswith(b"\n"):
            raise ValueError
        entry = json.loads(line)
    except (ValueError, RecursionError):
        entry = None
    if isinstance(entry, dict):
        return entry
    if or_else is not None:
        return or_else
    raise BadFile(f"line {number}: no JSON object on one line")


def table_name(prefix: str, kind: str) -> str:
    """Return the full name of a table under a prefix, which need not be that of the stage."""
    return f"{prefix or settings.table_prefix}-{kind}"
