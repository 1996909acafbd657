"""`private_key_jwt` (RFC 7523): a client proves who it is by a signature, and has no secret to lose."""

import json
from collections.abc import Collection
from typing import Any, TypeGuard

from chalicelib import clock
from chalicelib.models.client import Client
from chalicelib.models.session import SpentAssertion
from chalicelib.oauth.credentials import digest
from chalicelib.oauth.errors import InvalidClient

ALGORITHMS = ("ES256", "RS256", "PS256", "EdDSA", "Ed25519")
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

MAX_LIFETIME = 3600
"""Seconds. Libraries sign for an hour unless told otherwise."""
LEEWAY = clock.SKEW

MAX_JTI = 256
"""Characters."""

CURVES = ("P-256", "Ed25519")
MIN_RSA_BITS = 2048
"""RFC 7518 section 3.3."""


class InvalidKeySet(ValueError):
    """A JWK Set that cannot be registered; the message says why."""


def check_key_set(text: str) -> str:
    """Return a JWK Set that may be registered (RFC 7517), as compact JSON.

    Raises:
        InvalidKeySet: it may not.
    """
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    try:
        document = json.loads(text)
        keys = KeySet.import_key_set(document).keys
    except (ValueError, TypeError, KeyError, AttributeError, JoseError, RecursionError):
        raise InvalidKeySet("it is not a JWK Set (RFC 7517 section 5)") from None
    for key in keys:
        if key.key_type == "oct" or key.is_private:
            raise InvalidKeySet("it has a secret or private key; register the public ones, and keep that")
        if not _can_verify(key):
            raise InvalidKeySet(
                f"a key is for no algorithm of ours: RSA from {MIN_RSA_BITS} bits, or {', '.join(CURVES)}"
            )
    return json.dumps(document, separators=(",", ":"))


def _can_verify(key: Any) -> bool:
    if key.as_dict(private=False).get("use", "sig") != "sig":
        return False
    if key.key_type == "RSA":
        return bool(key.public_key.key_size >= MIN_RSA_BITS)
    return key.curve_name in CURVES


def claimed_client_id(assertion: str) -> str:
    """Return whose an assertion claims to be, before anything is verified.

    Raises:
        InvalidClient: it is no JWT.
    """
    subject = _unverified_claims(assertion).get("sub")
    if not isinstance(subject, str):
        raise InvalidClient("The client_assertion has no sub.")
    return subject


def verify(assertion: str, client: Client, audiences: Collection[str]) -> None:
    """Check an assertion, and spend it (RFC 7523 section 3).

    Args:
        assertion: the JWT.
        client: whose `sub` it names.
        audiences: what the server may be called in `aud`.

    Raises:
        InvalidClient: the signature or a claim does not hold, or the `jti` was used before.
    """
    claims = _verified_claims(assertion, client)
    now = clock.now()
    if claims.get("iss") != client.client_id or claims.get("sub") != client.client_id:
        raise InvalidClient("iss and sub of the client_assertion must be the client_id.")
    if not _is_for_us(claims.get("aud"), audiences):
        raise InvalidClient(
            "The aud of the client_assertion must be the issuer or an endpoint of ours, and nobody else."
        )
    expires_at = claims.get("exp")
    if not _is_time(expires_at) or not now - LEEWAY < expires_at <= now + MAX_LIFETIME + LEEWAY:
        raise InvalidClient(f"The exp of the client_assertion must be within {MAX_LIFETIME} seconds.")
    for name in ("nbf", "iat"):
        begins = claims.get(name)
        if begins is not None and not (_is_time(begins) and begins <= now + LEEWAY):
            raise InvalidClient(f"The {name} of the client_assertion lies in the future.")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI or not jti.isprintable():
        raise InvalidClient(f"The client_assertion needs a jti of 1 to {MAX_JTI} printable characters.")
    # No function takes it any longer when it is forgotten, however slow its clock is.
    if not SpentAssertion.spend(client.client_id, digest(jti), int(expires_at) + 2 * LEEWAY):
        raise InvalidClient("The client_assertion was used before.")


def _is_for_us(audience: object, audiences: Collection[str]) -> bool:
    """Another server named beside us could replay the assertion here, so we have to be alone."""
    if isinstance(audience, str):
        return audience in audiences
    return (
        isinstance(audience, list)
        and bool(audience)
        and all(isinstance(name, str) and name in audiences for name in audience)
    )


def _is_time(value: object) -> TypeGuard[float]:
    """A NumericDate (RFC 7519 section 2)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1 << 40


def _unverified_claims(assertion: str) -> dict[str, Any]:
    from joserfc.errors import JoseError
    from joserfc.jws import extract_compact

    try:
        claims = json.loads(extract_compact(assertion.encode()).payload)
    except (ValueError, JoseError, RecursionError):
        raise InvalidClient("The client_assertion is no JWT.") from None
    if not isinstance(claims, dict):
        raise InvalidClient("The client_assertion is no JWT.")
    return claims


def _verified_claims(assertion: str, client: Client) -> dict[str, Any]:
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    keys = KeySet.import_key_set(json.loads(client.jwks or '{"keys": []}'))
    try:
        claims: dict[str, Any] = jwt.decode(assertion, keys, algorithms=list(ALGORITHMS)).claims
    except (ValueError, JoseError, RecursionError):
        raise InvalidClient("The signature of the client_assertion does not hold.") from None
    return claims
