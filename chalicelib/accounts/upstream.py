"""Signing in with an OpenID provider: the authorization code flow, as its client (OpenID Connect Core 1.0).

What has to come back unchanged is bound to the browser: `state` belongs to its cookie, and
`nonce` and `code_verifier` are derived from both, so that nothing secret is stored. Import this
module late.
"""

import hmac
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from chalicelib import clock
from chalicelib.accounts import provider
from chalicelib.accounts.provider import CodeRefused, ProviderError
from chalicelib.models.session import UpstreamSignIn
from chalicelib.oauth.credentials import digest
from chalicelib.oauth.parameters import Parameters
from chalicelib.settings import settings

LIFETIME = 600
"""Seconds that a person has to sign in."""

LEEWAY = clock.SKEW

ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
"""Of ID tokens: signatures that only the provider can make."""

MAX_SUBJECT = 255
"""Characters (OpenID Connect Core 1.0 section 2)."""


class Refused(Exception):
    """The person did not get through to us, and may try again.

    Args:
        because: `denied` (they did not want to), `failed` or `unverified`.
    """

    def __init__(self, because: str) -> None:
        self.because = because
        super().__init__(because)


@dataclass(frozen=True)
class Person:
    """Who signed in, as the provider says."""

    subject: str
    claims: dict[str, Any] = field(repr=False)
    access_token: object = field(repr=False)

    def verified_email(self) -> str:
        """Return the person's e-mail address.

        Many providers tell it in the ID token; by OpenID Connect Core 1.0 section 5.4 it is at the
        UserInfo endpoint.

        Raises:
            Refused: there is none, or nobody has made sure that it is theirs.
            ProviderError: the provider does not tell as it should.
        """
        claims = self.claims if "email" in self.claims else self._userinfo()
        email = claims.get("email")
        verified = claims.get("email_verified", settings.upstream_email_is_verified)
        # Some providers write the boolean as a string.
        if not isinstance(email, str) or not (verified is True or verified == "true"):
            raise Refused("unverified")
        return email

    def _userinfo(self) -> dict[str, Any]:
        if not isinstance(self.access_token, str):
            raise ProviderError("there is no access_token in its token response")
        claims = provider.userinfo(self.access_token)
        if claims.get("sub") != self.subject:
            raise ProviderError("its userinfo_endpoint tells of somebody else")
        return claims


def start(cookie: str, redirect_uri: str, continue_to: str, prompt: str | None) -> str:
    """Remember where a browser is heading, and return the URL at the provider that it goes to.

    Args:
        cookie: the browser's.
        redirect_uri: where the provider sends it back to.
        continue_to: a path of ours, to go on to once signed in.
        prompt: `login`, if the person has to sign in anew though the provider knows them still.

    Raises:
        ProviderError: the provider does not answer as it should.
    """
    state = secrets.token_urlsafe(32)
    parameters = {"state": state, "nonce": _derived(cookie, state, "nonce")}
    if prompt is not None:
        parameters["prompt"] = prompt
    url = provider.authorization_url(redirect_uri, _derived(cookie, state, "code_verifier"), **parameters)
    UpstreamSignIn(
        _key(cookie, state),
        continue_to=continue_to,
        prompt=prompt,
        expires_at=clock.now() + LIFETIME,
    ).save()
    return url


def resume(cookie: str, state: str | None) -> UpstreamSignIn | None:
    """Return the sign-in that a browser comes back from, once; None if it is not this browser's."""
    return UpstreamSignIn.spend(_key(cookie, state), clock.now()) if state else None


def finish(cookie: str, redirect_uri: str, response: Parameters) -> Person:
    """Return who signed in.

    Args:
        cookie: the browser's.
        redirect_uri: as it was when it started.
        response: the authorization response, whose `state` belongs to the browser.

    Raises:
        Refused: nobody signed in.
        ProviderError: the provider does not answer as it should, or somebody else answered.
        InvalidRequest: a parameter is malformed.
    """
    state = response.require("state")
    _check_sender(response.get("iss"))
    error = response.get("error")
    if error is not None:
        raise Refused("denied" if error == "access_denied" else "failed")
    try:
        tokens = provider.redeem(
            response.require("code"), redirect_uri, _derived(cookie, state, "code_verifier")
        )
    except CodeRefused:
        raise Refused("failed") from None
    claims = _verified_claims(tokens, _derived(cookie, state, "nonce"))
    return Person(claims["sub"], claims, tokens.get("access_token"))


def _check_sender(iss: str | None) -> None:
    """Hold `iss` against the provider that was asked (RFC 9207 section 2.4)."""
    if iss is None and not provider.metadata().names_itself:
        return
    if iss != settings.upstream_issuer:
        raise ProviderError("another issuer answered than was asked")


def _verified_claims(tokens: dict[str, Any], nonce: str) -> dict[str, Any]:
    """Check an ID token (OpenID Connect Core 1.0 section 3.1.3.7) and return its claims."""
    id_token = tokens.get("id_token")
    if not isinstance(id_token, str):
        raise ProviderError("there is no id_token in its token response")
    try:
        try:
            decoded = _decode(id_token, provider.keys())
        except InvalidKeyIdError:  # It signs with a key that is newer than what we know.
            decoded = _decode(id_token, provider.keys(anew=True))
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            options={
                "iss": {"essential": True, "value": settings.upstream_issuer},
                "aud": {"essential": True, "value": settings.upstream_client_id},
                "sub": {"essential": True},
            },
            params={
                "nonce": nonce,
                "client_id": settings.upstream_client_id,
                "access_token": tokens.get("access_token"),
            },
        )
        claims.validate(now=clock.now(), leeway=LEEWAY)
    except (JoseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ProviderError(f"its id_token does not hold: {type(error).__name__}") from None
    if len(claims["sub"]) > MAX_SUBJECT or not claims["sub"].isascii():
        raise ProviderError("the sub in its id_token is too long, or not ASCII")
    return dict(claims)


def _decode(id_token: str, keys: KeySet) -> jwt.Token:
    """Verify a signature. A token that names no key is fine while there is only one."""
    return jwt.decode(
        id_token, lambda token: keys.get_by_kid(token.headers().get("kid")), algorithms=list(ALGORITHMS)
    )


def _key(cookie: str, state: str) -> str:
    return f"upstream#{digest(f'{cookie} {state}')}"


def _derived(cookie: str, state: str, name: str) -> str:
    """Return a value that only the browser's cookie and the state together tell, of 43 characters."""
    mac = hmac.digest(cookie.encode(), f"upstream {name} {state}".encode(), "sha256")
    return urlsafe_b64encode(mac).rstrip(b"=").decode()
