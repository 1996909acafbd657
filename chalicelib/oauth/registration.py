"""Registering clients and their secrets (RFC 6749 section 2, in the terms of RFC 7591)."""

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib import clock
from chalicelib.models.client import Client, ClientSecret
from chalicelib.oauth import client_assertion, credentials, redirect_uris, scopes
from chalicelib.oauth.errors import InvalidScope
from chalicelib.oauth.grants import GRANT_TYPES
from chalicelib.settings import settings

AUTHENTICATION_METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt", "none")


class InvalidClientMetadata(ValueError):
    """A client cannot be registered so; the message says why (RFC 7591 section 3.2.2)."""


@dataclass(frozen=True)
class ClientMetadata:
    """What is registered. Names and meanings are those of RFC 7591 section 2."""

    client_name: str
    redirect_uris: Sequence[str] = ()
    grant_types: Sequence[str] = ("authorization_code",)
    scope: str = ""
    token_endpoint_auth_method: str | None = None
    """None: the secret by HTTP Basic or in the body, as the client likes."""
    jwks: str | None = None
    """For `private_key_jwt`: a JWK Set, as JSON."""
    may_introspect: bool = False
    """Not in RFC 7591: whether the client may ask what other clients' tokens stand for."""

    @property
    def is_public(self) -> bool:
        """Whether the client cannot keep a secret."""
        return self.token_endpoint_auth_method == "none"


def register(
    metadata: ClientMetadata, owner: str | None = None, *, verified: bool = False
) -> tuple[Client, str | None]:
    """Register a client.

    Args:
        metadata: what it is.
        owner: the user id of the account that it belongs to.
        verified: whether the platform has looked at who is behind it.

    Returns:
        The client and its secret, which is told this once; None if it authenticates without.

    Raises:
        InvalidClientMetadata: it cannot be registered so.
    """
    _check(metadata)
    client = Client(
        credentials.random_text(credentials.CLIENT_ID_LENGTH),
        client_name=metadata.client_name.strip(),
        redirect_uris=list(dict.fromkeys(metadata.redirect_uris)),
        grant_types=list(dict.fromkeys(metadata.grant_types)),
        scope=" ".join(scopes.parse(metadata.scope or settings.default_scope)),
        token_endpoint_auth_method=metadata.token_endpoint_auth_method,
        jwks=metadata.jwks and client_assertion.check_key_set(metadata.jwks),
        may_introspect=metadata.may_introspect,
        owner=owner,
        created_at=clock.now(),
        verified_at=clock.now() if verified else None,
    )
    secret = _add_secret(client) if client.has_secret else None
    client.write()
    return client, secret


def rotate_secret(client: Client, overlap: int = 0) -> str:
    """Give a client a new secret.

    Args:
        client: a confidential one.
        overlap: for how many seconds the secret that it has stays valid.

    Returns:
        The new secret, which is told this once.

    Raises:
        InvalidClientMetadata: the client authenticates without a secret.
        Conflict: somebody else changed the client since it was read.
    """
    if not client.has_secret:
        raise InvalidClientMetadata("the client authenticates without a secret")
    now = clock.now()
    current = sorted(client.secrets, key=lambda secret: secret.created_at)[-1:]
    client.secrets = current if overlap else []
    for old in client.secrets:
        old.expires_at = now + overlap
    secret = _add_secret(client)
    client.write()
    return secret


def disable(client: Client) -> None:
    """Refuse a client from now on. What it was granted is for `revocation` to end.

    Raises:
        Conflict: somebody else changed the client since it was read.
    """
    if client.disabled_at is None:
        client.disabled_at = clock.now()
        client.write()


def enable(client: Client) -> None:
    """Serve a disabled client again.

    Raises:
        Conflict: somebody else changed the client since it was read.
    """
    if client.disabled_at is not None:
        client.disabled_at = None
        client.enabled_at = clock.now()
        client.write()


def _add_secret(client: Client) -> str:
    secret = credentials.new(credentials.Kind.CLIENT_SECRET)
    client.secrets.append(ClientSecret(hash=credentials.digest(secret), created_at=clock.now()))
    return secret


def _check(metadata: ClientMetadata) -> None:
    name = metadata.client_name.strip()
    if not name or len(name) > 80 or not name.isprintable():
        raise InvalidClientMetadata("the name needs 1 to 80 printable characters")
    unknown = set(metadata.grant_types) - set(GRANT_TYPES)
    if unknown or not metadata.grant_types:
        raise InvalidClientMetadata(
            f"unknown grant type {', '.join(sorted(unknown))}; there are {', '.join(GRANT_TYPES)}"
        )
    _check_authentication(metadata)
    _check_redirect_uris(metadata)
    try:
        scopes.parse(metadata.scope or settings.default_scope)
    except InvalidScope as error:
        raise InvalidClientMetadata(f"{error.description} There are: {', '.join(settings.scopes)}.") from None


def _check_authentication(metadata: ClientMetadata) -> None:
    method = metadata.token_endpoint_auth_method
    if method not in (None, *AUTHENTICATION_METHODS):
        raise InvalidClientMetadata(
            f"unknown authentication method; there are {', '.join(AUTHENTICATION_METHODS)}"
        )
    if (method == "private_key_jwt") != (metadata.jwks is not None):
        raise InvalidClientMetadata("private_key_jwt and a JWK Set go together")
    if metadata.is_public and (metadata.may_introspect or "client_credentials" in metadata.grant_types):
        raise InvalidClientMetadata("a public client can neither introspect nor use client_credentials")
    if metadata.jwks is not None:
        try:
            client_assertion.check_key_set(metadata.jwks)
        except client_assertion.InvalidKeySet as error:
            raise InvalidClientMetadata(f"the JWK Set is refused: {error}") from None


def _check_redirect_uris(metadata: ClientMetadata) -> None:
    if "authorization_code" in metadata.grant_types and not metadata.redirect_uris:
        raise InvalidClientMetadata("the authorization_code grant needs a redirect URI")
    for uri in metadata.redirect_uris:
        try:
            redirect_uris.check(uri, public=metadata.is_public)
        except redirect_uris.InvalidRedirectURI as error:
            raise InvalidClientMetadata(f"the redirect URI {uri!r} is refused: {error}") from None
