"""The client credentials grant (RFC 6749 section 4.4): an application on its own behalf."""

from chalicelib.models.client import Client
from chalicelib.models.table import Conflict
from chalicelib.oauth import credentials, scopes, tokens
from chalicelib.oauth.credentials import Kind
from chalicelib.oauth.errors import TemporarilyUnavailable, UnauthorizedClient
from chalicelib.oauth.parameters import Parameters
from chalicelib.oauth.tokens import TokenResponse

ATTEMPTS = 3


def exchange(client: Client, parameters: Parameters) -> TokenResponse:
    """Issue an access token to a confidential client; no refresh token (RFC 6749 section 4.4.3).

    Raises:
        UnauthorizedClient: a public client cannot prove who it is.
        InvalidScope: the client is not registered for the scope.
    """
    if client.is_public:
        raise UnauthorizedClient("Public clients cannot use the client_credentials grant.")
    scope = scopes.requested(parameters.get("scope"), client)
    for _ in range(ATTEMPTS):
        grant = tokens.new_grant(client.client_id, scope)
        access_token = credentials.new(Kind.ACCESS_TOKEN, grant.grant_id)
        issued = tokens.add_access_token(grant, access_token, scope)
        try:
            grant.write()
        except Conflict:  # The random id is taken.
            continue
        return TokenResponse(access_token, issued.expires_at - issued.issued_at, scope)
    raise TemporarilyUnavailable
