"""Ending what was granted: one token (RFC 7009), one grant, all of a user's, all of a client's."""

import heapq
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from chalicelib import clock
from chalicelib.catalogue import GRANT_REVOKED, TOKEN_REVOKED
from chalicelib.journal import tell
from chalicelib.models.client import Client
from chalicelib.models.grant import Grant, client_shards
from chalicelib.models.user import Consent, UserGrant
from chalicelib.oauth import client_authentication, credentials, tokens
from chalicelib.oauth.client_authentication import Presented
from chalicelib.oauth.credentials import Kind
from chalicelib.oauth.errors import InvalidGrant
from chalicelib.oauth.parameters import Parameters
from chalicelib.oauth.transition import GrantNotFound, Unchanged, transition

PAGE = 100
"""Rows of a shard that are read at once."""

TRANSACTION_ENDS = 3600
"""Seconds after which one is over for certain, the clocks' differences included."""

Ends = Callable[[Consent | UserGrant], bool]
"""Tells what of all that a user granted is to end."""

_NOT_YOURS = "The token was issued to another client."


def revoke_token(presented: Presented, parameters: Parameters) -> None:
    """Answer a revocation request (RFC 7009 section 2.1).

    An access token ends alone; a refresh token takes the whole grant with it. What is no token
    of ours, or none any longer, is fine as well: nothing is left to revoke. `token_type_hint` is
    not needed, since every token says what it is.

    Raises:
        InvalidRequest: `token` is missing, or a parameter is malformed.
        InvalidClient: the client did not authenticate.
        InvalidGrant: the token was issued to another client.
    """
    parameters.check()
    client = client_authentication.authenticate(presented, parameters)
    token = parameters.require("token")
    kind = credentials.kind_of(token)
    grant_id = credentials.grant_id_of(token, kind) if kind else None
    if kind not in (Kind.ACCESS_TOKEN, Kind.REFRESH_TOKEN) or grant_id is None:
        return

    def end(grant: Grant) -> Grant | Unchanged[Grant | None] | None:
        if not is_honoured(grant, token, kind):
            return Unchanged(None)
        if grant.client_id != client.client_id:
            raise InvalidGrant(_NOT_YOURS)
        if kind is Kind.REFRESH_TOKEN:
            tokens.revoke(grant, "revoked by the client")
        else:
            hashed = credentials.digest(token)
            grant.access_tokens = [valid for valid in grant.access_tokens if valid.hash != hashed]
        return grant

    with suppress(GrantNotFound):
        ended = transition(grant_id, end)
        if ended is not None:
            event = GRANT_REVOKED if kind is Kind.REFRESH_TOKEN else TOKEN_REVOKED
            tell(event, client_id=ended.client_id, grant_id=ended.grant_id, user_id=ended.user_id)


def is_honoured(grant: Grant, credential: str, kind: Kind) -> bool:
    """Tell whether there is something to revoke: a code or token that the grant issued, and still honours.

    Of refresh tokens that is each one, since an exchanged one that comes back ends the grant.
    """
    if kind is Kind.ACCESS_TOKEN:
        return tokens.find_access_token(grant, credential) is not None
    if grant.revoked_at is not None:
        return False
    if kind is Kind.REFRESH_TOKEN:
        state = grant.refresh_token
        return state is not None and credentials.was_issued(credential, state.tag_key)
    code = grant.device_code if kind is Kind.DEVICE_CODE else grant.authorization_code
    return (
        code is not None
        and code.redeemed_at is None
        and code.expires_at > clock.now()
        and credentials.matches(credential, code.hash)
    )


def revoke_grant(grant_id: str, because: str) -> bool:
    """Revoke a grant; one write takes all of its tokens with it.

    Args:
        grant_id: which.
        because: the reason, for those who look at the grant later.

    Returns:
        Whether it was alive until now.
    """
    return Grant.revoke(grant_id, clock.now(), because)


def revoke_grants_of_user(
    user_id: str, because: str, client_id: str | None = None, *, ends: Ends = lambda _: True
) -> Iterator[str]:
    """Revoke what was granted in a user's name, and yield the id of each grant that ended.

    What the user agreed to is forgotten as well, or the next visit to an application would grant
    it again unasked. Reads consistently: what was granted before is among it, always. Who breaks
    off and begins anew passes by what has ended, a hundred at a time.

    Args:
        user_id: whose.
        because: the reason, for those who look at the grants later.
        client_id: of the one client whose grants end; None: all.
        ends: which consents are forgotten, and which grants end.
    """
    forget_consents(user_id, client_id, ends)
    for grant_id in _unrevoked(pointer for pointer in _pointers(user_id, client_id) if ends(pointer)):
        if revoke_grant(grant_id, because):
            yield grant_id


def is_alive(grant: Grant) -> bool:
    """Whether a grant yielded tokens, or still may, and is not over."""
    return grant.revoked_at is None and grant.expires_at > clock.now()


def forget_consents(user_id: str, client_id: str | None = None, ends: Ends = lambda _: True) -> None:
    """Forget what a user agreed to: for all clients, or for one; or only what `ends`."""
    consents = (
        Consent.item.startswith("consent#")
        if client_id is None
        else (Consent.item == Consent.item_of(client_id))
    )
    for consent in Consent.query(user_id, consents, consistent_read=True):
        if ends(consent):
            consent.delete()


def grants_of_user(user_id: str) -> list[Grant]:
    """Return what was granted in a user's name, the oldest first. Reads consistently."""
    grant_ids = [pointer.grant_id for pointer in _pointers(user_id)]
    return sorted(Grant.batch_get(grant_ids, consistent_read=True), key=lambda grant: grant.created_at)


def unrevoked_grants_of_user(user_id: str) -> list[str]:
    """Return the ids of the grants in a user's name that are not known to be revoked. Reads consistently."""
    return _unrevoked(_pointers(user_id))


def _unrevoked(pointers: Iterable[UserGrant]) -> list[str]:
    """Return the ids of the grants that are not known to be revoked.

    One that is not found is long over; or, if it is new, the transaction that stores it, and whose
    pointer can be read already, is not through with it (DynamoDB's reads of many rows see a part of a
    transaction). Only a write to it tells.
    """
    missing = {pointer.grant_id: pointer.granted_at for pointer in pointers}
    unrevoked: list[str] = []
    for grant in Grant.batch_get(list(missing), consistent_read=True):
        del missing[grant.grant_id]
        if grant.revoked_at is None:
            unrevoked.append(grant.grant_id)
    settled_until = clock.now() - TRANSACTION_ENDS
    return unrevoked + [grant_id for grant_id, granted_at in missing.items() if granted_at > settled_until]


def _pointers(user_id: str, client_id: str | None = None) -> Iterator[UserGrant]:
    items = UserGrant.item.startswith(UserGrant.items_of(client_id))
    return UserGrant.query(user_id, items, consistent_read=True)


def revoke_grants_of_client(client: Client, because: str) -> Iterator[str]:
    """Revoke all that was granted to a client, and yield the id of each grant that ended.

    Disable the client first, and run this again after `client_cache_lifetime` seconds: until then
    functions may know it as enabled. The index by client lags behind by a moment, too.
    """
    for grant_id in unrevoked_grants_of_client(client.client_id):
        if revoke_grant(grant_id, because):
            yield grant_id


def unrevoked_grants_of_client(client_id: str) -> Iterator[str]:
    """Yield the ids of a client's grants that are not revoked, as far as the index by client knows."""
    for shard in client_shards(client_id):
        for found in Grant.by_client.query(shard, filter_condition=Grant.revoked_at.does_not_exist()):
            yield found.grant_id


def count_unrevoked_grants_of_client(client_id: str) -> int:
    """Count them."""
    unrevoked = Grant.revoked_at.does_not_exist()
    return sum(Grant.by_client.count(shard, filter_condition=unrevoked) for shard in client_shards(client_id))


def latest_grants_of_client(client_id: str) -> Iterator[str]:
    """Yield the ids of all of a client's grants, as the index by client knows them.

    Those come first that were last used; within a day, in no order. Holds a page of each shard in
    memory, however many there are.
    """
    shards = [
        Grant.by_client.query(shard, scan_index_forward=False, page_size=PAGE)
        for shard in client_shards(client_id)
    ]
    for found in heapq.merge(*shards, key=lambda found: str(found.issued_on), reverse=True):
        yield found.grant_id
