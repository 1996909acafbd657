"""Ending what was granted: to a user, to a client, or one grant."""

from collections.abc import Iterator

from chalicelib.models.client import Client
from chalicelib.models.grant import Grant, client_shards
from chalicelib.models.user import UserGrant
from chalicelib.oauth import tokens
from chalicelib.oauth.errors import InvalidGrant
from chalicelib.oauth.transition import Unchanged, transition


def revoke_grant(grant_id: str, because: str) -> bool:
    """Revoke a grant; one write takes all of its tokens with it.

    Args:
        grant_id: which.
        because: the reason, for those who look at the grant later.

    Returns:
        Whether it was alive until now.
    """

    def end(grant: Grant) -> bool | Unchanged[bool]:
        if grant.revoked_at is not None:
            return Unchanged(False)
        tokens.revoke(grant, because)
        return True

    try:
        return transition(grant_id, end)
    except InvalidGrant:
        return False


def revoke_grants_of_user(user_id: str, because: str) -> Iterator[str]:
    """Revoke all that was granted in a user's name, and yield the id of each grant that ended.

    Reads consistently: what was granted before this was called is among it, always.
    """
    pointers = UserGrant.query(user_id, UserGrant.item.startswith("grant#"), consistent_read=True)
    for pointer in pointers:
        if revoke_grant(pointer.grant_id, because):
            yield pointer.grant_id


def revoke_grants_of_client(client: Client, because: str) -> Iterator[str]:
    """Revoke all that was granted to a client, and yield the id of each grant that ended.

    The index by client lags behind by a moment; disable the client first, and run this again
    after `client_cache_lifetime` seconds, to miss nothing.
    """
    for shard in client_shards(client.client_id):
        for found in Grant.by_client.query(shard):
            if revoke_grant(found.grant_id, because):
                yield found.grant_id
