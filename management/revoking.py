"""Ending grants, thousands if need be: side by side, with progress, interrupted and gone on with.

Everything goes by the order "nothing new can come, then end what there is", and by writes that
count once. So an interrupted command is run again, and finds what is left.
"""

import math
import time
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import Any

import click

from chalicelib.catalogue import GRANTS_REVOKED
from chalicelib.journal import tell
from chalicelib.models.client import Client
from chalicelib.models.grant import Grant
from chalicelib.models.table import StorageError
from chalicelib.oauth import revocation
from chalicelib.settings import settings
from management.progress import AGAIN, Interruption, progress

THREADS = 8
"""They share one client of DynamoDB, which is made for that and has ten connections.

Measured with answers that take 8 ms: 96 grants a second by one thread, 390 by four, 719 by eight;
more threads add nothing, since one Python is busy then.
"""

INDEX_LAGS = 1
"""Seconds, that the index by client may lag behind."""

CHUNK = 100
"""So many grants are ended between two looks at whether somebody interrupted."""


def revoke_grants_of_user(user_id: str, because: str) -> int:
    """End what was granted in a user's name, and forget what they agreed to.

    Returns:
        How many grants were alive until now.

    Raises:
        Interrupted: by the operator.
    """
    with Interruption() as interruption:
        revocation.forget_consents(user_id)
        unrevoked = revocation.unrevoked_grants_of_user(user_id)
        return _revoke(unrevoked, len(unrevoked), because, interruption, user_id=user_id)


def revoke_grants_of_client(client: Client, because: str) -> int:
    """End what was granted to a client; and once more when no function any longer knows it as it was.

    Disable the client first, or let its users be asked anew.

    Returns:
        How many grants were alive until now.

    Raises:
        Interrupted: by the operator.
    """
    with Interruption() as interruption:
        known_at = time.monotonic() + max(settings.client_cache_lifetime, INDEX_LAGS)
        revoked = _sweep(client, because, interruption)
        wait = max(0, math.ceil(known_at - time.monotonic()))
        if wait:
            click.echo(f"Waiting {wait} s until all functions know ...", err=True)
            interruption.wait(wait)
            interruption.check("some functions may not know yet")
        return revoked + _sweep(client, because, interruption)


def revoke_grants(grants: Collection[Grant], because: str) -> int:
    """End some grants, and forget that their users agreed to them, or the next visit would grant it again.

    Returns:
        How many of them were alive until now.

    Raises:
        Interrupted: by the operator.
    """
    with Interruption() as interruption:
        for grant in grants:
            if grant.user_id is not None:
                revocation.forget_consents(grant.user_id, grant.client_id)
        grant_ids = [grant.grant_id for grant in grants]
        return _revoke(grant_ids, len(grants), because, interruption, grant_ids=grant_ids)


def _sweep(client: Client, because: str, interruption: Interruption) -> int:
    total = revocation.count_unrevoked_grants_of_client(client.client_id)
    grant_ids = revocation.unrevoked_grants_of_client(client.client_id)
    return _revoke(grant_ids, total, because, interruption, client_id=client.client_id)


def _revoke(
    remaining_ids: Iterable[str], total: int, because: str, interruption: Interruption, **whose: Any
) -> int:
    """Revoke grants, and tell how many ended, also if not all did: once, however many they are."""
    remaining, revoked = iter(remaining_ids), 0
    with progress(total, "grants revoked") as done, ThreadPoolExecutor(THREADS) as pool:
        try:
            while chunk := list(islice(remaining, CHUNK)):
                interruption.check(str(done))
                for was_alive in pool.map(partial(revocation.revoke_grant, because=because), chunk):
                    revoked += was_alive
                    done.advance()
        except StorageError:
            click.echo(f"Stopped: {done}. {AGAIN}", err=True)
            raise
        finally:
            if revoked:
                tell(GRANTS_REVOKED, count=revoked, because=because, **whose)
    return revoked
