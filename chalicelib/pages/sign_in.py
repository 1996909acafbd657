"""The sign-in form."""

import re
from urllib.parse import parse_qsl, urlsplit

from chalice import Blueprint, Response
from chalice.app import Request

from chalicelib.accounts import sessions
from chalicelib.accounts.throttle import Throttled
from chalicelib.endpoints import http
from chalicelib.oauth import authorization
from chalicelib.oauth.authorization import AuthorizationRequest, ErrorRedirect
from chalicelib.oauth.errors import InvalidRequest, OAuthError
from chalicelib.oauth.parameters import Parameters
from chalicelib.pages import texts
from chalicelib.pages.browser import Browser
from chalicelib.pages.guard import guarded
from chalicelib.pages.rendering import error_page, page, redirect, retry_after
from chalicelib.pages.visit import Visit, for_the_signed_in
from chalicelib.settings import settings

blueprint = Blueprint(__name__)

_OWN_PATH = re.compile(r"/(?![/\\])[\x21-\x5B\x5D-\x7E]*")
HOME = "/connections"
"""Where those go on to who came for nothing else."""


@blueprint.route("/sign-in", methods=["GET"], content_types=[], name="sign_in_form")
@guarded(blueprint)
def sign_in_form() -> Response:
    """Show the form to who comes by themselves, or was sent by a page for people who are signed in."""
    request = blueprint.current_request
    continue_to = http.query(request).get("continue") or http.prefix(request) + HOME
    return sign_in_page(request, Browser.of(request), own_path(continue_to))


@blueprint.route("/sign-in", methods=["POST"], content_types=[http.FORM])
@guarded(blueprint)
def sign_in() -> Response:
    """Check e-mail address and password, and go on to where the person was heading."""
    request = blueprint.current_request
    if not settings.local_accounts:
        message = texts.html("upstream.only", name=settings.upstream_name)
        return error_page(request, 403, message)
    form = http.form(request)
    continue_to = own_path(form.require("continue"))
    email, password = form.get("email") or "", form.get("password") or ""
    browser = Browser.of(request)
    if not browser.sent(form.get("csrf_token")):
        problem = texts.html("sign_in.expired")
        return sign_in_page(request, browser, continue_to, email=email, status=403, problem=problem)
    try:
        session = sessions.sign_in(email, password, http.source_ip(request))
    except Throttled as throttled:
        return _too_many(request, browser, continue_to, email, throttled.seconds)
    if session is None:
        problem = texts.html("sign_in.wrong")
        return sign_in_page(request, browser, continue_to, email=email, status=422, problem=problem)
    return redirect(continue_to, cookies=(browser.sign_in(session),))


@blueprint.route("/sign-out", methods=["POST"], content_types=[http.FORM])
@for_the_signed_in(blueprint, back="/")
def sign_out(visit: Visit) -> Response:
    """End this browser's session."""
    sessions.end(visit.browser.cookie)
    return visit.go("/", notice="signed_out", cookies=(visit.browser.sign_out(),))


def own_path(continue_to: str) -> str:
    """Check that an address to continue at is a path of ours, and return it.

    Raises:
        InvalidRequest: it is not.
    """
    if not _OWN_PATH.fullmatch(continue_to):
        raise InvalidRequest("The address to continue at is not ours.")
    return continue_to


def _too_many(request: Request, browser: Browser, continue_to: str, email: str, seconds: int) -> Response:
    problem = too_many(seconds)
    response = sign_in_page(request, browser, continue_to, email=email, status=429, problem=problem)
    return retry_after(seconds, response)


def too_many(seconds: int) -> str:
    """Return what tells somebody to wait, in words."""
    return texts.html("sign_in.too_many", wait=texts.wait(seconds))


def sign_in_page(
    request: Request,
    browser: Browser,
    continue_to: str,
    *,
    email: str = "",
    status: int = 200,
    problem: str | None = None,
    prompt: str | None = None,
) -> Response:
    """Show the form.

    Args:
        request: the current one.
        browser: whose form it is.
        continue_to: a path of ours, to go on to once signed in.
        email: what was typed before.
        status: the HTTP status.
        problem: what was wrong before.
        prompt: `login`, if the OpenID provider has to ask for the password as well as we do.
    """
    waiting = waiting_request(continue_to, http.issuer(request))
    return page(
        request,
        "sign_in.html",
        status=status,
        cookies=browser.set_cookies(),
        leaves=waiting is not None or bool(settings.upstream_issuer),  # A form leads to the provider.
        csrf_token=browser.csrf_token,
        continue_to=continue_to,
        client_name=waiting.client.client_name if waiting else None,
        email=email,
        problem=problem,
        prompt=prompt,
    )


def waiting_request(continue_to: str, issuer: str) -> AuthorizationRequest | None:
    """Return the authorization request that goes on after signing in, if that is what comes.

    It may redirect to its application at once, when the consent is remembered.
    """
    parts = urlsplit(continue_to)
    if not parts.path.rstrip("/").endswith("/oauth2/authorize"):
        return None
    try:
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        return authorization.read_request(Parameters(pairs), issuer)
    except (OAuthError, ErrorRedirect, ValueError):
        return None
