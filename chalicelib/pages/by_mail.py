"""What people do who cannot sign in: give an e-mail address, then type the code that was mailed there.

Signing up and setting a new password are the same two pages, with other words.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from chalice import Blueprint, Response
from chalice.app import Request

from chalicelib.accounts import mailed_codes, passwords
from chalicelib.accounts.accounts import InvalidAccount
from chalicelib.accounts.mailed_codes import Compose, Letter, MalformedCode, NoCode, Purpose, WrongCode
from chalicelib.accounts.passwords import UnacceptablePassword
from chalicelib.accounts.throttle import Throttled
from chalicelib.endpoints import http
from chalicelib.oauth.parameters import Parameters
from chalicelib.pages import texts
from chalicelib.pages.browser import Browser
from chalicelib.pages.guard import guarded
from chalicelib.pages.rendering import error_page, page, redirect, retry_after
from chalicelib.pages.sign_in import HOME, own_path, waiting_request
from chalicelib.settings import settings

View = Callable[[Request], Response]


@dataclass(frozen=True)
class Way:
    """One way in by mail."""

    section: str
    """Where its words are in `en.toml`."""
    path: str
    purpose: Purpose
    ask: Callable[[str, str, str, Compose], None]
    """Has a code mailed: to an address, for a browser's cookie and the IP address that it comes from."""
    finish: Callable[[Request, Browser, str, str, str], Response]
    """Takes the code and the password, and goes on to a path of ours."""


def offered(blueprint: Blueprint, is_offered: Callable[[], bool]) -> Callable[[View], Callable[[], Response]]:
    """Make a view one that is there only if the settings say so."""

    def decorate(view: View) -> Callable[[], Response]:
        @guarded(blueprint)
        @functools.wraps(view)
        def view_if_offered() -> Response:
            request = blueprint.current_request
            if not is_offered():
                return error_page(request, 404, texts.html("error.not_found"))
            return view(request)

        return view_if_offered

    return decorate


def show_email_form(request: Request, way: Way) -> Response:
    """Ask for the e-mail address."""
    return _email_page(request, way, _heading_for(request, http.query(request)))


def ask(request: Request, way: Way) -> Response:
    """Have a code mailed. The answer says nothing about which accounts there are."""
    form = http.form(request)
    continue_to, email = _heading_for(request, form), form.get("email") or ""
    browser = Browser.of(request)
    if not browser.sent(form.get("csrf_token")):
        problem = texts.html("base.expired")
        return _email_page(request, way, continue_to, email=email, status=403, problem=problem)
    try:
        way.ask(email, browser.cookie, http.source_ip(request), _compose)
    except InvalidAccount:
        wrong = texts.html("by_mail.unreachable")
        return _email_page(request, way, continue_to, email=email, status=422, email_problem=wrong)
    except Throttled as throttled:
        problem = texts.html("by_mail.too_many", wait=texts.wait(throttled.seconds))
        response = _email_page(request, way, continue_to, email=email, status=429, problem=problem)
        return retry_after(throttled.seconds, response)
    return redirect(f"{http.prefix(request)}{way.path}/confirm?{urlencode({'continue': continue_to})}")


def show_code_form(request: Request, way: Way) -> Response:
    """Ask for the code and a password, in a browser that has asked for a code."""
    continue_to = _heading_for(request, http.query(request))
    browser = Browser.of(request)
    code = None if browser.is_new else mailed_codes.find(way.purpose, browser.cookie)
    if code is None:
        return redirect(f"{http.prefix(request)}{way.path}?{urlencode({'continue': continue_to})}")
    return _code_page(request, way, continue_to, code.email)


def confirm(request: Request, way: Way) -> Response:
    """Take the code and the password."""
    form = http.form(request)
    continue_to, email = _heading_for(request, form), form.get("email") or ""
    code, password = form.get("code") or "", form.get("new_password") or ""
    browser = Browser.of(request)
    if not browser.sent(form.get("csrf_token")):
        return error_page(request, 403, texts.html("base.expired"))
    try:
        return way.finish(request, browser, code, password, continue_to)
    except UnacceptablePassword:
        problems = {"password_problem": password_refused()}
    except MalformedCode:
        problems = {"code_problem": texts.html("by_mail.malformed")}
    except WrongCode as wrong:
        problems = {"code_problem": texts.html("by_mail.wrong", left=wrong.left)}
    except NoCode:
        problem = texts.html("by_mail.no_code")
        return _email_page(request, way, continue_to, email=email, status=422, problem=problem)
    return _code_page(request, way, continue_to, email, code=code, status=422, **problems)


def password_hint() -> str:
    """Return what a new password has to be."""
    return texts.html("by_mail.password_hint", min=passwords.MIN_LENGTH, max=passwords.MAX_LENGTH)


def password_refused() -> str:
    """Return what is wrong with a new password."""
    return texts.html("by_mail.password_refused", min=passwords.MIN_LENGTH, max=passwords.MAX_LENGTH)


def _heading_for(request: Request, parameters: Parameters) -> str:
    """Return where the person was heading, which is a path of ours."""
    return own_path(parameters.get("continue") or http.prefix(request) + HOME)


def _email_page(
    request: Request,
    way: Way,
    continue_to: str,
    *,
    status: int = 200,
    email: str = "",
    problem: str = "",
    email_problem: str = "",
) -> Response:
    browser = Browser.of(request)
    return page(
        request,
        "email_form.html",
        status=status,
        cookies=browser.set_cookies(),
        way=way,
        csrf_token=browser.csrf_token,
        continue_to=continue_to,
        email=email,
        problem=problem,
        email_problem=email_problem,
    )


def _code_page(
    request: Request,
    way: Way,
    continue_to: str,
    email: str,
    *,
    status: int = 200,
    code: str = "",
    code_problem: str = "",
    password_problem: str = "",
) -> Response:
    return page(
        request,
        "code_form.html",
        status=status,
        leaves=waiting_request(continue_to, http.issuer(request)) is not None,
        way=way,
        csrf_token=Browser.of(request).csrf_token,
        continue_to=continue_to,
        email=email,
        code=code,
        code_problem=code_problem,
        password_hint=password_hint(),
        password_problem=password_problem,
        minutes=mailed_codes.LIFETIME // 60,
    )


def _compose(letter: Letter, code: str) -> tuple[str, str]:
    """Write a mail."""
    values = {
        "platform": settings.platform_name,
        "code": code,
        "minutes": mailed_codes.LIFETIME // 60,
    }
    subject, text = (texts.plain(f"mail.{letter}_{part}", **values) for part in ("subject", "text"))
    return subject, text
