"""`manage.py export`: a whole stage into a file."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import click

from chalicelib.catalogue import STAGE_EXPORTED
from chalicelib.journal import tell
from management import aws, stage_rows
from management.infrastructure.tables import TABLES
from management.options import table_prefix_option, tables_option
from management.output import json_option, show
from management.progress import Interruption, Progress, progress
from management.stage_file import Writer, table_name
from management.stage_rows import BadRow

ORDER = ("grants",)
"""Read first: a grant that is made meanwhile then has its pointer too early, not too late."""


@click.command("export")
@click.argument("file", metavar="FILE|-")
@table_prefix_option("Read tables with another prefix, as those of `tables restore`.")
@tables_option("Only this table; can be repeated.")
@json_option
def command(file: str, table_prefix: str, tables: tuple[str, ...], as_json: bool) -> None:
    """Write the whole stage into a file, for `import`: to another account, region or prefix.

    Applications, accounts, consents, grants and sessions: all tokens go on working. The file has hashes of
    passwords and tokens, and people's e-mail addresses. Only you can read it; keep it so. With - it goes
    to standard output, where `age` or `gpg` can encrypt it.

    Rows that are over are left out. A stage that is in use changes while it is read: see
    docs/operations.md.
    """
    kinds = sorted(tables or TABLES, key=lambda kind: kind not in ORDER)
    client, names = aws.dynamodb(), {kind: table_name(table_prefix, kind) for kind in kinds}
    with Interruption() as interruption:
        total = sum(_item_count(client, name) for name in names.values())
        with _opened(file) as target, progress(total, "rows exported") as so_far:
            writer, over = Writer(target, table_prefix, kinds), 0
            for kind, name in names.items():
                over += _copy(client, kind, name, writer, so_far, interruption)
            sha256 = writer.end()
    tell(STAGE_EXPORTED, count=writer.rows.total(), table_prefix=table_prefix, sha256=sha256)
    rows = dict(writer.rows)
    summary = {"file": file, "rows": sum(rows.values()), **rows, "over": over, "sha256": sha256}
    show(summary, as_json, err=file == "-")


def _copy(
    client: Any, kind: str, name: str, writer: Writer, so_far: Progress, interruption: Interruption
) -> int:
    """Write all rows of a table that are not over, and return how many are."""
    over = 0
    for page in client.get_paginator("scan").paginate(TableName=name, ConsistentRead=True):
        interruption.check(str(so_far), again="Nothing was kept.")
        for item in page["Items"]:
            try:
                row = stage_rows.read(kind, item)
            except BadRow as error:
                key = {part: item[part] for part, _ in stage_rows.key_attributes(kind)}
                raise click.ClickException(f"{name} has a row {key} that cannot be moved: {error}") from None
            if stage_rows.is_over(row):
                over += 1
            else:
                writer.add(kind, item)
            so_far.advance()
    return over


def _item_count(client: Any, name: str) -> int:
    """Return how many rows a table has, as DynamoDB knows from some hours ago."""
    try:
        return int(client.describe_table(TableName=name)["Table"]["ItemCount"])
    except client.exceptions.ResourceNotFoundException:
        raise click.ClickException(f"there is no table {name}") from None


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    """Open what is written to: a file has its name once it is whole, and never another one's."""
    if file == "-":
        yield sys.stdout.buffer
        sys.stdout.flush()
        return
    path, partial = Path(file), Path(f"{file}.partial")
    if path.exists():
        raise click.ClickException(f"{file} exists; give another name")
    try:
        with suppress(FileNotFoundError):
            partial.unlink()
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
            yield target
        partial.rename(path)
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written: {error.strerror}") from None
    finally:
        with suppress(OSError):
            partial.unlink()
