"""The authorization page: who asks, for what, and the user's yes or no (RFC 6749 section 3.1)."""

from dataclasses import replace
from urllib.parse import urlencode

from chalice import Blueprint, Response
from chalice.app import Request

from chalicelib.accounts.sessions import SignedIn
from chalicelib.catalogue import REQUEST_REFUSED
from chalicelib.endpoints import http
from chalicelib.journal import tell
from chalicelib.oauth import authorization
from chalicelib.oauth.authorization import (
    AuthorizationRequest,
    AuthorizationResponse,
    ErrorRedirect,
)
from chalicelib.oauth.errors import ConsentRequired, LoginRequired, OAuthError
from chalicelib.oauth.granting import AccountChanged
from chalicelib.pages import consent
from chalicelib.pages.browser import Browser
from chalicelib.pages.guard import guarded
from chalicelib.pages.rendering import error_page, page, redirect
from chalicelib.pages.sign_in import sign_in_page

blueprint = Blueprint(__name__)


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
        return _allow(request, asked, browser, signed_in, was_asked=False)
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
        return _consent_page(request, asked, browser, signed_in, status=403, problem="expired")
    decision = form.get("decision")
    if decision == "deny":
        return _send_back(request, authorization.deny(asked, signed_in.account, http.issuer(request)))
    if decision != "allow":
        return _consent_page(request, asked, browser, signed_in, status=400, problem="undecided")
    allowed = consent.allowed(asked.scope, form)
    if not allowed:
        return _consent_page(request, asked, browser, signed_in, status=400, problem="nothing_ticked")
    declined = frozenset(asked.scope.split(" ")).difference(allowed)
    agreed = replace(asked, scope=" ".join(allowed), declined=declined)
    return _allow(request, agreed, browser, signed_in, was_asked=True)


def _read(request: Request) -> AuthorizationRequest | Response:
    """Return the request that the URL makes, or the answer to one that does not work."""
    try:
        return authorization.read_request(http.query(request), http.issuer(request))
    except OAuthError as error:
        tell(REQUEST_REFUSED, error=error.error, description=error.description)
        return error_page(request, 400, error.description)
    except ErrorRedirect as refused:
        code, description = (refused.response.members[name] for name in ("error", "error_description"))
        tell(REQUEST_REFUSED, error=code, description=description)
        return _send_back_with_care(request, refused)


def _allow(
    request: Request, asked: AuthorizationRequest, browser: Browser, signed_in: SignedIn, *, was_asked: bool
) -> Response:
    issuer = http.issuer(request)
    try:
        response = authorization.allow(
            asked, signed_in.account, signed_in.consent, issuer, was_asked=was_asked
        )
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


def _send_back_with_care(request: Request, refused: ErrorRedirect) -> Response:
    """Send the browser back with an error that no user has seen.

    Anybody may have registered an application that is not verified, to have us redirect wherever
    they like: there, the user decides (RFC 9700 section 4.11.2).
    """
    if refused.client.verified_at is not None:
        return _send_back(request, refused.response)
    return page(
        request,
        "refused.html",
        status=400,
        client=refused.client,
        description=refused.response.members["error_description"],
        location=refused.response.location,
        way_back=consent.way_back("error", refused.response.redirect_uri),
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
        way_back=consent.way_back("consent", asked.redirect_uri),
        **consent.question(asked.client, asked.scope, signed_in.account.email, problem),
    )


def _sign_in(request: Request, asked: AuthorizationRequest, browser: Browser) -> Response:
    if "none" in asked.prompt:
        return _refuse(request, asked, LoginRequired())
    prompt = "login" if "login" in asked.prompt else None
    return sign_in_page(request, browser, continue_to=_own_url(request, done="login"), prompt=prompt)


def _own_url(request: Request, done: str = "") -> str:
    """Return the URL of this very request, less the `prompt` that is about to be done."""
    pairs = [
        (name, " ".join(prompt for prompt in value.split() if prompt != done) if name == "prompt" else value)
        for name, value in http.query_pairs(request)
    ]
    return f"{http.prefix(request)}/oauth2/authorize?{urlencode(pairs)}"
