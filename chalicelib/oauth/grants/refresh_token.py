"""The refresh token grant (RFC 6749 section 6), with rotation (RFC 9700 section 2.2.2)."""

import hmac

from chalicelib import clock
from chalicelib.catalogue import REFRESH_REUSED
from chalicelib.models.client import Client
from chalicelib.models.grant import Grant, RefreshToken
from chalicelib.oauth import credentials, scopes, tokens
from chalicelib.oauth.credentials import Kind
from chalicelib.oauth.errors import InvalidGrant, InvalidScope
from chalicelib.oauth.parameters import Parameters
from chalicelib.oauth.tokens import TokenResponse
from chalicelib.oauth.transition import Theft, Unchanged, transition
from chalicelib.settings import settings


def exchange(client: Client, parameters: Parameters) -> TokenResponse:
    """Trade a refresh token for a new access token and a new refresh token.

    The token just traded may be presented again while its successor is unused and
    `refresh_retry_window` lasts: a client that never saw the answer is told the same again, and
    so is one that asks twice at once. So there is one chain, always. Any other token that was
    really issued and is traded already has been stolen, and the grant is revoked.

    Raises:
        InvalidRequest: `refresh_token` is missing.
        InvalidScope: more is asked for than was granted.
        InvalidGrant: the token does not hold.
    """
    token = parameters.require("refresh_token")
    scope = parameters.get("scope")
    grant_id = credentials.grant_id_of(token, Kind.REFRESH_TOKEN)
    if grant_id is None:
        raise InvalidGrant

    def rotate(grant: Grant) -> TokenResponse | Unchanged[TokenResponse] | Theft:
        state = _state(grant, client, token)
        narrowed = _narrowed(scope, grant, client)
        if credentials.matches(token, state.hash):
            if state.expires_at <= clock.now():
                raise InvalidGrant
            return _rotate(grant, token, narrowed)
        if _may_retry(state, token):
            return Unchanged(_answer_again(grant, token, narrowed))
        tokens.revoke(grant, "refresh token reused")
        error = InvalidGrant(
            "The refresh token was used before. All tokens of the authorization are revoked."
        )
        return Theft(REFRESH_REUSED, error)

    return transition(grant_id, rotate)


def _state(grant: Grant, client: Client, token: str) -> RefreshToken:
    """Return what the grant knows, if it really issued this token, to this client."""
    state = grant.refresh_token
    if state is None or grant.client_id != client.client_id:
        raise InvalidGrant
    if not credentials.was_issued(token, state.tag_key):
        raise InvalidGrant
    if grant.revoked_at is not None:
        raise InvalidGrant("The authorization was revoked.")
    return state


def _narrowed(scope: str | None, grant: Grant, client: Client) -> str:
    """Return what is asked for: no more than the user granted, and the client is still registered for."""
    registered = client.scope.split(" ")
    granted = " ".join(token for token in grant.scope.split(" ") if token in registered)
    if not granted:
        raise InvalidScope("The client is no longer registered for any scope that the user granted.")
    if scope is None:
        return granted
    return scopes.narrowed(scope, granted, "The scope is more than the user granted.")


def _rotate(grant: Grant, token: str, scope: str) -> TokenResponse:
    now, state = clock.now(), grant.refresh_token
    state.seed = credentials.random_text(credentials.SECRET_LENGTH)
    state.previous_hash = state.hash
    state.rotated_at = now
    refresh_token = credentials.successor(Kind.REFRESH_TOKEN, token, state.seed, state.tag_key)
    state.hash = credentials.digest(refresh_token)
    state.expires_at = min(now + settings.refresh_token_idle_lifetime, state.ends_at)
    grant.expires_at = max(grant.expires_at, state.expires_at)
    access_token = credentials.successor(Kind.ACCESS_TOKEN, token, state.seed, state.tag_key)
    issued = tokens.add_access_token(grant, access_token, scope)
    return TokenResponse(access_token, issued.expires_at - now, scope, refresh_token, grant.user_id)


def _may_retry(state: RefreshToken, token: str) -> bool:
    """Whether the token is the one traded last, and just now. Then its successor is unused."""
    if state.previous_hash is None or state.rotated_at is None:
        return False
    if not tokens.may_repeat(state.rotated_at):
        return False
    return hmac.compare_digest(credentials.digest(token), state.previous_hash)


def _answer_again(grant: Grant, token: str, scope: str) -> TokenResponse:
    state = grant.refresh_token
    access_token = credentials.successor(Kind.ACCESS_TOKEN, token, state.seed, state.tag_key)
    issued = tokens.find_access_token(grant, access_token)
    if issued is None:
        raise InvalidGrant("The refresh token was used before, and what it yielded is revoked.")
    if not set(issued.scope.split(" ")) <= set(scope.split(" ")):
        raise InvalidScope("The refresh token was used a moment ago, for a wider scope.")
    refresh_token = credentials.successor(Kind.REFRESH_TOKEN, token, state.seed, state.tag_key)
    left = issued.expires_at - clock.now()
    return TokenResponse(access_token, left, issued.scope, refresh_token, grant.user_id, is_repeated=True)
