"""Access tokens and refresh tokens: issuing them within a grant, and finding what a token stands for.

The functions that change a grant change it in memory; whoever calls them writes it, once.
"""

from collections.abc import Callable
from dataclasses import dataclass

from chalicelib import clock
from chalicelib.models.grant import AccessToken, Grant, RefreshToken, client_shard
from chalicelib.oauth import credentials
from chalicelib.oauth.credentials import Kind
from chalicelib.settings import settings

MAX_ACCESS_TOKENS = 10
"""Of one grant at a time. Who refreshes more often than they expire loses the oldest; the row stays small."""


@dataclass(frozen=True)
class TokenResponse:
    """A successful answer of the token endpoint (RFC 6749 section 5.1)."""

    access_token: str
    expires_in: int
    """Seconds."""
    scope: str
    refresh_token: str | None = None
    user_id: str | None = None
    """Whose grant it is, for the log. None: the application's own."""
    is_repeated: bool = False
    """Whether the client was answered so before, and asked again."""

    @property
    def grant_id(self) -> str | None:
        """The grant that the tokens belong to."""
        return credentials.grant_id_of(self.access_token, Kind.ACCESS_TOKEN)

    def members(self) -> dict[str, str | int]:
        """Return the members of the response."""
        members: dict[str, str | int] = {
            "access_token": self.access_token,
            "token_type": "Bearer",
            "expires_in": self.expires_in,
            "scope": self.scope,
        }
        if self.refresh_token is not None:
            members["refresh_token"] = self.refresh_token
        return members


def new_grant(client_id: str, scope: str, user_id: str | None = None) -> Grant:
    """Make a grant with a fresh id, in memory."""
    grant_id = credentials.random_text(credentials.GRANT_ID_LENGTH)
    now = clock.now()
    return Grant(
        grant_id,
        client_id=client_id,
        client_shard=client_shard(client_id, grant_id),
        user_id=user_id,
        scope=scope,
        created_at=now,
        issued_on=clock.day(now),
        expires_at=now,
    )


def add_access_token(grant: Grant, token: str, scope: str) -> AccessToken:
    """Put a new access token into a grant, and drop those that are over."""
    now = clock.now()
    issued = AccessToken(
        hash=credentials.digest(token),
        scope=scope,
        issued_at=now,
        expires_at=now + settings.access_token_lifetime,
    )
    valid = [old for old in grant.access_tokens if old.expires_at > now]
    grant.access_tokens = [*valid, issued][-MAX_ACCESS_TOKENS:]
    grant.expires_at = max(grant.expires_at, issued.expires_at)
    grant.issued_on, grant.last_issued_at = clock.day(now), now
    return issued


def start_refresh_token(grant: Grant, derive: Callable[[str], str] | None = None) -> str:
    """Give a grant its first refresh token, and return it.

    Args:
        grant: gets it.
        derive: makes the token, given the key of its tag; by default it is random.
    """
    now = clock.now()
    tag_key = credentials.random_text(credentials.SECRET_LENGTH)
    token = derive(tag_key) if derive else credentials.new_refresh_token(grant.grant_id, tag_key)
    ends_at = now + settings.refresh_token_lifetime
    grant.refresh_token = RefreshToken(
        hash=credentials.digest(token),
        tag_key=tag_key,
        expires_at=min(now + settings.refresh_token_idle_lifetime, ends_at),
        ends_at=ends_at,
    )
    grant.expires_at = max(grant.expires_at, grant.refresh_token.expires_at)
    return token


def may_repeat(used_at: int) -> bool:
    """Tell whether a credential was used so lately that a client may repeat it that saw no answer.

    Args:
        used_at: when, in epoch seconds.
    """
    window = settings.refresh_retry_window
    return bool(window) and not clock.has_passed(used_at + window)


def revoke(grant: Grant, because: str) -> None:
    """End a grant, and all of its tokens with it."""
    grant.revoked_at = clock.now()
    grant.revoked_because = because


def find_access_token(grant: Grant, token: str) -> AccessToken | None:
    """Return what a grant knows of an access token, if that is valid."""
    if grant.revoked_at is not None:
        return None
    hashed, now = credentials.digest(token), clock.now()
    for valid in grant.access_tokens:
        if valid.hash == hashed and valid.expires_at > now:
            return valid
    return None


def read_access_token(token: str) -> tuple[Grant, AccessToken] | None:
    """Find a valid access token and its grant, by one read; what is no token of ours costs none."""
    grant_id = credentials.grant_id_of(token, Kind.ACCESS_TOKEN)
    grant = Grant.find(grant_id) if grant_id else None
    access_token = find_access_token(grant, token) if grant else None
    return (grant, access_token) if grant and access_token else None
