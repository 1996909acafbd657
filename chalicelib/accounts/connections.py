"""Which applications are connected to an account: what its owner looks at, and takes back."""

from dataclasses import dataclass

from chalicelib.catalogue import CONSENT_WITHDRAWN
from chalicelib.journal import tell
from chalicelib.models.client import Client
from chalicelib.models.grant import Grant
from chalicelib.oauth import clients, revocation


@dataclass(frozen=True)
class Connection:
    """A client and what of a user's grants to it is alive."""

    client_id: str
    client: Client | None
    """None if it was deleted."""
    scope: list[str]
    since: int
    """When the first of the grants was made, in epoch seconds."""
    last_issued_at: int | None
    """When it last got a token, in epoch seconds."""
    expires_at: int
    """When the last of the grants is over, in epoch seconds."""


def of_user(user_id: str) -> list[Connection]:
    """Return the connections of a user, by name. Reads consistently: nothing that is alive is missing."""
    alive: dict[str, list[Grant]] = {}
    for grant in revocation.grants_of_user(user_id):
        if revocation.is_alive(grant):
            alive.setdefault(grant.client_id, []).append(grant)
    clients = {client.client_id: client for client in Client.batch_get(list(alive))}
    connections = [_connection(clients.get(client_id), grants) for client_id, grants in alive.items()]
    return sorted(
        connections, key=lambda connection: connection.client.client_name if connection.client else ""
    )


def disconnect(user_id: str, client_id: str) -> int:
    """End all that a user granted to a client, at once, and return how many grants that were."""
    if not clients.may_exist(client_id):
        return 0
    revoked = sum(1 for _ in revocation.revoke_grants_of_user(user_id, "disconnected by the user", client_id))
    if revoked:
        tell(CONSENT_WITHDRAWN, user_id=user_id, client_id=client_id, count=revoked)
    return revoked


def _connection(client: Client | None, grants: list[Grant]) -> Connection:
    issued = [grant.last_issued_at for grant in grants if grant.last_issued_at is not None]
    scopes = dict.fromkeys(scope for grant in grants for scope in grant.scope.split(" "))
    return Connection(
        client_id=grants[0].client_id,
        client=client,
        scope=list(scopes),
        since=min(grant.created_at for grant in grants),
        last_issued_at=max(issued, default=None),
        expires_at=max(grant.expires_at for grant in grants),
    )
