"""Signing up, if the settings let people."""

from chalice import Blueprint, Response
from chalice.app import Request

from chalicelib.accounts import sign_up
from chalicelib.accounts.mailed_codes import Purpose
from chalicelib.accounts.sign_up import AddressTaken
from chalicelib.endpoints import http
from chalicelib.pages import by_mail, texts
from chalicelib.pages.browser import Browser
from chalicelib.pages.by_mail import Way, offered
from chalicelib.pages.rendering import redirect
from chalicelib.pages.sign_in import sign_in_page
from chalicelib.settings import settings

blueprint = Blueprint(__name__)


def _is_offered() -> bool:
    return settings.takes_sign_ups


@blueprint.route("/sign-up", methods=["GET"], content_types=[], name="sign_up_form")
@offered(blueprint, _is_offered)
def show(request: Request) -> Response:
    """Ask for the e-mail address."""
    return by_mail.show_email_form(request, WAY)


@blueprint.route("/sign-up", methods=["POST"], content_types=[http.FORM], name="sign_up")
@offered(blueprint, _is_offered)
def ask(request: Request) -> Response:
    """Mail a code."""
    return by_mail.ask(request, WAY)


@blueprint.route("/sign-up/confirm", methods=["GET"], content_types=[], name="sign_up_confirm_form")
@offered(blueprint, _is_offered)
def show_confirm(request: Request) -> Response:
    """Ask for the code and a password."""
    return by_mail.show_code_form(request, WAY)


@blueprint.route("/sign-up/confirm", methods=["POST"], content_types=[http.FORM], name="sign_up_confirm")
@offered(blueprint, _is_offered)
def confirm(request: Request) -> Response:
    """Add the account, sign its owner in, and go on to where they were heading."""
    return by_mail.confirm(request, WAY)


def _finish(request: Request, browser: Browser, code: str, password: str, continue_to: str) -> Response:
    try:
        credential = sign_up.finish(browser.cookie, code, password)
    except AddressTaken:
        return sign_in_page(request, browser, continue_to, status=409, problem=texts.html("sign_up.taken"))
    return redirect(continue_to, cookies=(browser.sign_in(credential), browser.set_notice("signed_up")))


WAY = Way("sign_up", "/sign-up", Purpose.SIGN_UP, sign_up.ask, _finish)
