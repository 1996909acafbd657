"""Who may pass: the core of every authorizer, whatever API Gateway calls it with."""

import re
import time
from dataclasses import dataclass

from chalicelib.catalogue import AUTHORIZER_ALLOWED, AUTHORIZER_FAILED, AUTHORIZER_REFUSED
from chalicelib.journal import tell, tell_failure
from chalicelib.models.grant import Grant
from chalicelib.models.table import StorageError
from chalicelib.oauth import credentials, tokens
from chalicelib.oauth.credentials import Kind

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


@dataclass(frozen=True)
class _Refusal:
    """Why nobody gets in. It is for the log: who asks is told the same, whatever it is."""

    reason: str
    grant: Grant | None = None


def decide(authorization: str | None) -> Decision:
    """Validate an `Authorization` header, by one read of DynamoDB, or none for what is no token.

    Raises:
        Unauthorized: no token, or none that is valid.
        StorageError: DynamoDB did not answer. Nobody gets in.
    """
    began = time.perf_counter()
    try:
        decision = _decide(authorization)
    except Exception as error:
        reason = "storage" if isinstance(error, StorageError) else "unexpected"
        tell_failure(AUTHORIZER_FAILED, error, decision="failed", reason=reason, duration_ms=_since(began))
        raise
    if isinstance(decision, Decision):
        tell(
            AUTHORIZER_ALLOWED,
            decision="allowed",
            client_id=decision.client_id,
            grant_id=decision.grant_id,
            user_id=decision.user_id,
            duration_ms=_since(began),
        )
        return decision
    tell(
        AUTHORIZER_REFUSED,
        decision="refused",
        reason=decision.reason,
        client_id=decision.grant.client_id if decision.grant else None,
        grant_id=decision.grant.grant_id if decision.grant else None,
        user_id=decision.grant.user_id if decision.grant else None,
        duration_ms=_since(began),
    )
    raise Unauthorized


def _decide(authorization: str | None) -> Decision | _Refusal:
    if not authorization:
        return _Refusal("no_token")
    bearer = _BEARER.fullmatch(authorization.strip())
    grant_id = credentials.grant_id_of(bearer[1], Kind.ACCESS_TOKEN) if bearer else None
    if bearer is None or grant_id is None:
        return _Refusal("malformed")
    grant = Grant.find(grant_id)
    if grant is None:
        return _Refusal("unknown")
    access_token = tokens.find_access_token(grant, bearer[1])
    if access_token is None:
        return _Refusal(_reason(grant, bearer[1]), grant)
    return Decision(
        grant_id=grant.grant_id,
        client_id=grant.client_id,
        user_id=grant.user_id,
        scope=access_token.scope,
        expires_at=access_token.expires_at,
    )


def _reason(grant: Grant, token: str) -> str:
    """Tell why a grant does not honour a token. Those that are over leave it when there are new ones."""
    hashed = credentials.digest(token)
    if not any(known.hash == hashed for known in grant.access_tokens):
        return "unknown"
    return "expired" if grant.revoked_at is None else "revoked"


def _since(began: float) -> float:
    """Return how many milliseconds have passed."""
    return round((time.perf_counter() - began) * 1000, 1)
