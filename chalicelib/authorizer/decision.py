"""Who may pass: the core of every authorizer, whatever API Gateway calls it with."""

import re
from dataclasses import dataclass

from chalicelib.oauth.tokens import read_access_token

_BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)


class Unauthorized(Exception):
    """No token, or none that is valid. API Gateway looks for this very word and answers 401."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


@dataclass(frozen=True)
class Decision:
    """What a valid token stands for."""

    grant_id: str
    client_id: str
    user_id: str | None
    """None: the application acts for itself (client credentials)."""
    scope: str
    expires_at: int
    """Epoch seconds."""

    @property
    def scopes(self) -> list[str]:
        """What it may do, one by one."""
        return self.scope.split(" ")

    def context(self) -> dict[str, str]:
        """Return what the backend finds in its request context. All of it is text."""
        return {
            "grant_id": self.grant_id,
            "client_id": self.client_id,
            "user_id": self.user_id or "",
            "scope": self.scope,
            "expires_at": str(self.expires_at),
        }


def decide(authorization: str | None) -> Decision:
    """Validate an `Authorization` header, by one read of DynamoDB, or none for what is no token.

    Raises:
        Unauthorized: no token, or none that is valid.
        StorageError: DynamoDB did not answer. Nobody gets in.
    """
    bearer = _BEARER.fullmatch((authorization or "").strip())
    found = read_access_token(bearer[1]) if bearer else None
    if found is None:
        raise Unauthorized
    grant, access_token = found
    return Decision(
        grant_id=grant.grant_id,
        client_id=grant.client_id,
        user_id=grant.user_id,
        scope=access_token.scope,
        expires_at=access_token.expires_at,
    )
