"""Redirect URIs: which may be registered, and which match (RFC 6749 section 3.1.2, RFC 8252)."""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from chalicelib.models.client import Client

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[\x21\x23-\x3B\x3D\x3F-\x5B\x5D\x5F\x61-\x7A\x7E]+")
"""A scheme, and only characters that a URI may have (RFC 3986 section 2)."""

_LOOPBACK = re.compile(r"(http://(?:127(?:\.[0-9]{1,3}){3}|\[::1\]|localhost))(?::[0-9]{1,5})?([/?].*)?")

_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", re.IGNORECASE)


class InvalidRedirectURI(ValueError):
    """A redirect URI that may not be registered; the message says why."""


def check(uri: str, *, public: bool) -> str:
    """Return a redirect URI that may be registered.

    Args:
        uri: absolute, without fragment; https, except for loopback hosts and for the private-use
            schemes of public clients (RFC 8252 sections 7.1 and 7.3).
        public: whether the client is a public one.

    Raises:
        InvalidRedirectURI: it may not.
    """
    if len(uri) > 2000:
        raise InvalidRedirectURI("it is longer than 2000 characters")
    if "#" in uri:
        raise InvalidRedirectURI("it has a fragment (RFC 6749 section 3.1.2)")
    if not _URI.fullmatch(uri):
        raise InvalidRedirectURI("it is not an absolute URI, or has characters that a URI cannot have")
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        raise InvalidRedirectURI("its host or port is malformed") from None
    if is_web(uri):
        _check_web(parts)
    else:
        _check_private_use(parts, public)
    return uri


def _check_web(parts: SplitResult) -> None:
    if not parts.hostname:
        raise InvalidRedirectURI("it has no host")
    if "@" in parts.netloc:
        raise InvalidRedirectURI("it has a user name")
    if "*" in parts.netloc:
        raise InvalidRedirectURI("it has a wildcard; register each URI by itself")
    if not _HOST.fullmatch(parts.hostname) and not _is_address(parts.hostname):
        raise InvalidRedirectURI("its host is neither a domain name nor an IP address")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise InvalidRedirectURI("it must use https: plain http is for loopback hosts only")


def _check_private_use(parts: SplitResult, public: bool) -> None:
    if not public:
        raise InvalidRedirectURI("it must use https: private-use schemes are for public clients only")
    if "." not in parts.scheme:
        raise InvalidRedirectURI(
            "a private-use scheme is a domain name in reverse, as com.example.app (RFC 8252 section 7.1)"
        )


def is_web(uri: str) -> bool:
    """Tell whether a URI leads to a web server."""
    return uri.partition(":")[0].lower() in ("http", "https")


def is_loopback(hostname: str) -> bool:
    """Tell whether a host is this very machine (RFC 8252 section 7.3)."""
    return hostname == "localhost" or (_is_address(hostname) and ipaddress.ip_address(hostname).is_loopback)


def _is_address(hostname: str) -> bool:
    try:
        ipaddress.ip_address(hostname)
    except ValueError:
        return False
    return True


def is_registered(uri: str, client: Client) -> bool:
    """Tell whether a client registered a redirect URI: the same, character for character.

    Only the port of a public client's loopback URI is free (RFC 8252 section 7.3), since such
    an application listens on whatever port the machine gives it.
    """
    if uri in client.redirect_uris:
        return True
    portless = _without_loopback_port(uri)
    return (
        client.is_public
        and portless is not None
        and portless in map(_without_loopback_port, client.redirect_uris)
    )


def _without_loopback_port(uri: str) -> tuple[str, str | None] | None:
    loopback = _LOOPBACK.fullmatch(uri)
    return (loopback[1], loopback[2]) if loopback else None
