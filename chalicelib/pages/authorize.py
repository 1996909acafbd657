"""The authorization page: who asks, for what, and the user's yes or no (RFC 6749 section 3.1)."""

from urllib.parse import urlencode, urlsplit

from chalice import Blueprint, Response
from chalice.app import Request

from chalicelib.accounts.sessions import SignedIn
from chalicelib.endpoints import http
from chalicelib.oauth import authorization, redirect_uris
from chalicelib.oauth.authorization import AccountChanged, AuthorizationRequest, ErrorRedirect
from chalicelib.oauth.errors import OAuthError
from chalicelib.pages.browser import Browser
from chalicelib.pages.guard import guarded
from chalicelib.pages.rendering import error_page, page, redirect
from chalicelib.pages.sign_in import sign_in_page
from chalicelib.settings import settings

blueprint = Blueprint(__name__)

_EXPIRED = "This page was open for too long, or came from elsewhere. Please decide again."
_UNDECIDED = "Please choose one of the two buttons."


@blueprint.route("/oauth2/authorize", methods=["GET"])
@guarded(blueprint)
def ask() -> Response:
    """Show the consent page, or the sign-in form before it."""
    request = blueprint.current_request
    asked = _read(request)
    if isinstance(asked, Response):
        return asked
    browser = Browser.of(request)
    signed_in = browser.signed_in()
    if signed_in is None:
        return _sign_in(request, asked, browser)
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
    signed_in = browser.signed_in()
    if signed_in is None:
        return _sign_in(request, asked, browser)
    if not browser.sent(form.get("csrf_token")):
        return _consent_page(request, asked, browser, signed_in, status=403, problem=_EXPIRED)
    decision = form.get("decision")
    if decision == "deny":
        return redirect(authorization.deny(asked, http.issuer(request)))
    if decision != "allow":
        return _consent_page(request, asked, browser, signed_in, status=400, problem=_UNDECIDED)
    try:
        return redirect(authorization.allow(asked, signed_in.account, http.issuer(request)))
    except AccountChanged:
        return _sign_in(request, asked, browser)


def _read(request: Request) -> AuthorizationRequest | Response:
    """Return the request that the URL makes, or the answer to one that does not work."""
    try:
        return authorization.read_request(http.query(request))
    except OAuthError as error:
        return error_page(request, 400, error.description)
    except ErrorRedirect as refused:
        return redirect(authorization.error_response(refused, http.issuer(request)))


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
        leads_to=redirect_uris.origin(asked.redirect_uri),
        action=_own_url(request),
        csrf_token=browser.csrf_token,
        client=asked.client,
        email=signed_in.account.email,
        permissions=[settings.scopes[scope] for scope in asked.scope.split(" ")],
        returns_to=urlsplit(asked.redirect_uri).netloc or asked.redirect_uri,
        problem=problem,
    )


def _sign_in(request: Request, asked: AuthorizationRequest, browser: Browser) -> Response:
    return sign_in_page(
        request,
        browser,
        continue_to=_own_url(request),
        leads_to=redirect_uris.origin(asked.redirect_uri),
        client_name=asked.client.client_name,
    )


def _own_url(request: Request) -> str:
    return f"{http.prefix(request)}/oauth2/authorize?{urlencode(http.query_pairs(request))}"
