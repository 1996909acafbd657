"""The first page: what the platform offers to developers, with this server's own URLs."""

from typing import Any

from chalice import Blueprint, Response

from chalicelib.endpoints import http
from chalicelib.pages.browser import Browser
from chalicelib.pages.guard import guarded
from chalicelib.pages.rendering import page, plain_text

blueprint = Blueprint(__name__)


@blueprint.route("/", methods=["GET"], content_types=[], name="home")
@guarded(blueprint)
def home() -> Response:
    """Show the page to who comes to the server by itself."""
    return _developers()


@blueprint.route("/developers", methods=["GET"], content_types=[])
@guarded(blueprint)
def developers() -> Response:
    """Show the page under its own name."""
    return _developers()


def _developers() -> Response:
    request = blueprint.current_request
    browser = Browser.of(request)
    signed_in = browser.signed_in()
    issuer = http.issuer(request)
    values: dict[str, Any] = {
        "issuer": issuer,
        "answer": plain_text("snippets/answer.json.txt"),
        "signed": plain_text("snippets/signed.http.txt", issuer=issuer),
    }
    if signed_in is not None:
        values |= {"account": signed_in.account, "csrf_token": browser.csrf_token}
    return page(request, "developers.html", **values)
