"""One application, for its owner and for operators: nobody else gets to know that it is there."""

import functools
from collections.abc import Callable

from chalice import Blueprint, Response

from chalicelib.endpoints import http
from chalicelib.models.client import Client
from chalicelib.models.table import Conflict
from chalicelib.models.user import Account
from chalicelib.oauth import applications, clients, deletion, registration, usage
from chalicelib.oauth.client_metadata import InvalidClientMetadata
from chalicelib.oauth.errors import InvalidRequest
from chalicelib.pages import application_form, snippets, texts
from chalicelib.pages.applications import secret_page
from chalicelib.pages.visit import Visit, for_the_signed_in
from chalicelib.settings import DAY, HOUR, settings

blueprint = Blueprint(__name__)

PATH = "/applications/{client_id}"

OVERLAPS = {"0": "at_once", str(HOUR): "hour", str(DAY): "day", str(7 * DAY): "week"}
"""For how many seconds the present secret may stay valid, and what that is called."""


def of_its_owner(view: Callable[[Visit, Client], Response]) -> Callable[..., Response]:
    """Give a view the application that its URL names, if the visitor may see it."""

    @functools.wraps(view)
    def view_of_the_owner(visit: Visit, client_id: str) -> Response:
        client = clients.read(client_id)
        if client is None or not (visit.account.is_operator or client.owner == visit.account.user_id):
            return visit.refuse(404, texts.html("error.not_found"))
        return view(visit, client)

    return view_of_the_owner


@blueprint.route(PATH, methods=["GET"], content_types=[], name="application")
@for_the_signed_in(blueprint)
@of_its_owner
def show(visit: Visit, client: Client) -> Response:
    """Show what an application is, how much it is used, and how to use it."""
    owner = Account.of(client.owner) if client.owner and visit.account.is_operator else None
    return visit.page(
        "application.html",
        client=client,
        type=applications.type_of(client),
        permissions=[settings.scopes.get(scope, scope) for scope in client.scope.split(" ")],
        refreshes="refresh_token" in client.grant_types,
        owner=owner,
        usage=usage.of_client(client.client_id),
        secrets=registration.valid_secrets(client),
        overlaps=OVERLAPS,
        snippets=snippets.of(client, http.issuer(visit.request)),
    )


@blueprint.route(f"{PATH}/edit", methods=["GET"], content_types=[], name="edit_application")
@for_the_signed_in(blueprint)
@of_its_owner
def edit(visit: Visit, client: Client) -> Response:
    """Show the form with what there is."""
    return _edit_page(visit, client, application_form.described(client))


@blueprint.route(f"{PATH}/edit", methods=["POST"], content_types=[http.FORM], name="change_application")
@for_the_signed_in(blueprint, back=f"{PATH}/edit")
@of_its_owner
def change(visit: Visit, client: Client) -> Response:
    """Change an application. It has to be looked at again, if users see what changed."""
    _check_revision(visit, client)
    said = application_form.sent(visit.form)
    try:
        metadata = applications.to_update(client, said)
        registration.update(client, metadata, keep_verified=visit.account.is_operator)
    except InvalidClientMetadata as error:
        return _edit_page(visit, client, said, error)
    return visit.go(f"/applications/{client.client_id}", notice="application_changed")


@blueprint.route(f"{PATH}/secret", methods=["POST"], content_types=[http.FORM], name="rotate_secret")
@for_the_signed_in(blueprint, back=PATH)
@of_its_owner
def rotate_secret(visit: Visit, client: Client) -> Response:
    """Give an application a new secret, and tell it."""
    _check_revision(visit, client)
    overlap = visit.form.require("overlap")
    if overlap not in OVERLAPS:
        raise InvalidRequest("The overlap is none of those on the page.")
    try:
        secret = registration.rotate_secret(client, int(overlap))
    except InvalidClientMetadata:
        raise InvalidRequest("The application has no secret.") from None
    return secret_page(visit, client, secret)


@blueprint.route(f"{PATH}/delete", methods=["GET"], content_types=[], name="ask_to_delete_application")
@for_the_signed_in(blueprint)
@of_its_owner
def ask_to_delete(visit: Visit, client: Client) -> Response:
    """Ask whether it is meant."""
    return visit.page(
        "application_delete.html", client=client, usage=usage.of_client(client.client_id), ended=None
    )


@blueprint.route(f"{PATH}/delete", methods=["POST"], content_types=[http.FORM], name="delete_application")
@for_the_signed_in(blueprint, back=f"{PATH}/delete")
@of_its_owner
def delete(visit: Visit, client: Client) -> Response:
    """Delete an application and end all that it was granted, or as much of it as time allows."""
    done = deletion.delete(client)
    if done.complete:
        return visit.go("/applications", notice="application_deleted")
    return visit.page("application_delete.html", status=202, client=client, ended=done.grants_revoked)


def _check_revision(visit: Visit, client: Client) -> None:
    """Check that the form is about the application as it is.

    Raises:
        Conflict: it was changed since the page was shown; or the form was sent already.
    """
    if visit.form.require("revision") != client.revision:
        raise Conflict


def _edit_page(
    visit: Visit,
    client: Client,
    said: applications.Description,
    error: InvalidClientMetadata | None = None,
) -> Response:
    return visit.page(
        "application_edit.html",
        status=422 if error else 200,
        client=client,
        type=applications.type_of(client),
        redirects=applications.redirects(client),
        may_refresh=applications.may_refresh(client),
        loses_verification=client.verified_at is not None and not visit.account.is_operator,
        **application_form.values(said, error),
    )
