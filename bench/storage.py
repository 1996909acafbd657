"""What tables hold, and for how long: an operation is charged for what it adds, until that expires."""

from bench.capacity import STORAGE_OVERHEAD, Item, Table, item_size
from bench.cost import MONTH
from bench.stage import Stage
from chalicelib.models.table import TTL_ATTRIBUTE
from management.infrastructure import tables

DAY = 86400

LATE = 2 * DAY
"""Seconds after its expiry at which DynamoDB deletes a row: assumed ("within a few days", it says)."""
ENDLESS = 365 * DAY
"""Seconds for which a row is charged that does not expire, as a consent: assumed."""


def held(stage: Stage) -> dict[str, float]:
    """Return how many bytes are stored, times the months for which they will be.

    `rows` are those of the tables, `entries` those of their indexes, both with what DynamoDB adds to each.
    """
    left = {"rows": 0.0, "entries": 0.0}
    for model in tables.TABLES.values():
        definition = tables.table_definition(model)
        indexes = Table.of(definition).indexes
        pages = stage.meter.onlooker.get_paginator("scan").paginate(TableName=definition["TableName"])
        for row in (row for page in pages for row in page["Items"]):
            months = _left(row, stage.now) / MONTH
            left["rows"] += (item_size(row) + STORAGE_OVERHEAD) * months
            for entry in filter(None, (index.entry(row) for index in indexes)):
                left["entries"] += (item_size(entry) + STORAGE_OVERHEAD) * months
    return left


def _left(row: Item, now: int) -> int:
    """Return for how many seconds more a row will be there."""
    if TTL_ATTRIBUTE not in row:
        return ENDLESS
    return max(0, int(row[TTL_ATTRIBUTE]["N"]) + LATE - now)
