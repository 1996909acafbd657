"""The table `grants`: one row for each authorization, and in it everything that came out of it.

The code, the access tokens and the state of the refresh token live inside their grant. So every
step of the protocol is one conditional write of one row, the authorizer reads one row, and a
revoked grant takes all of its tokens with it.
"""

import secrets
import zlib

from pynamodb.attributes import (
    BooleanAttribute,
    NumberAttribute,
    UnicodeAttribute,
)
from pynamodb.indexes import GlobalSecondaryIndex, IncludeProjection

from chalicelib.models.table import EpochSeconds, Maps, OwnMap, Row, table_name

CLIENT_SHARDS = 16
"""A popular client's grants spread over so many partitions of the index by client."""


class AuthorizationCode(OwnMap):
    """The code of a grant (RFC 6749 section 4.1.2). Its hash stays, so that a replay is noticed."""

    hash = UnicodeAttribute()
    expires_at = EpochSeconds()
    redirect_uri = UnicodeAttribute(null=True)
    code_challenge = UnicodeAttribute(null=True)
    """RFC 7636; the method is always S256."""
    redeemed_at = EpochSeconds(null=True)


class DeviceCode(OwnMap):
    """The code by which a device polls for its tokens (RFC 8628). Its hash stays, as a code's does."""

    hash = UnicodeAttribute()
    expires_at = EpochSeconds()
    interval = NumberAttribute()
    """How many seconds the device has to wait between two polls."""
    polled_at = EpochSeconds(null=True)
    """When it asked last, while nobody had decided."""
    approved_at = EpochSeconds(null=True)
    redeemed_at = EpochSeconds(null=True)
    seed = UnicodeAttribute(null=True)
    """With the device code, tells what that was exchanged for (`credentials.successor`)."""


class AccessToken(OwnMap):
    """A valid access token of a grant."""

    hash = UnicodeAttribute()
    scope = UnicodeAttribute()
    issued_at = EpochSeconds()
    expires_at = EpochSeconds()


class RefreshToken(OwnMap):
    """The one refresh token of a grant that is valid, and the one before it."""

    hash = UnicodeAttribute()
    tag_key = UnicodeAttribute()
    """By this key the tag of every refresh token of the grant was made (`credentials.was_issued`)."""
    expires_at = EpochSeconds()
    """Unless it is used before: the idle lifetime."""
    ends_at = EpochSeconds()
    """However often it is used: the absolute lifetime."""
    previous_hash = UnicodeAttribute(null=True)
    seed = UnicodeAttribute(null=True)
    """With the previous token, tells what that was exchanged for (`credentials.successor`)."""
    rotated_at = EpochSeconds(null=True)


class GrantsByClient(GlobalSecondaryIndex["Grant"]):
    """Finds all grants of a client, for its pages and for ending them; never decides about access.

    What it holds of a grant changes at most once a day and when the grant is revoked, so that it
    adds next to nothing to what tokens cost.
    """

    class Meta:
        index_name = "by-client"
        projection = IncludeProjection(["user_id", "revoked_at"])

    client_shard = UnicodeAttribute(hash_key=True)
    issued_on = UnicodeAttribute(range_key=True)


class Grant(Row):
    """An authorization: what a client may do, for a user or (client credentials) for itself."""

    class Meta:
        table_name = table_name("grants")

    grant_id = UnicodeAttribute(hash_key=True)
    client_id = UnicodeAttribute()
    client_shard = UnicodeAttribute(null=True)
    """The key of the index by client. Not there while a device waits for somebody to allow it."""
    user_id = UnicodeAttribute(null=True)
    scope = UnicodeAttribute()
    refreshable = BooleanAttribute(default=False)
    """Whether the client was registered for refresh tokens when the user agreed."""
    created_at = EpochSeconds()
    issued_on = UnicodeAttribute()
    """The day on which it was made or last yielded a token, in UTC (`clock.day`)."""
    last_issued_at = EpochSeconds(null=True)
    """When it last yielded a token."""
    expires_at = EpochSeconds()
    """When nothing of it can be valid any longer (TTL)."""
    revoked_at = EpochSeconds(null=True)
    revoked_because = UnicodeAttribute(null=True)
    authorization_code = AuthorizationCode(null=True)
    device_code = DeviceCode(null=True)
    refresh_token = RefreshToken(null=True)
    access_tokens: Maps[AccessToken] = Maps(of=AccessToken, default=list)

    by_client = GrantsByClient()

    @classmethod
    def revoke(cls, grant_id: str, at: int, because: str) -> bool:
        """End a grant and all of its tokens, by one request, whoever else is at it.

        Args:
            grant_id: which.
            at: when, in epoch seconds.
            because: the reason.

        Returns:
            Whether it was alive until now.
        """
        return cls(grant_id).update_if(
            cls.grant_id.exists() & cls.revoked_at.does_not_exist(),
            cls.revoked_at.set(at),
            cls.revoked_because.set(because),
            cls.revision.set(secrets.token_urlsafe(12)),
        )


def client_shards(client_id: str) -> list[str]:
    """Return every key under which the index by client may hold grants of a client."""
    return [f"{client_id}#{shard}" for shard in range(CLIENT_SHARDS)]


def client_shard(client_id: str, grant_id: str) -> str:
    """Return the key under which the index by client holds a grant."""
    return f"{client_id}#{zlib.crc32(grant_id.encode()) % CLIENT_SHARDS}"
