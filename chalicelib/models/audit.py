"""The table `audit`: what was changed and by whom, and who tried to get what is not theirs.

Functions add to it, and can neither read nor change what is there: a key ends in random text, so
that nobody who can write can hit the row of an earlier event.
"""

import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from pynamodb.attributes import JSONAttribute, UnicodeAttribute

from chalicelib import clock
from chalicelib.catalogue import Event
from chalicelib.logs import clean
from chalicelib.models.table import EpochSeconds, Table, table_name
from chalicelib.settings import settings

HOUR = 3600_000
"""Milliseconds."""

COLUMNS = ("actor", "client_id", "user_id", "grant_id", "source_ip", "request_id")
"""Fields that are attributes of their own. All others are among the details."""


class AuditRecord(Table):
    """An event of the audit trail."""

    class Meta:
        table_name = table_name("audit")

    hour = UnicodeAttribute(hash_key=True)
    """In UTC, as `2026-11-24T18`."""
    at = UnicodeAttribute(range_key=True)
    """When it was, in UTC and to the millisecond, '#', and random text."""
    event = UnicodeAttribute()
    actor = UnicodeAttribute(null=True)
    """Who did it: the id of who is signed in, or the operator at the command line."""
    client_id = UnicodeAttribute(null=True)
    user_id = UnicodeAttribute(null=True)
    grant_id = UnicodeAttribute(null=True)
    source_ip = UnicodeAttribute(null=True)
    request_id = UnicodeAttribute(null=True)
    details = JSONAttribute(null=True)
    expires_at = EpochSeconds()


def record(event: Event, fields: Mapping[str, Any]) -> None:
    """Add an event.

    Args:
        event: of the catalogue.
        fields: what is known of it; those that are None are left out.

    Raises:
        StorageError: DynamoDB did not answer as it should.
    """
    now = clock.milliseconds()
    known = {name: clean(value) for name, value in fields.items() if value is not None}
    columns: dict[str, Any] = {name: str(known.pop(name)) for name in COLUMNS if name in known}
    AuditRecord(
        hour_of(now),
        f"{clock.iso(now)}#{secrets.token_urlsafe(16)}",
        event=event.name,
        details=known or None,
        expires_at=now // 1000 + settings.audit_retention,
        **columns,
    ).save()


def read(since: int, until: int) -> Iterator[AuditRecord]:
    """Yield the events of a time, the oldest first: one query for each hour.

    Args:
        since: from when, in epoch milliseconds.
        until: to when, in epoch milliseconds; the events of this very millisecond are not among it.
    """
    first, last = clock.iso(since), clock.iso(until)
    for hour in range(since // HOUR * HOUR, until, HOUR):
        yield from AuditRecord.query(hour_of(hour), AuditRecord.at.between(first, last), consistent_read=True)


def hour_of(epoch_milliseconds: int) -> str:
    """Return the key of the partition that has the events of an hour."""
    return clock.iso(epoch_milliseconds)[:13]
