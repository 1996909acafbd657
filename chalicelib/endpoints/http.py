"""What all endpoints and pages read from a request: parameters, cookies, and the server's own URL."""

import re

from chalice.app import Request

from chalicelib.oauth.errors import InvalidRequest
from chalicelib.oauth.parameters import Parameters, from_form
from chalicelib.settings import settings

FORM = "application/x-www-form-urlencoded"
_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:]+\](:[0-9]{1,5})?")


def query(request: Request) -> Parameters:
    """Return the parameters in the URL."""
    return Parameters(query_pairs(request))


def query_pairs(request: Request) -> list[tuple[str, str]]:
    """Return the decoded names and values in the URL, as often as they are there."""
    params = request.query_params
    if params is None:
        return []
    return [(name, value) for name in params for value in params.getlist(name)]


def form(request: Request) -> Parameters:
    """Return the parameters in the body (RFC 6749 appendix B).

    Raises:
        InvalidRequest: another content type, bad base64, or not UTF-8.
        PayloadTooLarge: more than any valid request has.
    """
    content_type = header(request, "content-type") or ""
    if content_type.partition(";")[0].strip().lower() != FORM:
        raise InvalidRequest(f"The Content-Type must be {FORM}.")
    return from_form(body(request))


def body(request: Request) -> bytes:
    """Return the body.

    Raises:
        InvalidRequest: the gateway calls it base64, and it is not.
    """
    try:
        raw = request.raw_body
    except ValueError:
        raise InvalidRequest("The body is not valid base64.") from None
    return raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw


def header(request: Request, name: str) -> str | None:
    """Return a header, or None."""
    value = request.headers.get(name)
    return value if isinstance(value, str) else None


def cookie(request: Request, name: str) -> str | None:
    """Return a cookie, or None. Other cookies may look as they like (RFC 6265 section 5.4)."""
    for pair in (header(request, "cookie") or "").split(";"):
        found, _, value = pair.strip().partition("=")
        if found == name:
            return value
    return None


def source_ip(request: Request) -> str:
    """Return the IP address that a request comes from, as API Gateway saw it."""
    return str(request.context.get("identity", {}).get("sourceIp", ""))


def prefix(request: Request) -> str:
    """Return the path that comes before our routes: the stage, or a custom domain's base path.

    It is empty, or starts with a slash and does not end with one.
    """
    path = [part for part in str(request.context.get("path", "")).split("/") if part]
    route = [part for part in request.path.split("/") if part]
    before = path[: len(path) - len(route)] if len(path) >= len(route) else []
    return "".join(f"/{part}" for part in before)


def issuer(request: Request) -> str:
    """Return the issuer identifier: as configured, else the URL under which this request came."""
    if settings.issuer:
        return settings.issuer
    domain = request.context.get("domainName")
    if domain:
        return f"https://{domain}{prefix(request)}"
    host = header(request, "host") or ""
    return f"http://{host if _HOST.fullmatch(host) else 'localhost'}{prefix(request)}"
