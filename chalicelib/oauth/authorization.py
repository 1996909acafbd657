"""The authorization endpoint (RFC 6749 section 4.1.1), with the reference page's dialect.

`response_type=token` starts the authorization code flow, as `code` does: the page says so, and
there is no implicit grant here (RFC 9700 section 2.1.2). `redirect_url` is a second name of
`redirect_uri`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from chalicelib import clock, logs
from chalicelib.catalogue import CONSENT_DENIED, CONSENT_GIVEN, CONSENT_REMEMBERED, REQUEST_REFUSED
from chalicelib.journal import tell
from chalicelib.models.client import Client
from chalicelib.models.grant import AuthorizationCode, Grant
from chalicelib.models.user import Account, Consent
from chalicelib.oauth import clients, credentials, granting, pkce, redirect_uris, scopes, tokens
from chalicelib.oauth.credentials import Kind
from chalicelib.oauth.errors import (
    AccessDenied,
    InvalidRequest,
    OAuthError,
    UnauthorizedClient,
    UnsupportedResponseType,
)
from chalicelib.oauth.parameters import Parameters
from chalicelib.settings import settings

RESPONSE_TYPES = ("code", "token")
RESPONSE_MODES = ("query", "form_post")
PROMPTS = ("none", "login", "consent")


@dataclass(frozen=True)
class AuthorizationRequest:
    """A valid authorization request."""

    client: Client
    redirect_uri: str
    response_mode: str
    scope: str
    state: str | None
    code_challenge: str | None
    prompt: frozenset[str]
    declined: frozenset[str] = frozenset()
    """What was asked for besides, and the user unticked."""


@dataclass(frozen=True)
class AuthorizationResponse:
    """What the application gets to know, through the user's browser."""

    redirect_uri: str
    response_mode: str
    """How: `query` (RFC 6749) or `form_post` (OAuth 2.0 Form Post Response Mode)."""
    members: Mapping[str, str]

    @property
    def location(self) -> str:
        """The redirect URI with the members in its query, beside what it has there already."""
        return f"{self.redirect_uri}{'&' if '?' in self.redirect_uri else '?'}{urlencode(self.members)}"


class ErrorRedirect(Exception):
    """An error that the application gets to know (RFC 6749 section 4.1.2.1)."""

    def __init__(self, client: Client, response: AuthorizationResponse) -> None:
        self.client = client
        self.response = response
        super().__init__(response.members["error"])


def read_request(parameters: Parameters, issuer: str) -> AuthorizationRequest:
    """Check an authorization request.

    Args:
        parameters: of the request.
        issuer: for `iss` in an error response (RFC 9207).

    Raises:
        OAuthError: the client or the redirect URI is wrong. Tell the user, and never redirect.
        ErrorRedirect: anything else is wrong.
    """
    client, redirect_uri = _read_target(parameters)
    state, response_mode = None, "query"
    try:
        state = parameters.get("state")
        response_mode = _read_response_mode(parameters, redirect_uri)
        parameters.check()
        _check_response_type(parameters, client)
        return AuthorizationRequest(
            client=client,
            redirect_uri=redirect_uri,
            response_mode=response_mode,
            scope=scopes.requested(parameters.get("scope"), client),
            state=state,
            code_challenge=pkce.requested_challenge(parameters, client),
            prompt=_read_prompt(parameters),
        )
    except OAuthError as error:
        members = _members(error.members(), state, issuer)
        response = AuthorizationResponse(redirect_uri, response_mode, members)
        raise ErrorRedirect(client, response) from None


def _read_target(parameters: Parameters) -> tuple[Client, str]:
    client = clients.find(parameters.require("client_id"))
    if client is None:
        raise InvalidRequest("The client_id is unknown.")
    logs.note(client_id=client.client_id)
    redirect_uri, redirect_url = parameters.get("redirect_uri"), parameters.get("redirect_url")
    if redirect_uri and redirect_url and redirect_uri != redirect_url:
        raise InvalidRequest("redirect_uri and redirect_url differ.")
    uri = redirect_uri or redirect_url
    if uri is None:
        raise InvalidRequest("The parameter redirect_uri is missing.")
    if not redirect_uris.is_registered(uri, client):
        raise InvalidRequest("The redirect_uri is not registered for this client.")
    return client, uri


def _read_response_mode(parameters: Parameters, redirect_uri: str) -> str:
    response_mode = parameters.get("response_mode") or "query"
    if response_mode not in RESPONSE_MODES:
        raise InvalidRequest(f"The response_mode must be one of: {', '.join(RESPONSE_MODES)}.")
    if response_mode == "form_post" and not redirect_uris.is_web(redirect_uri):
        raise InvalidRequest("The response_mode form_post needs a redirect_uri that takes a form.")
    return response_mode


def _check_response_type(parameters: Parameters, client: Client) -> None:
    if parameters.require("response_type") not in RESPONSE_TYPES:
        raise UnsupportedResponseType("The response_type must be code (or token, which means the same).")
    if "authorization_code" not in client.grant_types:
        raise UnauthorizedClient("The client is not registered for the authorization_code grant.")


def _read_prompt(parameters: Parameters) -> frozenset[str]:
    """Read `prompt` (OpenID Connect Core section 3.1.2.1)."""
    prompt = frozenset((parameters.get("prompt") or "").split())
    if not prompt <= set(PROMPTS):
        raise InvalidRequest(f"The prompt must be of: {', '.join(PROMPTS)}.")
    if "none" in prompt and len(prompt) > 1:
        raise InvalidRequest("The prompt none goes with no other.")
    return prompt


def needs_consent(request: AuthorizationRequest, consent: Consent | None) -> bool:
    """Tell whether the user has to be asked, or agreed to all of it before.

    Anybody can pretend to be a public client, so its users are asked each time
    (RFC 8252 section 8.6).
    """
    if request.client.is_public or "consent" in request.prompt:
        return True
    return not set(request.scope.split(" ")) <= set(_remembered(request.client, consent))


def _remembered(client: Client, consent: Consent | None) -> list[str]:
    """Return the scopes that a user agreed to, with this client as it is.

    What was agreed to before it was disabled, or was deleted and made again, or had all its grants
    revoked, is forgotten.
    """
    if consent is None or consent.granted_at < client.created_at:
        return []
    if consent.granted_at <= (client.consents_since or 0):
        return []
    return list(consent.scope.split(" "))


def allow(
    request: AuthorizationRequest,
    account: Account,
    consent: Consent | None,
    issuer: str,
    *,
    was_asked: bool,
) -> AuthorizationResponse:
    """Grant what was asked for (RFC 6749 section 4.1.2).

    Args:
        request: what the user agreed to.
        account: as it was read when the user's session was checked.
        consent: what the user agreed to before, with this client.
        issuer: for `iss` (RFC 9207).
        was_asked: whether the user agreed just now.

    Raises:
        AccountChanged: disabled, or a new password, since then.
        TemporarilyUnavailable: others wrote to the account at the same time, too often.
    """
    codes: dict[str, str] = {}

    def make() -> Grant:
        grant = tokens.new_grant(request.client.client_id, request.scope, account.user_id)
        codes[grant.grant_id] = _add_code(grant, request)
        return grant

    extended = _extended(consent, request, account)
    relied_on = consent if extended is None else None
    grant = granting.store(make, request.client, account, extended, relied_on)
    tell(
        CONSENT_GIVEN if was_asked else CONSENT_REMEMBERED,
        by="page" if was_asked else None,
        client_id=grant.client_id,
        grant_id=grant.grant_id,
        user_id=account.user_id,
        scope=grant.scope,
    )
    return _respond(request, {"code": codes[grant.grant_id]}, issuer)


def deny(request: AuthorizationRequest, account: Account, issuer: str) -> AuthorizationResponse:
    """Tell the application that the user said no."""
    tell(
        CONSENT_DENIED,
        by="page",
        client_id=request.client.client_id,
        user_id=account.user_id,
        scope=request.scope,
    )
    return refuse(request, AccessDenied(), issuer)


def refuse(request: AuthorizationRequest, error: OAuthError, issuer: str) -> AuthorizationResponse:
    """Tell the application that it gets nothing: the user said no, or could not be asked."""
    tell(REQUEST_REFUSED, error=error.error, description=error.description)
    return _respond(request, error.members(), issuer)


def _add_code(grant: Grant, request: AuthorizationRequest) -> str:
    code = credentials.new(Kind.AUTHORIZATION_CODE, grant.grant_id)
    grant.authorization_code = AuthorizationCode(
        hash=credentials.digest(code),
        expires_at=clock.now() + settings.authorization_code_lifetime,
        redirect_uri=request.redirect_uri,
        code_challenge=request.code_challenge,
    )
    grant.expires_at = grant.authorization_code.expires_at + clock.SKEW
    return code


def _extended(consent: Consent | None, request: AuthorizationRequest, account: Account) -> Consent | None:
    """Return the consent to store: what was agreed to before and now, less what was unticked now.

    None if that is nothing new.
    """
    if not needs_consent(request, consent) and not request.declined:
        return None
    before = [scope for scope in _remembered(request.client, consent) if scope not in request.declined]
    return Consent(
        account.user_id,
        Consent.item_of(request.client.client_id),
        client_id=request.client.client_id,
        scope=" ".join(dict.fromkeys([*before, *request.scope.split(" ")])),
        granted_at=clock.now(),
        epoch=account.epoch,
    )


def _respond(request: AuthorizationRequest, members: dict[str, str], issuer: str) -> AuthorizationResponse:
    return AuthorizationResponse(
        request.redirect_uri, request.response_mode, _members(members, request.state, issuer)
    )


def _members(members: dict[str, str], state: str | None, issuer: str) -> dict[str, str]:
    return members | ({"state": state} if state is not None else {}) | {"iss": issuer}
