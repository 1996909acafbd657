"""The OpenID provider of the settings: what it publishes, and what it answers.

What comes from it has to come in time, has to be small, and is checked before it is used. Only
upstream sign-ins need this module and its libraries: import it late.
"""

import io
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import botocore.session
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, KeySet
from requests import RequestException, Response
from urllib3.exceptions import HTTPError

from chalicelib import clock, deadline
from chalicelib.settings import SECURE_URL, settings

TIMEOUT = (2, 3)
"""Seconds to connect, and to wait for an answer, while the invocation has time (`deadline`)."""

MAX_ANSWER = 256 * 1024
"""Bytes."""

LIFETIME = 3600
"""Seconds for which a warm function goes on with what the provider publishes, and with our secret."""

_NONSENSE = (ValueError, TypeError, KeyError, AttributeError, RecursionError, JoseError)
"""What reading an answer raises that is not what it ought to be."""

Read = TypeVar("Read")


class ProviderError(Exception):
    """The provider does not answer, or not as it should. The message is for the log; it has no secrets."""


class CodeRefused(Exception):
    """The provider does not take the code (any longer)."""


@dataclass(frozen=True)
class Metadata:
    """What the provider says of itself (OpenID Connect Discovery 1.0 section 3)."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    token_endpoint_auth_methods: tuple[str, ...]
    names_itself: bool
    """Whether its authorization responses have `iss` (RFC 9207 section 3)."""


def metadata() -> Metadata:
    """Return the provider's metadata.

    Raises:
        ProviderError: there is none, or it is another provider's.
    """
    return _remembered("metadata", _read_metadata)


def keys(*, anew: bool = False) -> KeySet:
    """Return the keys that the provider signs with.

    Args:
        anew: read them even if they are known.

    Raises:
        ProviderError: it does not tell them.
    """
    return _remembered("keys", _read_keys, anew=anew)


def authorization_url(redirect_uri: str, code_verifier: str, **parameters: str) -> str:
    """Return where the browser goes to sign in (OpenID Connect Core 1.0 section 3.1.2.1).

    Args:
        redirect_uri: where it comes back to.
        code_verifier: of PKCE; only its hash is in the URL.
        parameters: the others of the request.
    """
    with _session(
        redirect_uri=redirect_uri, scope=settings.upstream_scope, code_challenge_method="S256"
    ) as session:
        url, _ = session.create_authorization_url(
            metadata().authorization_endpoint, code_verifier=code_verifier, **parameters
        )
    return str(url)


def redeem(code: str, redirect_uri: str, code_verifier: str) -> dict[str, Any]:
    """Trade a code for tokens (OpenID Connect Core 1.0 section 3.1.3) and return the token response.

    Raises:
        CodeRefused: the code is over, was used before, or was never issued.
        ProviderError: anything else is wrong.
    """
    secret = _remembered("secret", _read_secret)
    with _session(
        redirect_uri=redirect_uri,
        client_secret=secret,
        token_endpoint_auth_method=_auth_method(secret),
    ) as session:
        try:
            return dict(
                session.fetch_token(
                    metadata().token_endpoint,
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=code_verifier,
                )
            )
        except OAuthError as error:
            if error.error == "invalid_grant":
                raise CodeRefused from None
            raise ProviderError(f"its token endpoint says {_printable(error.error)}") from None
        except (RequestException, HTTPError, *_NONSENSE) as error:
            raise ProviderError(f"its token endpoint failed: {type(error).__name__}") from None


def userinfo(access_token: str) -> dict[str, Any]:
    """Return what the provider tells of the person (OpenID Connect Core 1.0 section 5.3).

    Raises:
        ProviderError: it does not.
    """
    endpoint = metadata().userinfo_endpoint
    if endpoint is None:
        raise ProviderError("there is no e-mail address in the ID token, and no userinfo_endpoint")
    return _get(endpoint, headers={"Authorization": f"Bearer {access_token}"})


def forget() -> None:
    """Read everything anew next time."""
    _memory.clear()


_memory: dict[str, tuple[int, Any]] = {}


def _remembered(name: str, read: Callable[[], Read], *, anew: bool = False) -> Read:
    until, known = _memory.get(name, (0, None))
    if anew or until <= clock.now():
        known = read()
        _memory[name] = (clock.now() + LIFETIME, known)
    found: Read = known
    return found


def _read_metadata() -> Metadata:
    document = _get(settings.upstream_issuer.rstrip("/") + "/.well-known/openid-configuration")
    if document.get("issuer") != settings.upstream_issuer:
        raise ProviderError("its metadata names another issuer than OAUTH_UPSTREAM_ISSUER")
    methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return Metadata(
        authorization_endpoint=_endpoint(document, "authorization_endpoint"),
        token_endpoint=_endpoint(document, "token_endpoint"),
        jwks_uri=_endpoint(document, "jwks_uri"),
        userinfo_endpoint=_endpoint(document, "userinfo_endpoint")
        if "userinfo_endpoint" in document
        else None,
        token_endpoint_auth_methods=tuple(methods) if isinstance(methods, list) else (),
        names_itself=document.get("authorization_response_iss_parameter_supported") is True,
    )


def _endpoint(document: dict[str, Any], name: str) -> str:
    url = document.get(name)
    if not isinstance(url, str) or not re.fullmatch(SECURE_URL, url):
        raise ProviderError(f"the {name} in its metadata is no https URL")
    return url


def _read_keys() -> KeySet:
    """Read the keys for signatures; those that we do not understand are none (RFC 7517 section 5)."""
    published = _get(metadata().jwks_uri).get("keys")
    found = []
    for data in published if isinstance(published, list) else ():
        try:
            key = JWKRegistry.import_key(data)
            if key.as_dict(private=False).get("use", "sig") == "sig":
                found.append(key)
        except _NONSENSE:
            continue
    return KeySet(found)


def _read_secret() -> str | None:
    parameter = settings.upstream_secret_parameter
    if parameter is None:
        return settings.upstream_client_secret or None
    _check_time()
    config = Config(connect_timeout=TIMEOUT[0], read_timeout=TIMEOUT[1], retries={"total_max_attempts": 2})
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    try:
        ssm = botocore.session.get_session().create_client("ssm", region_name=region, config=config)
        found = ssm.get_parameter(Name=parameter, WithDecryption=True)
    except (BotoCoreError, ClientError) as error:
        raise ProviderError(
            f"the parameter of OAUTH_UPSTREAM_CLIENT_SECRET cannot be read: {type(error).__name__}"
        ) from None
    return str(found["Parameter"]["Value"])


def _auth_method(secret: str | None) -> str:
    """Return how we authenticate: in the body if we may, since not all agree on how Basic is encoded."""
    if secret is None:
        return "none"
    methods = metadata().token_endpoint_auth_methods
    return "client_secret_post" if "client_secret_post" in methods else "client_secret_basic"


def _get(url: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    with _session() as session:
        try:
            answer = session.get(url, withhold_token=True, headers=headers)
            answer.raise_for_status()
            document = answer.json()
        except (RequestException, HTTPError, *_NONSENSE) as error:
            raise ProviderError(f"{url} failed: {type(error).__name__}") from None
    if not isinstance(document, dict):
        raise ProviderError(f"{url} is no JSON object")
    return document


def _session(**options: Any) -> OAuth2Session:
    """Return a session that follows no redirect: a secret goes where the metadata says, or nowhere.

    Raises:
        ProviderError: there is no time left to ask.
    """
    _check_time()
    session = OAuth2Session(
        settings.upstream_client_id, default_timeout=TIMEOUT, max_redirects=0, stream=True, **options
    )
    session.headers["Accept-Encoding"] = "identity"
    session.hooks["response"].append(_bound)
    return session


def _check_time() -> None:
    if deadline.is_over():
        raise ProviderError("out of time")


def _bound(response: Response, **_: object) -> None:
    """Read an answer as far as it may be long, and refuse what is longer."""
    body = response.raw.read(MAX_ANSWER + 1, decode_content=True)
    response.raw.close()
    if len(body) > MAX_ANSWER:
        raise ProviderError(f"an answer has more than {MAX_ANSWER} bytes")
    response.raw = io.BytesIO(body)


def _printable(text: object) -> str:
    return text if isinstance(text, str) and re.fullmatch(r"[a-z_]{1,60}", text) else "something unreadable"
