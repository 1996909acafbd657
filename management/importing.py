"""`manage.py import`: a whole stage from a file. All of it is checked before anything is written."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import Any, BinaryIO

import click
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.catalogue import STAGE_IMPORTED
from chalicelib.journal import tell
from chalicelib.models.table import Table
from chalicelib.models.user import Consent
from management import aws, stage_rows
from management.options import table_prefix_option
from management.output import json_option, show
from management.progress import Interruption, progress
from management.stage_file import BadFile, Reader
from management.stage_index import Duplicate, Index
from management.stage_rows import BadRow
from management.stage_target import GO_ON, READ_AT_ONCE, Numbered, Target

SHOWN_PROBLEMS = 20


@click.command("import")
@click.argument("file", metavar="FILE|-", type=click.File("rb"))
@click.option(
    "--if-exists",
    type=click.Choice(["fail", "skip", "replace"]),
    default="fail",
    show_default=True,
    help="What to do with rows that are there. `replace` keeps applications, accounts and grants that were "
    "written since (another `revision`), later consents, all sessions and the audit trail.",
)
@click.option("--dry-run", is_flag=True, help="Check all of it, and write nothing.")
@click.option("--forget-consents", is_flag=True, help="Leave out what users agreed to: they are asked anew.")
@table_prefix_option("Write to tables with another prefix.")
@json_option
def command(
    file: BinaryIO, if_exists: str, dry_run: bool, forget_consents: bool, table_prefix: str, as_json: bool
) -> None:
    """Put a stage from a file of `export` into the tables of this one.

    All of it is checked first, line by line, and against what is there: if something is wrong, nothing is
    written. Nobody should use the stage meanwhile. Was it interrupted? Run it again with --if-exists skip.
    """
    target = Target(table_prefix, if_exists)
    with _rewindable(file) as source, Interruption() as interruption:
        reader = _reader(source)
        target.check_tables(reader.tables)
        with Index(reader.tables) as index:
            check = _Check(reader, index, target, forget_consents)
            check.run(interruption)
            summary = check.summary()
            if not dry_run:
                summary |= _write(check.wanted(), reader.total, target, interruption)
                count = summary["imported"] + summary["replaced"]
                tell(STAGE_IMPORTED, count=count, table_prefix=table_prefix, sha256=reader.sha256)
    show({"table_prefix": table_prefix, "dry_run": dry_run} | summary, as_json)


class _Check:
    """Looks at a whole file: at each row, at all of them together, and at what is there already."""

    def __init__(self, reader: Reader, index: Index, target: Target, forget_consents: bool) -> None:
        self._reader, self._index, self._target = reader, index, target
        self._forget_consents = forget_consents
        self._over: Counter[str] = Counter()
        self._kept: Counter[str] = Counter()
        self._problems: list[str] = []

    def run(self, interruption: Interruption) -> None:
        """Raise a `ClickException` if something is wrong, once all of it has been told."""
        try:
            with progress(self._reader.total, "rows checked") as so_far:
                for chunk in _chunks(self._reader.rows()):
                    interruption.check(str(so_far), again="Nothing was imported.")
                    self._look_at(chunk)
                    for _ in chunk:
                        so_far.advance()
        except BadFile as error:
            self._problems.append(str(error))
        self._look_at_all()
        if self._problems:
            for problem in self._problems[:SHOWN_PROBLEMS]:
                click.echo(problem, err=True)
            more = len(self._problems) - SHOWN_PROBLEMS
            if more > 0:
                click.echo(f"and {more} more", err=True)
            raise click.ClickException("nothing was imported")

    def _look_at_all(self) -> None:
        """Find what leads nowhere, what is missing, and what cannot be added."""
        self._index.leave_out()
        for line, taken in self._index.contradictions():
            self._problems.append(f"line {line}: what belongs to it is another's, in line {taken}")
        for chunk in _chunks(self._index.missing()):
            rows = [(line, kind, stage_rows.read(kind, item)) for line, kind, item in chunk]
            self._problems += self._target.problems(self._target.compare(rows))

    def wanted(self) -> Iterator[Numbered]:
        """Yield the rows to write; first those that were missing, which others must not be without."""
        yield from self._index.missing()
        for line, kind, item in self._reader.rows():
            if self._index.has(line):
                yield line, kind, item

    def summary(self) -> dict[str, Any]:
        """Return what was found."""
        added = (stage_rows.name(stage_rows.read(kind, item)) for _, kind, item in self._index.missing())
        return {
            "rows": self._reader.total,
            "over": self._over["over"],
            "consents_forgotten": self._over["consent"],
            "left_out": dict(self._index.left_out),
            "added": dict(Counter(added)),
            "kept": dict(self._kept),
            "sha256": self._reader.sha256,
        }

    def _look_at(self, chunk: Iterable[Numbered]) -> None:
        read = []
        for line, kind, item in chunk:
            try:
                row = stage_rows.read(kind, item)
                reason = self._passed_over(row)
                if reason is not None:
                    self._over[reason] += 1
                    continue
                self._index.add(line, kind, row)
                read.append((line, kind, row))
            except (BadRow, Duplicate) as error:
                self._problems.append(f"line {line}: {error}")
        compared = self._target.compare(read)
        self._problems += self._target.problems(compared)
        for line, row, there in compared:
            outcome = self._target.outcome(row, there)
            self._index.relate(line, row, there if outcome in ("skipped", "kept") else None)
            if outcome == "kept":
                self._kept[stage_rows.name(row)] += 1

    def _passed_over(self, row: Table) -> str | None:
        if stage_rows.is_over(row):
            return "over"
        return "consent" if self._forget_consents and isinstance(row, Consent) else None


def _write(
    rows: Iterable[Numbered], total: int, target: Target, interruption: Interruption
) -> dict[str, int]:
    outcomes: Counter[str] = Counter()
    chunks = _chunks(rows)
    with progress(total, "rows imported") as so_far, ThreadPoolExecutor(aws.THREADS) as pool:
        try:
            while wave := list(islice(chunks, aws.THREADS)):
                interruption.check(str(so_far), again=GO_ON)
                for found in pool.map(target.write, wave):
                    outcomes.update(found)
                    for _ in range(found.total()):
                        so_far.advance()
        except (ClientError, BotoCoreError, BadFile) as error:
            click.echo(f"Stopped: {so_far}. {GO_ON}", err=True)
            if isinstance(error, BadFile):
                raise click.ClickException(f"the file has changed: {error}") from None
            raise
    return {outcome: outcomes[outcome] for outcome in ("imported", "replaced", "skipped")}


def _chunks(rows: Iterable[Numbered]) -> Iterator[list[Numbered]]:
    remaining = iter(rows)
    while chunk := list(islice(remaining, READ_AT_ONCE)):
        yield chunk


def _reader(source: BinaryIO) -> Reader:
    try:
        return Reader(source)
    except BadFile as error:
        raise click.ClickException(f"{error}; nothing was imported") from None


@contextmanager
def _rewindable(file: BinaryIO) -> Iterator[BinaryIO]:
    """Return a file that can be read twice. What comes by a pipe is kept in one without a name."""
    if file.seekable():
        yield file
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(file, copy)
        yield copy
