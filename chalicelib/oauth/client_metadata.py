"""What a client is registered with, and what of that is refused (RFC 7591 section 2)."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.oauth import client_assertion, redirect_uris, scopes
from chalicelib.oauth.errors import InvalidScope
from chalicelib.oauth.grants import GRANT_TYPES
from chalicelib.settings import settings

AUTHENTICATION_METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt", "none")
MAX_DESCRIPTION = 1000
"""Characters."""

MAX_MARKS = 3
"""Accents on one letter. Vietnamese has two, Thai and Hebrew up to three."""
_BLANK = "\u115f\u1160\u3164\uffa0"
"""The fillers of Hangul: letters that nobody sees."""
_APPLICATION_TYPE = re.compile(r"[a-z][a-z_-]{0,39}")


class InvalidClientMetadata(ValueError):
    """A client cannot be registered so (RFC 7591 section 3.2.2).

    Args:
        message: why.
        member: which member of the metadata it is about.
    """

    def __init__(self, message: str, member: str = "") -> None:
        self.member = member
        super().__init__(message)


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
    description: str | None = None
    """Not in RFC 7591: what it is, in its developer's words."""
    client_uri: str | None = None
    application_type: str | None = None
    """What its developer called it; decides about nothing."""

    @property
    def is_public(self) -> bool:
        """Whether the client cannot keep a secret."""
        return self.token_endpoint_auth_method == "none"

    @property
    def stored_description(self) -> str | None:
        """The description as it is stored, with the line breaks that browsers send made ours."""
        return "\n".join((self.description or "").strip().splitlines()) or None


def check(metadata: ClientMetadata) -> None:
    """Check all of it.

    Raises:
        InvalidClientMetadata: a client cannot be registered so.
    """
    _check_presentation(metadata)
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
        raise InvalidClientMetadata(
            f"{error.description} There are: {', '.join(settings.scopes)}.", "scope"
        ) from None


def _check_presentation(metadata: ClientMetadata) -> None:
    """Check what people see of a client."""
    name, description = metadata.client_name.strip(), metadata.stored_description or ""
    if not name or len(name) > 80 or not _is_legible(name):
        raise InvalidClientMetadata("the name needs 1 to 80 printable characters", "client_name")
    if not any(char.isalnum() and char not in _BLANK for char in name):
        raise InvalidClientMetadata("the name needs a letter or a digit", "client_name")
    if len(description) > MAX_DESCRIPTION or not _is_legible(description.replace("\n", "")):
        raise InvalidClientMetadata(
            f"the description needs up to {MAX_DESCRIPTION} printable characters", "description"
        )
    if metadata.application_type and not _APPLICATION_TYPE.fullmatch(metadata.application_type):
        raise InvalidClientMetadata("the application type is a word such as web, native or service")
    if metadata.client_uri:
        _check_homepage(metadata.client_uri)


def _is_legible(text: str) -> bool:
    """Tell whether a text keeps to its place on a page: accents that pile up cover what is beside it."""
    marks = "".join("m" if unicodedata.category(char) in ("Mn", "Me") else " " for char in text)
    return text.isprintable() and "m" * (MAX_MARKS + 1) not in marks


def _check_homepage(uri: str) -> None:
    try:
        if not redirect_uris.is_web(uri):
            raise redirect_uris.InvalidRedirectURI("it must start with https://")
        redirect_uris.check(uri, public=False)
    except redirect_uris.InvalidRedirectURI as error:
        raise InvalidClientMetadata(f"the homepage {uri!r} is refused: {error}", "client_uri") from None


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
        raise InvalidClientMetadata("the authorization_code grant needs a redirect URI", "redirect_uris")
    for uri in metadata.redirect_uris:
        try:
            redirect_uris.check(uri, public=metadata.is_public)
        except redirect_uris.InvalidRedirectURI as error:
            raise InvalidClientMetadata(
                f"the redirect URI {uri!r} is refused: {error}", "redirect_uris"
            ) from None
