"""The endpoints that applications talk to, and the one place where their errors are rendered."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from chalice import Blueprint, Response
from chalice.app import Request

from chalicelib.catalogue import REQUEST_REFUSED, STORAGE_FAILED, UNEXPECTED
from chalicelib.endpoints import http
from chalicelib.endpoints.cors import ANY_ORIGIN
from chalicelib.journal import tell, tell_failure
from chalicelib.models.table import StorageError
from chalicelib.oauth import device_authorization, grants, introspection, metadata, revocation
from chalicelib.oauth.client_authentication import Presented
from chalicelib.oauth.errors import (
    InvalidClient,
    MethodNotAllowed,
    OAuthError,
    ServerError,
    TemporarilyUnavailable,
)
from chalicelib.settings import settings

blueprint = Blueprint(__name__)

ALL_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
"""Routed to us, so that the wrong ones get an OAuth error and not the gateway's own."""

AUTHENTICATING = (
    "/oauth2/access_token",
    "/oauth2/token",
    "/oauth2/device_authorization",
    "/oauth2/revoke",
    "/oauth2/introspect",
)
"""The endpoints at which clients authenticate."""

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
            tell(REQUEST_REFUSED, error=error.error, description=error.description)
            return error_response(error)
        except StorageError as error:
            tell_failure(STORAGE_FAILED, error)
            return error_response(TemporarilyUnavailable())
        except Exception as error:
            tell_failure(UNEXPECTED, error)
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


@blueprint.route(
    "/oauth2/access_token", methods=ALL_METHODS, content_types=[], cors=ANY_ORIGIN, name="access_token"
)
@oauth_endpoint
def access_token() -> Response:
    """The token endpoint, under the name that the reference page gives it."""
    return _token()


@blueprint.route("/oauth2/token", methods=ALL_METHODS, content_types=[], cors=ANY_ORIGIN, name="token")
@oauth_endpoint
def token() -> Response:
    """The token endpoint, under the name that libraries expect."""
    return _token()


def _token() -> Response:
    request = blueprint.current_request
    return json_response(grants.token_request(_presented(request), http.form(request)).members())


@blueprint.route(
    "/oauth2/device_authorization", methods=ALL_METHODS, content_types=[], name="device_authorization"
)
@oauth_endpoint
def authorize_device() -> Response:
    """The device authorization endpoint (RFC 8628)."""
    request = blueprint.current_request
    return json_response(device_authorization.request(_presented(request), http.form(request)).members())


@blueprint.route("/oauth2/revoke", methods=ALL_METHODS, content_types=[], cors=ANY_ORIGIN, name="revoke")
@oauth_endpoint
def revoke() -> Response:
    """The revocation endpoint (RFC 7009)."""
    request = blueprint.current_request
    revocation.revoke_token(_presented(request), http.form(request))
    return json_response({})


@blueprint.route("/oauth2/introspect", methods=ALL_METHODS, content_types=[], name="introspect")
@oauth_endpoint
def introspect() -> Response:
    """The introspection endpoint (RFC 7662)."""
    request = blueprint.current_request
    return json_response(introspection.introspect(_presented(request), http.form(request)))


@blueprint.route(
    "/.well-known/oauth-authorization-server",
    methods=["GET"],
    content_types=[],
    cors=ANY_ORIGIN,
    name="server_metadata",
)
def authorization_server_metadata() -> Response:
    """What the server tells about itself (RFC 8414)."""
    return _metadata(metadata.authorization_server)


@blueprint.route(
    "/.well-known/oauth-protected-resource",
    methods=["GET"],
    content_types=[],
    cors=ANY_ORIGIN,
    name="resource_metadata",
)
def protected_resource_metadata() -> Response:
    """What the API beside us tells about itself (RFC 9728)."""
    return _metadata(metadata.protected_resource)


def _metadata(describe: Callable[[str], dict[str, Any]]) -> Response:
    headers: dict[str, str | list[str]] = {
        "Content-Type": "application/json",
        "Cache-Control": "public, max-age=300",
    }
    return Response(describe(http.issuer(blueprint.current_request)), headers=headers)


def _presented(request: Request) -> Presented:
    issuer = http.issuer(request)
    audiences = [issuer, *(issuer + path for path in AUTHENTICATING)]
    return Presented(http.header(request, "authorization"), issuer, audiences)
