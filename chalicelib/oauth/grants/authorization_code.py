"""The authorization code grant (RFC 6749 section 4.1.3): a code for tokens, once."""

import hmac

from chalicelib import clock
from chalicelib.catalogue import CODE_REPLAYED
from chalicelib.models.client import Client
from chalicelib.models.grant import Grant
from chalicelib.oauth import credentials, pkce, tokens
from chalicelib.oauth.credentials import Kind
from chalicelib.oauth.errors import InvalidGrant
from chalicelib.oauth.parameters import Parameters
from chalicelib.oauth.tokens import TokenResponse
from chalicelib.oauth.transition import Theft, transition


def exchange(client: Client, parameters: Parameters) -> TokenResponse:
    """Redeem an authorization code.

    A request that fails a check consumes nothing. Single use is enforced last, after the caller
    has proved that the code is theirs: only then does a replay revoke the grant
    (RFC 6749 section 4.1.2, RFC 9700 section 2.1.1).

    Raises:
        InvalidRequest: `code` or `redirect_uri` is missing, or the verifier is malformed.
        InvalidGrant: the code does not hold.
    """
    code = parameters.require("code")
    redirect_uri = parameters.require("redirect_uri")
    code_verifier = parameters.get("code_verifier")
    grant_id = credentials.grant_id_of(code, Kind.AUTHORIZATION_CODE)
    if grant_id is None:
        raise InvalidGrant

    def redeem(grant: Grant) -> TokenResponse | Theft:
        issued = grant.authorization_code
        if (
            issued is None
            or grant.client_id != client.client_id
            or not credentials.matches(code, issued.hash)
        ):
            raise InvalidGrant
        if grant.revoked_at is not None:
            raise InvalidGrant("The authorization was revoked.")
        if not hmac.compare_digest(redirect_uri.encode(), issued.redirect_uri.encode()):
            raise InvalidGrant("The redirect_uri differs from the one in the authorization request.")
        pkce.verify(issued.code_challenge, code_verifier)
        if issued.redeemed_at is not None:
            tokens.revoke(grant, "authorization code replayed")
            error = InvalidGrant("The code was used before. All tokens that it yielded are revoked.")
            return Theft(CODE_REPLAYED, error)
        if clock.has_passed(issued.expires_at):
            raise InvalidGrant
        issued.redeemed_at = clock.now()
        return _issue(grant, client)

    return transition(grant_id, redeem)


def _issue(grant: Grant, client: Client) -> TokenResponse:
    access_token = credentials.new(Kind.ACCESS_TOKEN, grant.grant_id)
    issued = tokens.add_access_token(grant, access_token, grant.scope)
    refreshable = grant.refreshable and "refresh_token" in client.grant_types
    return TokenResponse(
        access_token=access_token,
        expires_in=issued.expires_at - issued.issued_at,
        scope=issued.scope,
        refresh_token=tokens.start_refresh_token(grant) if refreshable else None,
        user_id=grant.user_id,
    )
