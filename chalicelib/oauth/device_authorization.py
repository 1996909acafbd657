"""The device authorization endpoint, and what a person decides about its requests (RFC 8628).

A device asks, shows a user code, and polls the token endpoint (`grants.device_code`). What it
asks for waits as a grant that nobody has made yet: the id of that grant is in the device code, so
that a poll is one read and one write of one row, and the row that a person decides about.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib import clock
from chalicelib.catalogue import CONSENT_DENIED, CONSENT_GIVEN, Event
from chalicelib.journal import tell
from chalicelib.models.client import Client
from chalicelib.models.grant import DeviceCode, Grant, client_shard
from chalicelib.models.session import UserCode
from chalicelib.models.table import Conflict, Transaction
from chalicelib.models.user import Account
from chalicelib.oauth import (
    client_authentication,
    clients,
    credentials,
    granting,
    scopes,
    tokens,
    user_codes,
)
from chalicelib.oauth.client_authentication import Presented
from chalicelib.oauth.credentials import Kind
from chalicelib.oauth.errors import TemporarilyUnavailable, UnauthorizedClient
from chalicelib.oauth.grants.device_code import GRANT_TYPE, INTERVAL
from chalicelib.oauth.parameters import Parameters
from chalicelib.oauth.transition import GrantNotFound, transition
from chalicelib.settings import settings

ATTEMPTS = 3
"""How often a user code is drawn anew because there is one like it."""


@dataclass(frozen=True)
class DeviceAuthorizationResponse:
    """What a device is told (RFC 8628 section 3.2)."""

    device_code: str
    user_code: str
    verification_uri: str
    expires_in: int
    """Seconds."""

    def members(self) -> dict[str, str | int]:
        """Return the members of the response.

        `verification_uri_complete` has the user code in it: that is no credential. It names a
        request, and opens nothing to who follows the link but the form in which it is typed
        otherwise; they still have to compare the code and to allow (RFC 8628 section 3.3.1).
        """
        return {
            "device_code": self.device_code,
            "user_code": self.user_code,
            "verification_uri": self.verification_uri,
            "verification_uri_complete": f"{self.verification_uri}?user_code={self.user_code}",
            "expires_in": self.expires_in,
            "interval": INTERVAL,
        }


@dataclass(frozen=True)
class DeviceRequest:
    """What a device asks for, and nobody has decided about."""

    grant_id: str
    client: Client
    scope: str


class NotPending(Exception):
    """There is nothing to decide.

    Args:
        reason: `over`, `decided`, or `gone`, if the application may not ask any longer.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def request(presented: Presented, parameters: Parameters) -> DeviceAuthorizationResponse:
    """Answer a device authorization request (RFC 8628 section 3.1).

    Raises:
        InvalidRequest: a parameter is missing or malformed.
        InvalidClient: the client did not authenticate.
        UnauthorizedClient: it is not registered for this grant type.
        InvalidScope: malformed, unknown, or more than the client is registered for.
    """
    parameters.check()
    client = client_authentication.authenticate(presented, parameters)
    if GRANT_TYPE not in client.grant_types:
        raise UnauthorizedClient("The client is not registered for the device_code grant.")
    scope = scopes.requested(parameters.get("scope"), client)
    for _ in range(ATTEMPTS):
        grant = tokens.new_grant(client.client_id, scope)
        device_code, user_code = credentials.new(Kind.DEVICE_CODE, grant.grant_id), user_codes.new()
        _add_code(grant, device_code)
        try:
            _store(grant, user_code)
        except Conflict:
            if not grant.is_stored():
                continue
        return DeviceAuthorizationResponse(
            device_code,
            user_codes.shown(user_code),
            f"{presented.issuer}/device",
            settings.device_code_lifetime,
        )
    raise TemporarilyUnavailable


def _add_code(grant: Grant, device_code: str) -> None:
    grant.expires_at = clock.now() + settings.device_code_lifetime
    grant.device_code = DeviceCode(
        hash=credentials.digest(device_code), expires_at=grant.expires_at, interval=INTERVAL
    )
    grant.client_shard = None


def _store(grant: Grant, user_code: str) -> None:
    with Transaction(client_request_token=secrets.token_urlsafe(24)) as transaction:
        grant.write_in(transaction)
        transaction.save(
            UserCode(_key_of(user_code), grant_id=grant.grant_id, expires_at=grant.expires_at),
            UserCode.key.does_not_exist(),
        )


def find(user_code: str) -> str | None:
    """Return the id of the grant that a user code stands for, if it stands for any; by one read."""
    found = UserCode.find(_key_of(user_code))
    return found.grant_id if found else None


def _key_of(user_code: str) -> str:
    return UserCode.key_of(credentials.digest(user_code))


def read_request(grant_id: str) -> DeviceRequest:
    """Return what a device asks for.

    Raises:
        NotPending: nobody has to decide about it, or any longer.
    """
    grant = _pending(Grant.find(grant_id))
    client = clients.find(grant.client_id)
    if client is None or GRANT_TYPE not in client.grant_types:
        raise NotPending("gone")
    return DeviceRequest(grant_id, client, grant.scope)


def _pending(grant: Grant | None) -> Grant:
    if grant is None:
        raise NotPending("over")
    if grant.device_code.approved_at is not None or grant.revoked_at is not None:
        raise NotPending("decided")
    if grant.device_code.expires_at <= clock.now():
        raise NotPending("over")
    return grant


def allow(asked: DeviceRequest, scope: Sequence[str], account: Account) -> None:
    """Grant a device what it asked for, or the part of it that the user allows.

    It is never remembered as a consent: the next device is somebody's next question.

    Raises:
        NotPending: somebody decided before, or it is too late.
        AccountChanged: disabled, or a new password, since the user's session was checked.
        TemporarilyUnavailable: others wrote to the account at the same time, too often.
    """

    def approve() -> Grant:
        grant = _pending(Grant.find(asked.grant_id))
        grant.user_id = account.user_id
        grant.scope = " ".join(scope)
        grant.client_shard = client_shard(grant.client_id, grant.grant_id)
        grant.device_code.approved_at = clock.now()
        return grant

    grant = granting.store(approve, asked.client, account)
    _tell(CONSENT_GIVEN, asked, account, grant.scope)


def deny(asked: DeviceRequest, account: Account) -> None:
    """Refuse a device what it asked for.

    Args:
        asked: what it asked for.
        account: of who refuses.

    Raises:
        NotPending: somebody decided before, or it is too late.
    """

    def refuse(grant: Grant) -> None:
        tokens.revoke(_pending(grant), "denied by the user")

    try:
        transition(asked.grant_id, refuse)
    except GrantNotFound:
        raise NotPending("over") from None
    _tell(CONSENT_DENIED, asked, account, asked.scope)


def _tell(event: Event, asked: DeviceRequest, account: Account, scope: str) -> None:
    tell(
        event,
        by="device",
        client_id=asked.client.client_id,
        grant_id=asked.grant_id,
        user_id=account.user_id,
        scope=scope,
    )
