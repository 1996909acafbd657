"""Proof Key for Code Exchange (RFC 7636). S256 only: `plain` protects nothing (RFC 9700 section 2.1.1)."""

import hmac
import re

from chalicelib.models.client import Client
from chalicelib.oauth.credentials import digest
from chalicelib.oauth.errors import InvalidGrant, InvalidRequest
from chalicelib.oauth.parameters import Parameters
from chalicelib.settings import settings

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def requested_challenge(parameters: Parameters, client: Client) -> str | None:
    """Return the `code_challenge` of an authorization request (RFC 7636 section 4.3).

    Raises:
        InvalidRequest: malformed, not S256, or missing where it is required.
    """
    challenge = parameters.get("code_challenge")
    method = parameters.get("code_challenge_method")
    if challenge is None:
        if method is not None:
            raise InvalidRequest("There is a code_challenge_method, but no code_challenge.")
        if client.is_public or settings.require_pkce:
            raise InvalidRequest("A code_challenge with the method S256 is required (RFC 7636).")
        return None
    if method != "S256":
        raise InvalidRequest("The code_challenge_method must be S256; plain is not supported.")
    if not _CHALLENGE.fullmatch(challenge):
        raise InvalidRequest("The code_challenge must be 43 characters of base64url.")
    return challenge


def verify(challenge: str | None, verifier: str | None) -> None:
    """Check the `code_verifier` of a token request (RFC 7636 section 4.6).

    A verifier without a challenge is refused as well: that is what a downgrade looks like from
    here (RFC 9700 section 4.8.2).

    Raises:
        InvalidRequest: the verifier is malformed.
        InvalidGrant: it is missing, unexpected, or wrong.
    """
    if verifier is not None and not _VERIFIER.fullmatch(verifier):
        raise InvalidRequest("The code_verifier must be 43 to 128 unreserved characters.")
    if challenge is None and verifier is None:
        return
    if challenge is None:
        raise InvalidGrant("There is a code_verifier, but the authorization had no code_challenge.")
    if verifier is None:
        raise InvalidGrant("The authorization had a code_challenge: the code_verifier is missing.")
    if not hmac.compare_digest(digest(verifier), challenge):
        raise InvalidGrant("The code_verifier does not match the code_challenge.")
