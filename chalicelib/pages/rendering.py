"""Templates to responses, with the headers that every page has."""

import functools
from pathlib import Path
from typing import Any

from chalice.app import Request, Response

from chalicelib.endpoints import http
from chalicelib.settings import settings

_FOLDER = Path(__file__).parent

STATUS_TITLES = {
    400: "This request does not work",
    500: "Something went wrong",
    503: "Please try again in a moment",
}


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
        values: what the template shows.
    """
    root = http.prefix(request)
    html = _templates().get_template(template).render(root=root, settings=settings, **values)
    headers: dict[str, Any] = {
        "Content-Type": "text/html; charset=utf-8",
        **_headers(request, leaves, scripted),
    }
    if cookies:
        headers["Set-Cookie"] = list(cookies)
    return Response(html, status_code=status, headers=headers)


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


def error_page(request: Request, status: int, message: str) -> Response:
    """Tell the person, not the application, what is wrong."""
    return page(request, "error.html", status=status, title=STATUS_TITLES[status], message=message)


def _headers(request: Request, leaves: bool, scripted: bool) -> dict[str, str]:
    policy = [
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'" if scripted else "script-src 'none'",
        "img-src 'self' data:",
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


@functools.cache
def _templates() -> Any:
    """Load Jinja2 at the first page: applications that only want tokens need not wait for it."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(_FOLDER / "templates"), autoescape=True, undefined=StrictUndefined
    )


@functools.cache
def asset(name: str) -> str:
    """Return a file in `static/`."""
    return (_FOLDER / "static" / name).read_text(encoding="utf-8")
