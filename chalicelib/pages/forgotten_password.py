"""A new password for who forgot theirs, or never had one."""

from chalice import Blueprint, Response
from chalice.app import Request

from chalicelib.accounts import new_password
from chalicelib.accounts.mailed_codes import Purpose
from chalicelib.endpoints import http
from chalicelib.pages import by_mail
from chalicelib.pages.browser import Browser
from chalicelib.pages.by_mail import Way, offered
from chalicelib.pages.rendering import redirect
from chalicelib.pages.sign_in import HOME
from chalicelib.settings import settings

blueprint = Blueprint(__name__)


def _is_offered() -> bool:
    return settings.resets_passwords


@blueprint.route("/forgotten-password", methods=["GET"], content_types=[], name="forgotten_password_form")
@offered(blueprint, _is_offered)
def show(request: Request) -> Response:
    """Ask for the e-mail address."""
    return by_mail.show_email_form(request, WAY)


@blueprint.route(
    "/forgotten-password", methods=["POST"], content_types=[http.FORM], name="forgotten_password"
)
@offered(blueprint, _is_offered)
def ask(request: Request) -> Response:
    """Mail a code."""
    return by_mail.ask(request, WAY)


@blueprint.route(
    "/forgotten-password/confirm", methods=["GET"], content_types=[], name="forgotten_password_confirm_form"
)
@offered(blueprint, _is_offered)
def show_confirm(request: Request) -> Response:
    """Ask for the code and the new password."""
    return by_mail.show_code_form(request, WAY)


@blueprint.route(
    "/forgotten-password/confirm",
    methods=["POST"],
    content_types=[http.FORM],
    name="forgotten_password_confirm",
)
@offered(blueprint, _is_offered)
def confirm(request: Request) -> Response:
    """Set the password, sign its owner in, and go on to where they were heading."""
    return by_mail.confirm(request, WAY)


def _finish(request: Request, browser: Browser, code: str, password: str, continue_to: str) -> Response:
    changed = new_password.finish(browser.cookie, code, password)
    if not changed.complete:
        continue_to = http.prefix(request) + HOME
    notice = "password_set" if changed.complete else "password_set_only"
    return redirect(continue_to, cookies=(browser.sign_in(changed.credential), browser.set_notice(notice)))


WAY = Way("forgotten_password", "/forgotten-password", Purpose.NEW_PASSWORD, new_password.ask, _finish)
