"""Pages for who is signed in: strangers are sent to sign in, and forms must come from our own pages."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from chalice import Blueprint, Response
from chalice.app import Request

from chalicelib.accounts.sessions import SignedIn
from chalicelib.endpoints import http
from chalicelib.models.user import Account
from chalicelib.oauth.parameters import Parameters
from chalicelib.pages import rendering, texts
from chalicelib.pages.browser import Browser
from chalicelib.pages.guard import guarded


@dataclass(frozen=True)
class Visit:
    """A request of somebody who is signed in."""

    request: Request
    browser: Browser
    signed_in: SignedIn
    form: Parameters
    """What was sent with POST, by a form of ours."""

    @property
    def account(self) -> Account:
        """Whose visit it is."""
        return self.signed_in.account

    def page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """Render a page with the navigation of who is signed in."""
        return rendering.page(
            self.request,
            template,
            status=status,
            account=self.account,
            csrf_token=self.browser.csrf_token,
            **values,
        )

    def go(self, path: str, *, notice: str | None = None, cookies: tuple[str, ...] = ()) -> Response:
        """Send the browser to another page of ours.

        Args:
            path: of the page, as it is routed.
            notice: a text in the section `notice`, to be shown there once.
            cookies: values of `Set-Cookie`.
        """
        if notice is not None:
            cookies = (*cookies, self.browser.set_notice(notice))
        return rendering.redirect(http.prefix(self.request) + path, cookies=cookies)

    def refuse(self, status: int, message: str) -> Response:
        """Render an error, and change nothing."""
        return rendering.error_page(self.request, status, message)


def for_the_signed_in(
    blueprint: Blueprint, back: str = ""
) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """Make a view one for people who are signed in: it gets their `Visit` first.

    Args:
        blueprint: of the view.
        back: for a view that takes a form: the path of the page that it is on, where strangers go
            on to once they are signed in. What is in braces is filled in from the URL.
    """

    def decorate(view: Callable[..., Response]) -> Callable[..., Response]:
        @guarded(blueprint)
        @functools.wraps(view)
        def view_of_the_signed_in(**captured: str) -> Response:
            request = blueprint.current_request
            browser = Browser.of(request)
            signed_in = browser.signed_in()
            if signed_in is None:
                path = _filled_in(back or request.path, captured)
                return _sign_in_first(request, path if back else path + _query(request))
            form = Parameters(())
            if request.method == "POST":
                form = http.form(request)
                if not browser.sent(form.get("csrf_token")):
                    return rendering.error_page(request, 403, texts.html("base.expired"))
            return view(Visit(request, browser, signed_in, form), **captured)

        return view_of_the_signed_in

    return decorate


def _filled_in(path: str, captured: dict[str, str]) -> str:
    """Fill in what a route has in braces. Chalice calls the route itself a request's path."""
    return path.format(**{name: quote(value, safe="") for name, value in captured.items()})


def _query(request: Request) -> str:
    query = urlencode(http.query_pairs(request))
    return f"?{query}" if query else ""


def _sign_in_first(request: Request, path: str) -> Response:
    continue_to = urlencode({"continue": http.prefix(request) + path})
    return rendering.redirect(f"{http.prefix(request)}/sign-in?{continue_to}")
