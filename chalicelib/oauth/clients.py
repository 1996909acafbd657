"""Finding clients. A popular one is asked for on each of its token requests, so warm functions remember."""

from chalicelib import clock
from chalicelib.models.client import Client
from chalicelib.settings import settings

_REMEMBERED = 1000
_LONGEST_ID = 128
_remembered: dict[str, tuple[int, Client | None]] = {}


def find(client_id: str) -> Client | None:
    """Return an enabled client, or None.

    What was found, or not found, holds for `client_cache_lifetime` seconds: so long may a
    disabled client or a withdrawn secret live on. An unknown client costs no more and no less
    than a known one.
    """
    if not may_exist(client_id):
        return None
    now = clock.now()
    known = _remembered.get(client_id)
    if known is None or not 0 <= now - known[0] < settings.client_cache_lifetime:
        if len(_remembered) >= _REMEMBERED:
            _remembered.clear()
        known = now, Client.find(client_id)
        _remembered[client_id] = known
    client = known[1]
    return client if client and not client.disabled_at else None


def read(client_id: str) -> Client | None:
    """Return a client as it is stored at this moment, enabled or not, or None."""
    return Client.find(client_id) if may_exist(client_id) else None


def may_exist(client_id: str) -> bool:
    """Tell whether this has the form of a client's id: DynamoDB refuses longer keys."""
    return 0 < len(client_id) <= _LONGEST_ID and client_id.isprintable()


def forget() -> None:
    """Drop what this process remembers."""
    _remembered.clear()
