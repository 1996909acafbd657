"""Scopes (RFC 6749 section 3.3)."""

from chalicelib.models.client import Client
from chalicelib.oauth.errors import InvalidScope
from chalicelib.scope_rules import SCOPE_TOKEN
from chalicelib.settings import settings


def parse(scope: str) -> list[str]:
    """Split a scope into its tokens, each once, in the order given.

    Raises:
        InvalidScope: malformed, or the server does not know one of them.
    """
    tokens = list(dict.fromkeys(scope.split(" ")))
    if not all(SCOPE_TOKEN.fullmatch(token) for token in tokens):
        raise InvalidScope("The scope is malformed: scopes are separated by single spaces.")
    if not set(tokens) <= set(settings.scopes):
        raise InvalidScope("The scope is unknown.")
    return tokens


def requested(scope: str | None, client: Client) -> str:
    """Return what a request is about: the scope it names, or the default of this server.

    Args:
        scope: the parameter, if it was sent.
        client: bounds what may be asked for.

    Raises:
        InvalidScope: malformed, unknown, or more than the client is registered for.
    """
    if scope is None:
        allowed = [token for token in client.scope.split(" ") if token in settings.scopes]
        if not allowed:
            raise InvalidScope("The server no longer knows any scope that the client is registered for.")
        defaults = [token for token in settings.default_scope.split() if token in allowed]
        return " ".join(defaults or allowed)
    return narrowed(scope, client.scope, "The client is not registered for this scope.")


def narrowed(scope: str, granted: str, too_much: str) -> str:
    """Return `scope`, checked to be no more than `granted`.

    Raises:
        InvalidScope: malformed, unknown, or (`too_much` says so) more than was granted.
    """
    tokens = parse(scope)
    if not set(tokens) <= set(granted.split(" ")):
        raise InvalidScope(too_much)
    return " ".join(tokens)


def optional(scope: str) -> set[str]:
    """Return what a user may leave out who allows a scope: all but the default scope of this server.

    (RFC 6749 section 3.3: the server may ignore the scope partially; the response tells.)
    """
    tokens = scope.split(" ")
    return set(tokens) - set(settings.default_scope.split()) if len(tokens) > 1 else set()
