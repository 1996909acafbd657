"""Deleting a client while somebody waits for the answer: as far as time allows, to be gone on with."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib import clock, deadline
from chalicelib.catalogue import GRANTS_REVOKED
from chalicelib.journal import tell
from chalicelib.models.client import Client
from chalicelib.oauth import registration, revocation
from chalicelib.settings import settings

SPARE = 3
"""Seconds of the invocation that are left for telling how far it came."""

BECAUSE = "client deleted"


@dataclass(frozen=True)
class Deletion:
    """How far it came."""

    grants_revoked: int
    complete: bool


class _OutOfTime(Exception):
    pass


def delete(client: Client) -> Deletion:
    """Disable a client, revoke all that it was granted, and delete it once nothing is left.

    If time runs out, the client stays disabled, and calling it again goes on.

    Raises:
        Conflict: somebody else changed the client at the same time. It may be disabled by now.
    """
    registration.disable(client)
    revoked = 0
    try:
        for _ in _revoke_all(client):
            revoked += 1
            if deadline.left() < SPARE:
                raise _OutOfTime
    except _OutOfTime:
        return Deletion(revoked, complete=False)
    finally:
        if revoked:
            tell(GRANTS_REVOKED, client_id=client.client_id, count=revoked, because=BECAUSE)
    registration.delete(client)
    return Deletion(revoked, complete=True)


def _revoke_all(client: Client) -> Iterator[str]:
    """Revoke all that a disabled client was granted, and yield the id of each grant that ended.

    Functions may go on for a while with what they know of it: a second look follows once that is
    over, at which the index by client, which lags behind by a moment, has caught up as well.
    """
    known_until = client.disabled_at + settings.client_cache_lifetime + 1
    early = clock.now() < known_until
    yield from revocation.revoke_grants_of_client(client, BECAUSE)
    if not early:
        return
    wait = max(0, known_until - clock.now())
    if deadline.left() < wait + SPARE:
        raise _OutOfTime
    time.sleep(wait)
    yield from revocation.revoke_grants_of_client(client, BECAUSE)
