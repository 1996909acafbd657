"""Signing in with an OpenID provider: the button, and the way back."""

from chalice import Blueprint, Response
from chalice.app import Request

from chalicelib.accounts import identities, sessions
from chalicelib.accounts.identities import NotAllowed
from chalicelib.catalogue import UPSTREAM_FAILED, UPSTREAM_REFUSED
from chalicelib.endpoints import http
from chalicelib.journal import tell
from chalicelib.pages import texts
from chalicelib.pages.browser import Browser
from chalicelib.pages.guard import guarded
from chalicelib.pages.rendering import error_page, redirect
from chalicelib.pages.sign_in import HOME, own_path, sign_in_page
from chalicelib.settings import settings

blueprint = Blueprint(__name__)

CALLBACK = "/sign-in/upstream/callback"


@blueprint.route("/sign-in/upstream", methods=["POST"], content_types=[http.FORM], name="sign_in_upstream")
@guarded(blueprint)
def leave() -> Response:
    """Send the browser to the provider."""
    request = blueprint.current_request
    if not settings.upstream_issuer:
        return error_page(request, 404, texts.html("error.not_found"))
    from chalicelib.accounts import provider, upstream

    form = http.form(request)
    continue_to = own_path(form.require("continue"))
    prompt = "login" if form.get("prompt") == "login" else None
    browser = Browser.of(request)
    if not browser.sent(form.get("csrf_token")):
        problem = texts.html("sign_in.expired")
        return sign_in_page(request, browser, continue_to, status=403, problem=problem, prompt=prompt)
    try:
        return redirect(upstream.start(browser.cookie, _redirect_uri(request), continue_to, prompt))
    except provider.ProviderError as error:
        return _broken(request, error)


@blueprint.route(CALLBACK, methods=["GET"], content_types=[], name="sign_in_upstream_callback")
@guarded(blueprint)
def come_back() -> Response:
    """Take the provider's answer, sign the person in, and go on to where they were heading."""
    request = blueprint.current_request
    if not settings.upstream_issuer:
        return error_page(request, 404, texts.html("error.not_found"))
    from chalicelib.accounts import provider, upstream

    response = http.query(request)
    browser = Browser.of(request)
    pending = upstream.resume(browser.cookie, response.get("state"))
    if pending is None:
        home = http.prefix(request) + HOME
        return sign_in_page(request, browser, home, status=400, problem=_text("over"))
    try:
        person = upstream.finish(browser.cookie, _redirect_uri(request), response)
        account = identities.account_of(settings.upstream_issuer, person.subject, person.verified_email)
    except upstream.Refused as refused:
        tell(UPSTREAM_REFUSED, reason=refused.because)
        because = refused.because
    except NotAllowed as error:
        tell(UPSTREAM_REFUSED, reason=error)
        because = "not_allowed"
    except provider.ProviderError as error:
        return _broken(request, error)
    else:
        session = sessions.start(account, "upstream")
        return redirect(pending.continue_to, cookies=(browser.sign_in(session),))
    return sign_in_page(
        request, browser, pending.continue_to, status=422, problem=_text(because), prompt=pending.prompt
    )


def _redirect_uri(request: Request) -> str:
    return http.issuer(request) + CALLBACK


def _broken(request: Request, error: Exception) -> Response:
    tell(UPSTREAM_FAILED, reason=error)
    return error_page(request, 502, _text("broken"))


def _text(name: str) -> str:
    return texts.html(f"upstream.{name}", name=settings.upstream_name, platform=settings.platform_name)
