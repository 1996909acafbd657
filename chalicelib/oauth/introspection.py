"""Token introspection (RFC 7662): what a token stands for, for those who may know."""

from chalicelib import clock
from chalicelib.models.grant import Grant
from chalicelib.oauth import client_authentication, credentials, tokens
from chalicelib.oauth.client_authentication import Presented
from chalicelib.oauth.credentials import Kind
from chalicelib.oauth.errors import UnauthorizedClient
from chalicelib.oauth.parameters import Parameters

INACTIVE: dict[str, str | int | bool] = {"active": False}


def introspect(presented: Presented, parameters: Parameters) -> dict[str, str | int | bool]:
    """Answer an introspection request (RFC 7662 section 2.2).

    Returns:
        The members of the response. Whatever is not a valid token of ours is `active: false`,
        and nothing more is said about it.

    Raises:
        InvalidRequest: `token` is missing, or a parameter is malformed.
        InvalidClient: the client did not authenticate.
        UnauthorizedClient: the client may not introspect.
    """
    parameters.check()
    client = client_authentication.authenticate(presented, parameters)
    if client.is_public or not client.may_introspect:
        raise UnauthorizedClient("The client may not introspect tokens.")
    token = parameters.require("token")
    kind = credentials.kind_of(token)
    if kind is Kind.ACCESS_TOKEN:
        return _access_token(token, presented.issuer)
    if kind is Kind.REFRESH_TOKEN:
        return _refresh_token(token, presented.issuer)
    return INACTIVE


def _access_token(token: str, issuer: str) -> dict[str, str | int | bool]:
    found = tokens.read_access_token(token)
    if found is None:
        return INACTIVE
    grant, access_token = found
    return _describe(grant, issuer) | {
        "token_type": "Bearer",
        "scope": access_token.scope,
        "iat": access_token.issued_at,
        "exp": access_token.expires_at,
    }


def _refresh_token(token: str, issuer: str) -> dict[str, str | int | bool]:
    grant_id = credentials.grant_id_of(token, Kind.REFRESH_TOKEN)
    grant = Grant.find(grant_id) if grant_id else None
    if grant is None or grant.refresh_token is None or grant.revoked_at is not None:
        return INACTIVE
    state = grant.refresh_token
    if not credentials.matches(token, state.hash) or state.expires_at <= clock.now():
        return INACTIVE
    return _describe(grant, issuer) | {"scope": grant.scope, "exp": state.expires_at}


def _describe(grant: Grant, issuer: str) -> dict[str, str | int | bool]:
    return {
        "active": True,
        "client_id": grant.client_id,
        "sub": grant.user_id or grant.client_id,
        "iss": issuer,
    }
