"""The device authorization grant (RFC 8628 section 3.4): a device asks until it is told."""

import hmac
from functools import partial

from chalicelib import clock
from chalicelib.catalogue import DEVICE_CODE_REPLAYED
from chalicelib.models.client import Client
from chalicelib.models.grant import Grant
from chalicelib.oauth import credentials, tokens
from chalicelib.oauth.credentials import Kind
from chalicelib.oauth.errors import (
    AccessDenied,
    AuthorizationPending,
    ExpiredToken,
    InvalidGrant,
    OAuthError,
    SlowDown,
)
from chalicelib.oauth.parameters import Parameters
from chalicelib.oauth.tokens import TokenResponse
from chalicelib.oauth.transition import Theft, Unchanged, transition

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"

INTERVAL = 5
"""Seconds between two polls; who asks too often has to wait for so much longer from then on."""
JITTER = 1
"""Seconds by which the network may bring two polls closer together than they were sent."""


def exchange(client: Client, parameters: Parameters) -> TokenResponse:
    """Answer a poll.

    The code yields one set of tokens. A device whose answer got lost asks again, as RFC 8628
    section 3.5 tells it to: it is told the same, while `refresh_retry_window` lasts and what it
    got is unused. Any later use means that somebody else has the code, and the grant is revoked.

    Raises:
        InvalidRequest: `device_code` is missing.
        AuthorizationPending: the user has not decided.
        SlowDown: the user has not decided, and the device asks too often.
        AccessDenied: the user said no, or took it back.
        ExpiredToken: too late.
        InvalidGrant: the code does not hold.
    """
    device_code = parameters.require("device_code")
    grant_id = credentials.grant_id_of(device_code, Kind.DEVICE_CODE)
    if grant_id is None:
        raise InvalidGrant

    def poll(grant: Grant) -> TokenResponse | Unchanged[TokenResponse] | Theft | OAuthError:
        issued = grant.device_code
        if (
            issued is None
            or grant.client_id != client.client_id
            or not credentials.matches(device_code, issued.hash)
        ):
            raise InvalidGrant
        if issued.redeemed_at is not None:
            return _poll_again(grant, device_code)
        if grant.revoked_at is not None:
            raise AccessDenied
        if issued.expires_at <= clock.now():
            raise ExpiredToken
        if issued.approved_at is None:
            return _wait(grant)
        return _redeem(grant, client, device_code)

    return transition(grant_id, poll)


def _wait(grant: Grant) -> OAuthError:
    """Note the poll: its time, by which the next one is judged, and an interval that grew."""
    issued, now = grant.device_code, clock.now()
    # A poll in the future was seen by a clock that is ahead, and tells nothing.
    too_early = issued.polled_at is not None and 0 <= now - issued.polled_at < issued.interval - JITTER
    issued.polled_at = now
    if too_early:
        issued.interval += INTERVAL
        return SlowDown()
    return AuthorizationPending()


def _redeem(grant: Grant, client: Client, device_code: str) -> TokenResponse:
    now, issued = clock.now(), grant.device_code
    issued.redeemed_at = now
    issued.seed = credentials.random_text(credentials.SECRET_LENGTH)
    access_token = _access_token(grant, device_code)
    added = tokens.add_access_token(grant, access_token, grant.scope)
    refresh_token = None
    if grant.refreshable and "refresh_token" in client.grant_types:
        derive = partial(credentials.successor, Kind.REFRESH_TOKEN, device_code, issued.seed)
        refresh_token = tokens.start_refresh_token(grant, derive)
    return TokenResponse(access_token, added.expires_at - now, added.scope, refresh_token, grant.user_id)


def _poll_again(grant: Grant, device_code: str) -> Unchanged[TokenResponse] | Theft:
    if grant.revoked_at is not None:
        raise InvalidGrant("The authorization was revoked.")
    refresh_token = _refresh_token(grant, device_code)
    if not _may_retry(grant, refresh_token):
        tokens.revoke(grant, "device code replayed")
        error = InvalidGrant("The device_code was used before. All tokens that it yielded are revoked.")
        return Theft(DEVICE_CODE_REPLAYED, error)
    access_token = _access_token(grant, device_code)
    added = tokens.find_access_token(grant, access_token)
    if added is None:
        raise InvalidGrant("The device_code was used before, and what it yielded is revoked.")
    left = added.expires_at - clock.now()
    return Unchanged(
        TokenResponse(access_token, left, added.scope, refresh_token, grant.user_id, is_repeated=True)
    )


def _may_retry(grant: Grant, refresh_token: str | None) -> bool:
    """Whether the code was redeemed just now, and the refresh token that it yielded is unused."""
    if not tokens.may_repeat(grant.device_code.redeemed_at):
        return False
    return refresh_token is None or hmac.compare_digest(
        credentials.digest(refresh_token), grant.refresh_token.hash
    )


def _access_token(grant: Grant, device_code: str) -> str:
    return credentials.successor(Kind.ACCESS_TOKEN, device_code, grant.device_code.seed, "")


def _refresh_token(grant: Grant, device_code: str) -> str | None:
    """Return the refresh token that a code was exchanged for, if it was for one."""
    state = grant.refresh_token
    if state is None:
        return None
    return credentials.successor(Kind.REFRESH_TOKEN, device_code, grant.device_code.seed, state.tag_key)
