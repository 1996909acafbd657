"""The authorization endpoint (RFC 6749 section 4.1.1), with the reference page's dialect.

`response_type=token` starts the authorization code flow, as `code` does: the page says so, and
there is no implicit grant here (RFC 9700 section 2.1.2). `redirect_url` is a second name of
`redirect_uri`.
"""

import secrets
import time
from dataclasses import dataclass
from urllib.parse import urlencode

from chalicelib import clock
from chalicelib.models.client import Client
from chalicelib.models.grant import AuthorizationCode, Grant
from chalicelib.models.table import Conflict, Transaction
from chalicelib.models.user import Account, UserGrant
from chalicelib.oauth import clients, credentials, pkce, redirect_uris, scopes, tokens
from chalicelib.oauth.credentials import Kind
from chalicelib.oauth.errors import (
    AccessDenied,
    InvalidRequest,
    OAuthError,
    TemporarilyUnavailable,
    UnauthorizedClient,
    UnsupportedResponseType,
)
from chalicelib.oauth.parameters import Parameters
from chalicelib.settings import settings

RESPONSE_TYPES = ("code", "token")
ATTEMPTS = 4


@dataclass(frozen=True)
class AuthorizationRequest:
    """A valid authorization request."""

    client: Client
    redirect_uri: str
    scope: str
    state: str | None
    code_challenge: str | None


class ErrorRedirect(Exception):
    """An error that the application gets to know, by a redirect (RFC 6749 section 4.1.2.1)."""

    def __init__(self, redirect_uri: str, state: str | None, error: OAuthError) -> None:
        self.redirect_uri = redirect_uri
        self.state = state
        self.error = error
        super().__init__(str(error))


class AccountChanged(Exception):
    """The account is not what it was when the user signed in: they have to sign in again."""


def read_request(parameters: Parameters) -> AuthorizationRequest:
    """Check an authorization request.

    Raises:
        OAuthError: the client or the redirect URI is wrong. Tell the user, and never redirect.
        ErrorRedirect: anything else is wrong.
    """
    client, redirect_uri = _read_target(parameters)
    state = None
    try:
        state = parameters.get("state")
        parameters.check()
        _check_response_type(parameters, client)
        return AuthorizationRequest(
            client=client,
            redirect_uri=redirect_uri,
            scope=scopes.requested(parameters.get("scope"), client),
            state=state,
            code_challenge=pkce.requested_challenge(parameters, client),
        )
    except OAuthError as error:
        raise ErrorRedirect(redirect_uri, state, error) from None


def _read_target(parameters: Parameters) -> tuple[Client, str]:
    client = clients.find(parameters.require("client_id"))
    if client is None:
        raise InvalidRequest("The client_id is unknown.")
    redirect_uri, redirect_url = parameters.get("redirect_uri"), parameters.get("redirect_url")
    if redirect_uri and redirect_url and redirect_uri != redirect_url:
        raise InvalidRequest("redirect_uri and redirect_url differ.")
    uri = redirect_uri or redirect_url
    if uri is None:
        raise InvalidRequest("The parameter redirect_uri is missing.")
    if not redirect_uris.is_registered(uri, client):
        raise InvalidRequest("The redirect_uri is not registered for this client.")
    return client, uri


def _check_response_type(parameters: Parameters, client: Client) -> None:
    if parameters.require("response_type") not in RESPONSE_TYPES:
        raise UnsupportedResponseType("The response_type must be code (or token, which means the same).")
    if "authorization_code" not in client.grant_types:
        raise UnauthorizedClient("The client is not registered for the authorization_code grant.")


def allow(request: AuthorizationRequest, account: Account, issuer: str) -> str:
    """Grant what was asked for, and return where to send the browser (RFC 6749 section 4.1.2).

    Args:
        request: what the user agreed to.
        account: as it was read when the user's session was checked.
        issuer: for `iss` (RFC 9207).

    Raises:
        AccountChanged: disabled, or a new password, since then.
        TemporarilyUnavailable: others wrote to the account at the same time, too often.
    """
    for attempt in range(ATTEMPTS):
        grant = tokens.new_grant(request.client.client_id, request.scope, account.user_id)
        code = _add_code(grant, request)
        try:
            _store(grant, account)
        except Conflict:
            current = Account.find(account.user_id)
            if current is None or current.disabled_at is not None or current.epoch != account.epoch:
                raise AccountChanged from None
            time.sleep(0.02 * 2**attempt)
            continue
        return _response(request.redirect_uri, {"code": code}, request.state, issuer)
    raise TemporarilyUnavailable


def deny(request: AuthorizationRequest, issuer: str) -> str:
    """Return where to send the browser of a user who said no."""
    return _response(request.redirect_uri, AccessDenied().members(), request.state, issuer)


def error_response(refused: ErrorRedirect, issuer: str) -> str:
    """Return where to send the browser after an invalid request."""
    return _response(refused.redirect_uri, refused.error.members(), refused.state, issuer)


def _add_code(grant: Grant, request: AuthorizationRequest) -> str:
    code = credentials.new(Kind.AUTHORIZATION_CODE, grant.grant_id)
    grant.authorization_code = AuthorizationCode(
        hash=credentials.digest(code),
        expires_at=clock.now() + settings.authorization_code_lifetime,
        redirect_uri=request.redirect_uri,
        code_challenge=request.code_challenge,
    )
    grant.expires_at = grant.authorization_code.expires_at
    return code


def _store(grant: Grant, account: Account) -> None:
    """Write the grant and the user's pointer to it, if the account is still as it was.

    The check is what makes "disable the account, then revoke what it granted" miss nothing.
    """
    unchanged = (Account.epoch == account.epoch) & Account.disabled_at.does_not_exist()
    with Transaction(client_request_token=secrets.token_urlsafe(24)) as transaction:
        transaction.condition_check(Account, account.user_id, Account.ITEM, condition=unchanged)
        grant.write_in(transaction)
        transaction.save(
            UserGrant(
                account.user_id,
                f"grant#{grant.client_id}#{grant.grant_id}",
                grant_id=grant.grant_id,
                client_id=grant.client_id,
                expires_at=_latest_end(grant),
            )
        )


def _latest_end(grant: Grant) -> int:
    """When the grant is over at the latest, however its tokens get refreshed; epoch seconds."""
    return int(grant.expires_at) + settings.refresh_token_lifetime + settings.access_token_lifetime


def _response(redirect_uri: str, members: dict[str, str], state: str | None, issuer: str) -> str:
    if state is not None:
        members["state"] = state
    members["iss"] = issuer
    return redirect_uri + ("&" if "?" in redirect_uri else "?") + urlencode(members)
