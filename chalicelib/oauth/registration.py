"""Registering clients and their secrets (RFC 6749 section 2, in the terms of RFC 7591)."""

import secrets

from chalicelib import clock
from chalicelib.catalogue import (
    CLIENT_CHANGED,
    CLIENT_CONSENTS_FORGOTTEN,
    CLIENT_DELETED,
    CLIENT_DISABLED,
    CLIENT_ENABLED,
    CLIENT_REGISTERED,
    CLIENT_SECRET_ROTATED,
    CLIENT_UNVERIFIED,
    CLIENT_VERIFIED,
)
from chalicelib.journal import tell
from chalicelib.models.client import Client, ClientSecret
from chalicelib.models.table import Conflict, Transaction
from chalicelib.models.user import UserApplication
from chalicelib.oauth import client_assertion, client_metadata, credentials, scopes
from chalicelib.oauth.client_metadata import ClientMetadata, InvalidClientMetadata
from chalicelib.settings import settings

STAY = 2
"""How many secrets stay valid for a while beside a new one."""

SEEN_BY_USERS = ("client_name", "description", "client_uri", "redirect_uris")
"""What people go by who decide whether to trust a client."""

CHANGEABLE = (*SEEN_BY_USERS, "grant_types", "scope")


def register(
    metadata: ClientMetadata,
    owner: str | None = None,
    *,
    verified: bool = False,
    client_id: str | None = None,
) -> tuple[Client, str | None]:
    """Register a client.

    Args:
        metadata: what it is.
        owner: the user id of the account that it belongs to.
        verified: whether the platform has looked at who is behind it.
        client_id: random letters and digits; None: drawn here.

    Returns:
        The client and its secret, which is told this once; None if it authenticates without.

    Raises:
        InvalidClientMetadata: it cannot be registered so.
        Conflict: there is a client with this `client_id`.
    """
    client = prepare(metadata, client_id or credentials.random_text(credentials.CLIENT_ID_LENGTH), owner)
    client.verified_at = clock.now() if verified else None
    secret = _add_secret(client) if client.has_secret else None
    store(client)
    tell(CLIENT_REGISTERED, client_id=client.client_id, owner=owner)
    return client, secret


def prepare(metadata: ClientMetadata, client_id: str, owner: str | None = None) -> Client:
    """Return the client that a registration describes, in memory and without a secret.

    Raises:
        InvalidClientMetadata: it cannot be registered so.
    """
    client_metadata.check(metadata)
    return Client(
        client_id,
        client_name=metadata.client_name.strip(),
        description=metadata.stored_description,
        client_uri=metadata.client_uri or None,
        application_type=metadata.application_type or None,
        redirect_uris=list(dict.fromkeys(metadata.redirect_uris)),
        grant_types=list(dict.fromkeys(metadata.grant_types)),
        scope=" ".join(scopes.parse(metadata.scope or settings.default_scope)),
        token_endpoint_auth_method=metadata.token_endpoint_auth_method,
        jwks=metadata.jwks and client_assertion.check_key_set(metadata.jwks),
        may_introspect=metadata.may_introspect,
        owner=owner,
        created_at=clock.now(),
    )


def update(client: Client, metadata: ClientMetadata, *, keep_verified: bool) -> None:
    """Change what a client is registered for. How it authenticates, and whose it is, stays.

    Args:
        client: as it was read.
        metadata: all that it is from now on.
        keep_verified: whether the platform still knows who is behind it; else it has to look
            again once anything has changed that users see, and users are asked anew once their
            browsers may be sent elsewhere: nobody agreed to that.

    Raises:
        InvalidClientMetadata: it cannot be registered so.
        Conflict: somebody else changed the client since it was read.
    """
    described = prepare(metadata, client.client_id, client.owner)
    if not keep_verified and any(getattr(client, name) != getattr(described, name) for name in SEEN_BY_USERS):
        client.verified_at = None
    asks_anew = not keep_verified and not set(described.redirect_uris) <= set(client.redirect_uris)
    if asks_anew:
        client.consents_since = clock.now()
    changed = [name for name in CHANGEABLE if getattr(client, name) != getattr(described, name)]
    for name in CHANGEABLE:
        setattr(client, name, getattr(described, name))
    client.write()
    tell(CLIENT_CHANGED, client_id=client.client_id, changed=changed)
    if asks_anew:
        tell(CLIENT_CONSENTS_FORGOTTEN, client_id=client.client_id)


def store(client: Client, former_owner: str | None = None) -> None:
    """Write a client and its owner's pointer to it, both or neither.

    Args:
        client: a new one, or one that was read.
        former_owner: the user id of the account that it belonged to, which loses its pointer.

    Raises:
        Conflict: somebody else changed the client since it was read; or, if it is new, there is
            one with this id.
    """
    try:
        with Transaction(client_request_token=secrets.token_urlsafe(24)) as transaction:
            client.write_in(transaction)
            if client.owner is not None:
                transaction.save(_pointer(client.owner, client))
            if former_owner is not None and former_owner != client.owner:
                transaction.delete(_pointer(former_owner, client))
    except Conflict:
        if not client.is_stored():
            raise


def delete(client: Client) -> None:
    """Delete a client and its owner's pointer to it, both or neither.

    What it was granted is for `revocation` to end, before this.

    Raises:
        Conflict: somebody else changed the client since it was read.
    """
    with Transaction(client_request_token=secrets.token_urlsafe(24)) as transaction:
        transaction.delete(client, Client.revision == client.revision)
        if client.owner is not None:
            transaction.delete(_pointer(client.owner, client))
    tell(CLIENT_DELETED, client_id=client.client_id)


def rotate_secret(client: Client, overlap: int = 0) -> str:
    """Give a client a new secret.

    Whoever never saw the answer rotates once more, while the application goes on with the secret
    that it had before: so with an overlap the last two stay.

    Args:
        client: a confidential one.
        overlap: for how many seconds the secrets that it has stay valid, if they do not end before.

    Returns:
        The new secret, which is told this once.

    Raises:
        InvalidClientMetadata: the client authenticates without a secret.
        Conflict: somebody else changed the client since it was read.
    """
    if not client.has_secret:
        raise InvalidClientMetadata("the client authenticates without a secret")
    now = clock.now()
    current = sorted(valid_secrets(client), key=lambda secret: secret.created_at)[-STAY:]
    client.secrets = current if overlap else []
    for old in client.secrets:
        old.expires_at = min(old.expires_at or now + overlap, now + overlap)
    secret = _add_secret(client)
    client.write()
    tell(CLIENT_SECRET_ROTATED, client_id=client.client_id, overlap=overlap)
    return secret


def valid_secrets(client: Client) -> list[ClientSecret]:
    """Return the secrets by which a client can authenticate: more than one while a rotation lasts."""
    now = clock.now()
    return [secret for secret in client.secrets if secret.expires_at is None or secret.expires_at > now]


def disable(client: Client) -> None:
    """Refuse a client from now on. What it was granted is for `revocation` to end.

    Raises:
        Conflict: somebody else changed the client since it was read.
    """
    if client.disabled_at is None:
        client.disabled_at = clock.now()
        client.write()
        tell(CLIENT_DISABLED, client_id=client.client_id)


def enable(client: Client) -> None:
    """Serve a disabled client again.

    Raises:
        Conflict: somebody else changed the client since it was read.
    """
    if client.disabled_at is not None:
        client.disabled_at = None
        client.consents_since = clock.now()
        client.write()
        tell(CLIENT_ENABLED, client_id=client.client_id)


def forget_consents(client: Client) -> None:
    """Ask every user anew, whatever they agreed to: nobody grants this client anything unasked.

    One write, however many they are. Functions know it after `client_cache_lifetime` seconds.

    Raises:
        Conflict: somebody else changed the client since it was read.
    """
    client.consents_since = clock.now()
    client.write()
    tell(CLIENT_CONSENTS_FORGOTTEN, client_id=client.client_id)


def verify(client: Client, verified: bool) -> None:
    """Note that the platform has looked at who is behind a client, or that it no longer vouches for it.

    Raises:
        Conflict: somebody else changed the client since it was read.
    """
    if verified != (client.verified_at is not None):
        client.verified_at = clock.now() if verified else None
        client.write()
        tell(CLIENT_VERIFIED if verified else CLIENT_UNVERIFIED, client_id=client.client_id)


def _add_secret(client: Client) -> str:
    secret = credentials.new(credentials.Kind.CLIENT_SECRET)
    client.secrets.append(ClientSecret(hash=credentials.digest(secret), created_at=clock.now()))
    return secret


def _pointer(owner: str, client: Client) -> UserApplication:
    return UserApplication(owner, UserApplication.item_of(client.client_id), client_id=client.client_id)
