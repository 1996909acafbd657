"""Templates to responses, with the headers that every page has."""

import functools
import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chalice.app import Request, Response

from chalicelib.endpoints import http
from chalicelib.pages import texts, theme
from chalicelib.pages.browser import read_notice
from chalicelib.settings import settings

_FOLDER = Path(__file__).parent


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    cookies: tuple[str, ...] = (),
    leaves: bool = False,
    scripted: bool = False,
    **values: Any,
) -> Response:
    """Render a page.

    Args:
        request: for the links back to ourselves.
        template: a file in `templates/`.
        status: the HTTP status.
        cookies: values of `Set-Cookie`.
        leaves: whether sending the page's form leads to an application, and on to wherever that
            sends the browser. Browsers hold every redirect that follows a form against
            `form-action`, so no list of ours would be long enough.
        scripted: whether the page may run our one script.
        values: what the template shows. An `account` among them brings its navigation.
    """
    notice, end_of_notice = read_notice(request)
    html = (
        _templates()
        .get_template(template)
        .render(
            root=http.prefix(request),
            path=request.path,
            style=asset_url("style.css"),
            notice=texts.html(f"notice.{notice}") if texts.exists(f"notice.{notice}") else None,
            **values,
        )
    )
    cookies = (*cookies, *end_of_notice)
    headers: dict[str, Any] = {
        "Content-Type": "text/html; charset=utf-8",
        **_headers(request, leaves, scripted),
    }
    if cookies:
        headers["Set-Cookie"] = list(cookies)
    return Response(html, status_code=status, headers=headers)


def plain_text(template: str, **values: Any) -> str:
    """Render a template that is no HTML: nothing is escaped."""
    return str(_templates().get_template(template).render(**values))


def redirect(location: str, cookies: tuple[str, ...] = ()) -> Response:
    """Send the browser elsewhere, always by GET: never 307 (RFC 9700 section 4.12)."""
    headers: dict[str, Any] = {
        "Location": location,
        "Cache-Control": "no-store",
        "Pragma": "no-cache",
        "Referrer-Policy": "no-referrer",
    }
    if cookies:
        headers["Set-Cookie"] = list(cookies)
    return Response("", status_code=303, headers=headers)


def retry_after(seconds: int, response: Response) -> Response:
    """Let a response say for how many seconds to wait (RFC 9110 section 10.2.3), and return it."""
    response.headers["Retry-After"] = str(seconds)
    return response


def error_page(request: Request, status: int, message: str) -> Response:
    """Tell the person, not the application, what is wrong."""
    return page(
        request, "error.html", status=status, title=texts.html(f"error.title_{status}"), message=message
    )


def host_of(uri: str) -> str:
    """Return the host of a web address, for people to look at."""
    return urlsplit(uri).netloc


def _headers(request: Request, leaves: bool, scripted: bool) -> dict[str, str]:
    policy = [
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'" if scripted else "script-src 'none'",
        f"img-src 'self' data: {_logo_origin()}".rstrip(),
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
    if not leaves:
        policy.append("form-action 'self'")
    headers = {
        "Cache-Control": "no-store",
        "Pragma": "no-cache",
        "Content-Security-Policy": "; ".join(policy),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
    if http.issuer(request).startswith("https:"):
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return headers


def _logo_origin() -> str:
    logo = urlsplit(settings.platform_logo)
    return f"https://{logo.netloc}" if logo.scheme == "https" else ""


@functools.cache
def _templates() -> Any:
    """Load Jinja2 at the first page: applications that only want tokens need not wait for it."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(t=texts.html, settings=settings)
    environment.filters.update(date=texts.date, moment=texts.moment, host=host_of)
    return environment


@functools.cache
def asset(name: str) -> str:
    """Return a file in `static/`; the stylesheet with the platform's colours."""
    text = (_FOLDER / "static" / name).read_text(encoding="utf-8")
    return text + theme.stylesheet() if name == "style.css" else text


@functools.cache
def asset_url(name: str) -> str:
    """Return the path of a file in `static/`, which changes whenever the file does."""
    return f"/static/{name}?v={hashlib.sha256(asset(name).encode()).hexdigest()[:8]}"
