"""Deleting a client while somebody waits for the answer: as far as time allows, to be gone on with."""

import time
from dataclasses import dataclass

from chalicelib.models.client import Client
from chalicelib.oauth import registration, revocation

SECONDS = 15
"""For one attempt. API Gateway gives up after 29."""


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
    deadline = time.monotonic() + SECONDS
    revoked = 0

    def wait(seconds: int) -> None:
        if time.monotonic() + seconds > deadline:
            raise _OutOfTime
        time.sleep(seconds)

    try:
        for _ in revocation.revoke_all_of_client(client, "client deleted", wait):
            revoked += 1
            if time.monotonic() > deadline:
                raise _OutOfTime
    except _OutOfTime:
        return Deletion(revoked, complete=False)
    registration.delete(client)
    return Deletion(revoked, complete=True)
