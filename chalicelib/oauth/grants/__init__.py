"""The token endpoint (RFC 6749 section 3.2): one module for each grant type."""

from chalicelib.catalogue import TOKEN_ISSUED, TOKEN_REPEATED
from chalicelib.journal import tell
from chalicelib.oauth import client_authentication
from chalicelib.oauth.client_authentication import Presented
from chalicelib.oauth.errors import UnauthorizedClient, UnsupportedGrantType
from chalicelib.oauth.grants import authorization_code, client_credentials, device_code, refresh_token
from chalicelib.oauth.parameters import Parameters
from chalicelib.oauth.tokens import TokenResponse

GRANT_TYPES = {
    "authorization_code": authorization_code.exchange,
    "refresh_token": refresh_token.exchange,
    "client_credentials": client_credentials.exchange,
    device_code.GRANT_TYPE: device_code.exchange,
}


def token_request(presented: Presented, parameters: Parameters) -> TokenResponse:
    """Answer a token request.

    Args:
        presented: what comes with it.
        parameters: the body.

    Raises:
        OAuthError: the one that RFC 6749 section 5.2 prescribes.
    """
    parameters.check()
    grant_type = parameters.require("grant_type")
    client = client_authentication.authenticate(presented, parameters)
    exchange = GRANT_TYPES.get(grant_type)
    if exchange is None:
        raise UnsupportedGrantType(f"The grant types are: {', '.join(GRANT_TYPES)}.")
    if grant_type not in client.grant_types:
        raise UnauthorizedClient("The client is not registered for this grant type.")
    response = exchange(client, parameters)
    tell(
        TOKEN_REPEATED if response.is_repeated else TOKEN_ISSUED,
        grant_type=grant_type,
        client_id=client.client_id,
        grant_id=response.grant_id,
        user_id=response.user_id,
        scope=response.scope,
    )
    return response
