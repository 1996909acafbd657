"""The endpoints that applications talk to, and the one place where their errors are rendered."""

import functools
import logging
from collections.abc import Callable, Mapping
from typing import Any

from chalice import Blueprint, Response

from chalicelib.endpoints import http
from chalicelib.models.table import StorageError
from chalicelib.oauth import grants
from chalicelib.oauth.errors import (
    InvalidClient,
    MethodNotAllowed,
    OAuthError,
    ServerError,
    TemporarilyUnavailable,
)
from chalicelib.settings import settings

log = logging.getLogger(__name__)
blueprint = Blueprint(__name__)

ALL_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
"""Routed to us, so that the wrong ones get an OAuth error and not the gateway's own."""

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}

View = Callable[[], Response]


def oauth_endpoint(view: View) -> View:
    """Make a view an endpoint of RFC 6749 section 3.2: POST only, and every error in its form."""

    @functools.wraps(view)
    def endpoint() -> Response:
        try:
            if blueprint.current_request.method != "POST":
                raise MethodNotAllowed
            return view()
        except OAuthError as error:
            return error_response(error)
        except StorageError:
            log.exception("storage failed")
            return error_response(TemporarilyUnavailable())
        except Exception:
            log.exception("unexpected error")
            return error_response(ServerError())

    return endpoint


def error_response(error: OAuthError) -> Response:
    """Render an error (RFC 6749 section 5.2)."""
    headers = {}
    if isinstance(error, InvalidClient):
        headers["WWW-Authenticate"] = f'Basic realm="{_quotable(settings.platform_name)}"'
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = "POST"
    if isinstance(error, TemporarilyUnavailable):
        headers["Retry-After"] = str(error.RETRY_AFTER)
    return json_response(error.members(), error.status, headers)


def json_response(
    members: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Render members as JSON that nobody may keep."""
    return Response(
        dict(members),
        status_code=status,
        headers={"Content-Type": "application/json", **NO_STORE, **(headers or {})},
    )


def _quotable(text: str) -> str:
    return "".join(char for char in text if char.isascii() and char.isprintable() and char not in '"\\')


@blueprint.route("/oauth2/access_token", methods=ALL_METHODS, content_types=[], name="access_token")
@oauth_endpoint
def access_token() -> Response:
    """The token endpoint, under the name that the reference page gives it."""
    return _token()


@blueprint.route("/oauth2/token", methods=ALL_METHODS, content_types=[], name="token")
@oauth_endpoint
def token() -> Response:
    """The token endpoint, under the name that libraries expect."""
    return _token()


def _token() -> Response:
    request = blueprint.current_request
    response = grants.token_request(http.header(request, "authorization"), http.form(request))
    return json_response(response.members())
