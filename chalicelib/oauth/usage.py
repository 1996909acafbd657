"""How much a client is used: what its owner gets to know, and nothing about any one person."""

from dataclasses import dataclass

from chalicelib.models.grant import Grant, client_shards

READ = 500
"""Grants in each shard of the index that are looked at: what a small function can count in a second."""

NEWEST = 3
"""Grants in each shard that are asked when they last yielded a token."""


@dataclass(frozen=True)
class Usage:
    """A client's connections."""

    people: int
    """Whose grants to it are not revoked."""
    there_are_more: bool
    """Whether not all of them were counted."""
    last_issued_at: int | None
    """When it last got a token, in epoch seconds."""


def of_client(client_id: str) -> Usage:
    """Return how much a client is used, by one query for each shard and one batch read.

    The index decides about nothing and lags behind by a moment, and so does this.
    """
    people: set[str] = set()
    newest: list[Grant] = []
    there_are_more = False
    for shard in client_shards(client_id):
        found = Grant.by_client.query(shard, scan_index_forward=False, limit=READ, page_size=READ)
        grants = list(found)
        people.update(grant.user_id for grant in grants if grant.user_id and grant.revoked_at is None)
        newest += grants[:NEWEST]
        there_are_more = there_are_more or found.last_evaluated_key is not None
    issued = [
        grant.last_issued_at
        for grant in Grant.batch_get([grant.grant_id for grant in newest])
        if grant.last_issued_at is not None
    ]
    return Usage(len(people), there_are_more, max(issued, default=None))
