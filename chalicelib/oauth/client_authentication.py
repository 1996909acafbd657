"""Client authentication (RFC 6749 section 2.3): who is asking."""

from base64 import b64decode
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import unquote_plus

from chalicelib import clock, logs
from chalicelib.catalogue import CLIENT_AUTHENTICATION_FAILED
from chalicelib.journal import tell
from chalicelib.models.client import Client
from chalicelib.oauth import client_assertion, clients
from chalicelib.oauth.credentials import matches
from chalicelib.oauth.errors import InvalidClient, InvalidRequest
from chalicelib.oauth.parameters import Parameters

_TWO_METHODS = "Use one method of client authentication, not two."
_NO_SECRET = "A" * 43
"""No secret hashes to this. It stands in for what an unknown client does not have."""


@dataclass(frozen=True)
class Presented:
    """What comes with a request besides its parameters."""

    authorization: str | None
    """The `Authorization` header."""
    issuer: str
    audiences: Collection[str]
    """What the server may be called in an assertion: its issuer identifier and its endpoints."""


def authenticate(presented: Presented, parameters: Parameters) -> Client:
    """Return the client that a request comes from.

    Args:
        presented: the header, and what the server may be called in an assertion.
        parameters: the body, which may hold `client_id` and `client_secret` or an assertion.

    Raises:
        InvalidRequest: the client used two methods at once, or named itself twice, differently.
        InvalidClient: unknown, disabled, not proven, or not by the method it is registered for.
    """
    if parameters.get("client_assertion") or parameters.get("client_assertion_type"):
        client = _by_assertion(presented, parameters)
    else:
        client = _authenticate_by_secret(presented, parameters)
    logs.note(client_id=client.client_id)
    return client


def _authenticate_by_secret(presented: Presented, parameters: Parameters) -> Client:
    method, client_id, secrets = _by_secret(presented.authorization, parameters)
    client = clients.find(client_id)
    if method == "none":
        authenticated = client is not None and client.is_public
    else:
        authenticated = _secret_is_valid(client, secrets) and _may_use(client, method)
    if client is None or not authenticated:
        tell(CLIENT_AUTHENTICATION_FAILED, client_id=client.client_id if client else None)
        raise InvalidClient
    return client


def _by_assertion(presented: Presented, parameters: Parameters) -> Client:
    """Authenticate by `private_key_jwt` (RFC 7521 section 4.2)."""
    if presented.authorization is not None or parameters.get("client_secret") is not None:
        raise InvalidRequest(_TWO_METHODS)
    if parameters.require("client_assertion_type") != client_assertion.TYPE:
        raise InvalidRequest(f"The client_assertion_type must be {client_assertion.TYPE}.")
    assertion = parameters.require("client_assertion")
    client_id = client_assertion.claimed_client_id(assertion)
    if parameters.get("client_id") not in (None, client_id):
        raise InvalidRequest("The client_id differs from the sub of the client_assertion.")
    client = clients.find(client_id)
    try:
        if client is None or client.token_endpoint_auth_method != "private_key_jwt":
            raise InvalidClient
        client_assertion.verify(assertion, client, presented.audiences)
    except InvalidClient:
        tell(CLIENT_AUTHENTICATION_FAILED, client_id=client.client_id if client else None)
        raise
    return client


def _by_secret(authorization: str | None, parameters: Parameters) -> tuple[str, str, set[str]]:
    """Return the method, the client id and what the secret of a request may be."""
    client_id, secret = parameters.get("client_id"), parameters.get("client_secret")
    if authorization is None:
        if client_id is None:
            raise InvalidRequest("The parameter client_id is missing, and there is no Authorization header.")
        return ("none" if secret is None else "client_secret_post"), client_id, {secret or ""}
    basic_id, basic_secrets = _parse_basic(authorization)
    if secret is not None:
        raise InvalidRequest(_TWO_METHODS)
    if client_id not in (None, basic_id):
        raise InvalidRequest("The client_id differs from the one in the Authorization header.")
    # Libraries send the id of a public client so, with an empty secret (RFC 6749 section 2.3.1).
    return ("none" if basic_secrets == {""} else "client_secret_basic"), basic_id, basic_secrets


def _parse_basic(authorization: str) -> tuple[str, set[str]]:
    """Decode the header. Id and secret are form-encoded within it (RFC 6749 section 2.3.1).

    Many clients forget that. It makes no difference for the secrets that we make, but it does for
    those that came from another system: so the secret may be meant as it is, too.
    """
    scheme, _, encoded = authorization.strip().partition(" ")
    if scheme.lower() != "basic":
        raise InvalidClient("The Authorization header must use the scheme Basic.")
    try:
        decoded = b64decode(encoded.strip(), validate=True).decode("utf-8")
        client_id, colon, secret = decoded.partition(":")
        client_id = unquote_plus(client_id, errors="strict")
    except ValueError:
        raise InvalidClient("The Authorization header is malformed.") from None
    if not colon or not client_id or not client_id.isprintable():
        raise InvalidClient("The Authorization header is malformed.")
    return client_id, {secret, unquote_plus(secret)}


def _secret_is_valid(client: Client | None, secrets: set[str]) -> bool:
    """Compare with every valid secret; the same work for a client that has none."""
    now = clock.now()
    stored = [
        valid.hash
        for valid in (client.secrets if client else [])
        if valid.expires_at is None or valid.expires_at > now
    ]
    return sum(matches(secret, hashed) for hashed in stored or [_NO_SECRET] for secret in secrets) > 0


def _may_use(client: Client | None, method: str) -> bool:
    return client is not None and client.token_endpoint_auth_method in (None, method)
