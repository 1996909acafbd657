"""The kinds of applications that developers register, each in the terms of RFC 7591."""

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.models.client import Client
from chalicelib.oauth import redirect_uris
from chalicelib.oauth.client_metadata import ClientMetadata, InvalidClientMetadata
from chalicelib.oauth.grants import GRANT_TYPES

MAX_REDIRECT_URIS = 20


@dataclass(frozen=True)
class ApplicationType:
    """What a kind of application is registered for."""

    grant_type: str
    is_public: bool
    """Whether it runs where it cannot keep a secret."""
    web_only: bool = False
    """Whether people can only come back to it by https (or by http, on a loopback host)."""

    @property
    def redirects(self) -> bool:
        """Whether people are sent back to it."""
        return self.grant_type == "authorization_code"

    @property
    def may_refresh(self) -> bool:
        """Whether it may stay connected by a refresh token. Who acts for itself just asks again."""
        return self.grant_type != "client_credentials"


TYPES = {
    "web": ApplicationType("authorization_code", is_public=False),
    "native": ApplicationType("authorization_code", is_public=True),
    "browser": ApplicationType("authorization_code", is_public=True, web_only=True),
    "device": ApplicationType("urn:ietf:params:oauth:grant-type:device_code", is_public=True),
    "service": ApplicationType("client_credentials", is_public=False),
}
"""By name; of those that fit a client, the first is what it is most probably."""


def offered() -> list[str]:
    """Return the names of the types for which this server has a grant type."""
    return [name for name, kind in TYPES.items() if kind.grant_type in GRANT_TYPES]


def type_of(client: Client) -> str:
    """Return what a client is: what it was registered as, or what it looks like."""
    if client.application_type in TYPES:
        return str(client.application_type)
    fitting = [name for name, kind in TYPES.items() if kind.grant_type in client.grant_types]
    alike = [name for name in fitting if TYPES[name].is_public == client.is_public]
    return (alike or fitting or ["web"])[0]


@dataclass(frozen=True)
class Description:
    """What a developer says of an application."""

    client_name: str
    description: str
    client_uri: str
    redirect_uris: Sequence[str]
    scopes: Sequence[str]
    refresh: bool
    """Whether it may stay connected without asking again."""


def to_register(type_name: str, said: Description) -> ClientMetadata:
    """Return the metadata of a new application.

    Raises:
        InvalidClientMetadata: it cannot be registered so. What `registration` checks is left to it.
    """
    kind = TYPES[type_name]
    _check(kind, said)
    refresh = ["refresh_token"] if said.refresh and kind.may_refresh else []
    return ClientMetadata(
        client_name=said.client_name,
        description=said.description,
        client_uri=said.client_uri,
        application_type=type_name,
        redirect_uris=said.redirect_uris if kind.redirects else (),
        grant_types=[kind.grant_type, *refresh],
        scope=" ".join(said.scopes),
        token_endpoint_auth_method="none" if kind.is_public else None,
    )


def to_update(client: Client, said: Description) -> ClientMetadata:
    """Return the metadata of an application that is changed. Its type stays, whatever it is.

    Raises:
        InvalidClientMetadata: it cannot be registered so. What `registration` checks is left to it.
    """
    _check(TYPES[type_of(client)], said)
    grant_types = [grant_type for grant_type in client.grant_types if grant_type != "refresh_token"]
    return ClientMetadata(
        client_name=said.client_name,
        description=said.description,
        client_uri=said.client_uri,
        application_type=client.application_type,
        redirect_uris=said.redirect_uris if redirects(client) else client.redirect_uris,
        grant_types=[*grant_types, *(["refresh_token"] if said.refresh and may_refresh(client) else [])],
        scope=" ".join(said.scopes),
        token_endpoint_auth_method=client.token_endpoint_auth_method,
        jwks=client.jwks,
        may_introspect=client.may_introspect,
    )


def redirects(client: Client) -> bool:
    """Tell whether people are sent back to a client."""
    return "authorization_code" in client.grant_types


def may_refresh(client: Client) -> bool:
    """Tell whether a client may have refresh tokens: whether it acts for anybody but itself."""
    return not set(client.grant_types) <= {"client_credentials"}


def _check(kind: ApplicationType, said: Description) -> None:
    if not said.scopes:
        raise InvalidClientMetadata("it has to be for one scope at least", "scope")
    if len(said.redirect_uris) > MAX_REDIRECT_URIS:
        raise InvalidClientMetadata(f"there are more than {MAX_REDIRECT_URIS} redirect URIs", "redirect_uris")
    if kind.web_only and not all(map(redirect_uris.is_web, said.redirect_uris)):
        raise InvalidClientMetadata("in a browser, people come back by https only", "redirect_uris")
