"""The applications that an account registered, and how it registers another one."""

import re
from urllib.parse import quote

from chalice import Blueprint, Response

from chalicelib.accounts import developers
from chalicelib.endpoints import http
from chalicelib.models.client import Client
from chalicelib.models.table import Conflict
from chalicelib.oauth import applications, clients, credentials, registration
from chalicelib.oauth.applications import TYPES, Description
from chalicelib.oauth.client_metadata import InvalidClientMetadata
from chalicelib.oauth.errors import InvalidRequest
from chalicelib.pages import application_form
from chalicelib.pages.visit import Visit, for_the_signed_in
from chalicelib.settings import settings

blueprint = Blueprint(__name__)

_NONCE = re.compile(r"[0-9A-Za-z]{22}")


@blueprint.route("/applications", methods=["GET"], content_types=[], name="applications")
@for_the_signed_in(blueprint)
def show_all(visit: Visit) -> Response:
    """Show the applications of this account; lead operators on to any other."""
    client_id = http.query(visit.request).get("client_id")
    if client_id and visit.account.is_operator:
        return visit.go(f"/applications/{quote(client_id, safe='')}")
    return visit.page(
        "applications.html",
        applications=[
            {"client": client, "type": applications.type_of(client)}
            for client in developers.applications_of(visit.account)
        ],
        may_register=developers.may_register(visit.account),
    )


@blueprint.route("/applications/new", methods=["GET"], content_types=[], name="new_application")
@for_the_signed_in(blueprint)
def new(visit: Visit) -> Response:
    """Ask what kind of application it is, and then for the rest."""
    refusal = _refusal(visit)
    if refusal is not None:
        return refusal
    type_name = http.query(visit.request).get("type")
    if type_name is None:
        return visit.page("application_types.html", types=applications.offered())
    _check_type(type_name)
    return _form(visit, type_name, _new_nonce(), application_form.blank())


@blueprint.route(
    "/applications/new", methods=["POST"], content_types=[http.FORM], name="register_application"
)
@for_the_signed_in(blueprint, back="/applications/new")
def register(visit: Visit) -> Response:
    """Register an application, and tell its secret.

    Sending the same form again, as reloading the answer does, registers nothing: the Client ID
    follows from the form and the browser's session.
    """
    refusal = _refusal(visit)
    if refusal is not None:
        return refusal
    type_name, nonce = visit.form.require("application_type"), visit.form.require("nonce")
    _check_type(type_name)
    if not _NONCE.fullmatch(nonce):
        raise InvalidRequest("The nonce is malformed.")
    said = application_form.sent(visit.form)
    client_id = credentials.derived_id(visit.browser.cookie, nonce)
    try:
        metadata = applications.to_register(type_name, said)
        client, secret = registration.register(metadata, visit.account.user_id, client_id=client_id)
    except InvalidClientMetadata as error:
        return _form(visit, type_name, nonce, said, error)
    except Conflict:
        if clients.read(client_id) is None:
            raise
        return visit.page("application_registered.html", status=409, client_id=client_id)
    if secret is None:
        return visit.go(f"/applications/{client_id}", notice="application_registered")
    return secret_page(visit, client, secret)


def secret_page(visit: Visit, client: Client, secret: str) -> Response:
    """Tell a secret, this once: it is kept nowhere, so there is nothing to redirect to."""
    before = max((old.expires_at for old in client.secrets if old.expires_at is not None), default=None)
    return visit.page("application_secret.html", client=client, secret=secret, until=before)


def _refusal(visit: Visit) -> Response | None:
    """Return the page for who may not register an application, or not another one."""
    if not developers.may_register(visit.account):
        return visit.page("application_refused.html", status=403, reason=settings.may_register, limit=None)
    if not developers.has_room(visit.account):
        limit = developers.MAX_APPLICATIONS
        return visit.page("application_refused.html", status=403, reason="limit", limit=limit)
    return None


def _check_type(type_name: str) -> None:
    if type_name not in applications.offered():
        raise InvalidRequest("There is no such type of application.")


def _new_nonce() -> str:
    return credentials.random_text(credentials.SECRET_LENGTH)


def _form(
    visit: Visit,
    type_name: str,
    nonce: str,
    said: Description,
    error: InvalidClientMetadata | None = None,
) -> Response:
    kind = TYPES[type_name]
    return visit.page(
        "application_new.html",
        status=422 if error else 200,
        type=type_name,
        nonce=nonce,
        redirects=kind.redirects,
        may_refresh=kind.may_refresh,
        **application_form.values(said, error),
    )
