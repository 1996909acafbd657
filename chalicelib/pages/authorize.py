"""The authorization page: who asks, for what, and the user's yes or no (RFC 6749 section 3.1)."""

from urllib.parse import urlencode, urlsplit

from chalice import Blueprint, Response
from chalice.app import Request

from chalicelib.accounts.sessions import SignedIn
from chalicelib.endpoints import http
from chalicelib.oauth import authorization
from chalicelib.oauth.authorization import (
    AccountChanged,
    AuthorizationRequest,
    AuthorizationResponse,
    ErrorRedirect,
)
from chalicelib.oauth.errors import AccessDenied, ConsentRequired, LoginRequired, OAuthError
from chalicelib.pages.browser import Browser
from chalicelib.pages.guard import guarded
from chalicelib.pages.rendering import error_page, page, redirect
from chalicelib.pages.sign_in import sign_in_page
from chalicelib.settings import DAY, settings

blueprint = Blueprint(__name__)

_EXPIRED = "This page was open for too long, or came from elsewhere. Please decide again."
_UNDECIDED = "Please choose one of the two buttons."


@blueprint.route("/oauth2/authorize", methods=["GET"], content_types=[])
@guarded(blueprint)
def ask() -> Response:
    """Show the consent page, or the sign-in form before it, or neither if nothing is to be asked."""
    request = blueprint.current_request
    asked = _read(request)
    if isinstance(asked, Response):
        return asked
    browser = Browser.of(request)
    signed_in = browser.signed_in(asked.client.client_id)
    if signed_in is None or "login" in asked.prompt:
        return _sign_in(request, asked, browser)
    if not authorization.needs_consent(asked, signed_in.consent):
        return _allow(request, asked, browser, signed_in)
    if "none" in asked.prompt:
        return _refuse(request, asked, ConsentRequired())
    return _consent_page(request, asked, browser, signed_in)


@blueprint.route("/oauth2/authorize", methods=["POST"], content_types=[http.FORM], name="decide")
@guarded(blueprint)
def decide() -> Response:
    """Take the user's decision. The request itself is in the URL still, as it was."""
    request = blueprint.current_request
    asked = _read(request)
    if isinstance(asked, Response):
        return asked
    form = http.form(request)
    browser = Browser.of(request)
    signed_in = browser.signed_in(asked.client.client_id)
    if signed_in is None:
        return _sign_in(request, asked, browser)
    if not browser.sent(form.get("csrf_token")):
        return _consent_page(request, asked, browser, signed_in, status=403, problem=_EXPIRED)
    decision = form.get("decision")
    if decision == "deny":
        return _refuse(request, asked, AccessDenied())
    if decision != "allow":
        return _consent_page(request, asked, browser, signed_in, status=400, problem=_UNDECIDED)
    return _allow(request, asked, browser, signed_in)


def _read(request: Request) -> AuthorizationRequest | Response:
    """Return the request that the URL makes, or the answer to one that does not work."""
    try:
        return authorization.read_request(http.query(request), http.issuer(request))
    except OAuthError as error:
        return error_page(request, 400, error.description)
    except ErrorRedirect as refused:
        return _send_back(request, refused.response)


def _allow(request: Request, asked: AuthorizationRequest, browser: Browser, signed_in: SignedIn) -> Response:
    try:
        response = authorization.allow(asked, signed_in.account, signed_in.consent, http.issuer(request))
    except AccountChanged:
        return _sign_in(request, asked, browser)
    return _send_back(request, response)


def _refuse(request: Request, asked: AuthorizationRequest, error: OAuthError) -> Response:
    return _send_back(request, authorization.refuse(asked, error, http.issuer(request)))


def _send_back(request: Request, response: AuthorizationResponse) -> Response:
    """Send the browser back to the application."""
    if response.response_mode == "query":
        return redirect(response.location)
    return page(
        request,
        "form_post.html",
        leaves=True,
        scripted=True,
        action=response.redirect_uri,
        members=response.members,
    )


def _consent_page(
    request: Request,
    asked: AuthorizationRequest,
    browser: Browser,
    signed_in: SignedIn,
    status: int = 200,
    problem: str | None = None,
) -> Response:
    return page(
        request,
        "consent.html",
        status=status,
        leaves=True,
        action=_own_url(request),
        csrf_token=browser.csrf_token,
        client=asked.client,
        email=signed_in.account.email,
        permissions=[settings.scopes[scope] for scope in asked.scope.split(" ")],
        days=-(-authorization.longest_access(asked.client) // DAY),
        returns_to=urlsplit(asked.redirect_uri).netloc or asked.redirect_uri,
        problem=problem,
    )


def _sign_in(request: Request, asked: AuthorizationRequest, browser: Browser) -> Response:
    if "none" in asked.prompt:
        return _refuse(request, asked, LoginRequired())
    return sign_in_page(request, browser, continue_to=_own_url(request, done="login"))


def _own_url(request: Request, done: str = "") -> str:
    """Return the URL of this very request, less the `prompt` that is about to be done."""
    pairs = [
        (name, " ".join(prompt for prompt in value.split() if prompt != done) if name == "prompt" else value)
        for name, value in http.query_pairs(request)
    ]
    return f"{http.prefix(request)}/oauth2/authorize?{urlencode(pairs)}"
