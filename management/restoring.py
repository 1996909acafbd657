"""Making tables as they were, from point-in-time recovery."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from chalicelib.catalogue import TABLES_CREATED
from chalicelib.journal import tell
from management import aws, tables
from management.infrastructure.tables import TABLES, table_definition
from management.options import moment
from management.progress import Interruption, progress
from management.stage_file import table_name

EVERY = 5
"""Seconds between two looks at how far DynamoDB is."""


def restore(stage: str, at: str, to_prefix: str, kinds: Sequence[str]) -> None:
    """Make tables as those of a stage were at some time, and wait until they can be used.

    What is being restored already, from the same tables, is waited for.

    Args:
        stage: what its tables are protected from, those of the copy are.
        at: ISO 8601, or `latest`.
        to_prefix: of the new tables.
        kinds: which tables, as `TABLES` names them.

    Raises:
        ClickException: it cannot be; no table was made.
        Interrupted: by the operator, while waiting.
    """
    client = aws.dynamodb()
    sources = {kind: _source(client, table_name("", kind)) for kind in kinds}
    targets = {kind: table_name(to_prefix, kind) for kind in kinds}
    there = {kind: tables.describe(client, name) for kind, name in targets.items()}
    begun = [_copied_at(found, sources[kind]) for kind, found in there.items() if found is not None]
    point = _moment(at, [_window(client, source) for source in sources.values()], begun)
    click.echo(f"Restoring {len(kinds)} tables as they were at {point.isoformat()}", err=True)
    for kind, target in targets.items():
        if there[kind] is None:
            client.restore_table_to_point_in_time(
                SourceTableName=sources[kind]["TableName"], TargetTableName=target, RestoreDateTime=point
            )
    tell(TABLES_CREATED, tables=[targets[kind] for kind in kinds if there[kind] is None])
    with Interruption() as interruption, progress(len(kinds), "tables restored") as so_far:
        for kind, target in targets.items():
            while not _is_ready(client, target):
                interruption.check(str(so_far))
                interruption.wait(EVERY)
            _finish(client, kind, target, sources[kind]["TableArn"], stage)
            so_far.advance()


def _source(client: Any, name: str) -> dict[str, Any]:
    source = tables.describe(client, name)
    if source is None:
        raise click.ClickException(
            f"there is no table {name}; of one that was deleted DynamoDB keeps a backup for 35 days"
        )
    return source


def _copied_at(target: dict[str, Any], source: dict[str, Any]) -> datetime:
    """Return as of when a table that is there is being restored, if it is the copy of another."""
    copied = target.get("RestoreSummary", {})
    if copied.get("SourceTableArn") != source["TableArn"]:
        raise click.ClickException(f"there is a table {target['TableName']} already; give another prefix")
    when: datetime = copied["RestoreDateTime"]
    return _whole(when)


def _window(client: Any, source: dict[str, Any]) -> tuple[datetime, datetime]:
    """Return from when until when a table can be restored."""
    name = source["TableName"]
    backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = backups["PointInTimeRecoveryDescription"]
    if recovery["PointInTimeRecoveryStatus"] != "ENABLED":
        raise click.ClickException(f"{name} has no point-in-time recovery")
    earliest, latest = recovery["EarliestRestorableDateTime"], recovery["LatestRestorableDateTime"]
    return _whole(earliest), _whole(latest)


def _whole(point: datetime) -> datetime:
    """Return a time in UTC and whole seconds, which DynamoDB counts in."""
    return point.astimezone(UTC).replace(microsecond=0)


def _moment(at: str, windows: Sequence[tuple[datetime, datetime]], begun: Sequence[datetime]) -> datetime:
    """Return the one time as of which all tables are restored."""
    earliest, latest = max(first for first, _ in windows), min(last for _, last in windows)
    if at == "latest":
        return begun[0] if begun else latest
    try:
        asked = _whole(moment(at))
    except ValueError:
        raise click.ClickException(f"{at!r} is no time as 2026-01-31T12:00:00+00:00, nor latest") from None
    if any(other != asked for other in begun):
        raise click.ClickException(
            f"there are copies as of {begun[0].isoformat()} already; give that time, or another prefix"
        )
    if not begun and not earliest <= asked <= latest:
        raise click.ClickException(
            f"all tables can be restored from {earliest.isoformat()} to {latest.isoformat()}"
        )
    return asked


def _is_ready(client: Any, name: str) -> bool:
    table = client.describe_table(TableName=name)["Table"]
    indexes = table.get("GlobalSecondaryIndexes", [])
    states = {table["TableStatus"], *(index.get("IndexStatus", "ACTIVE") for index in indexes)}
    return states == {"ACTIVE"}


def _finish(client: Any, kind: str, name: str, source_arn: str, stage: str) -> None:
    """Set what DynamoDB does not restore, but the stream: that is for the template, which reads it."""
    tables.set_up(client, name, TABLES[kind])
    definition, made = table_definition(TABLES[kind], stage), client.describe_table(TableName=name)["Table"]
    if definition["DeletionProtectionEnabled"] != made.get("DeletionProtectionEnabled", False):
        client.update_table(TableName=name, DeletionProtectionEnabled=definition["DeletionProtectionEnabled"])
    tags = client.list_tags_of_resource(ResourceArn=source_arn).get("Tags", [])
    ours = [tag for tag in tags if not tag["Key"].startswith("aws:")]
    if ours:
        client.tag_resource(ResourceArn=made["TableArn"], Tags=ours)
