"""What a person's account is connected to, and the button that ends it."""

from chalice import Blueprint, Response

from chalicelib.accounts import connections
from chalicelib.accounts.connections import Connection
from chalicelib.endpoints import http
from chalicelib.pages.visit import Visit, for_the_signed_in
from chalicelib.settings import settings

blueprint = Blueprint(__name__)


@blueprint.route("/connections", methods=["GET"], content_types=[])
@for_the_signed_in(blueprint)
def show(visit: Visit) -> Response:
    """Show each connected application, what it may do, since when, and when it last got a token."""
    found = connections.of_user(visit.account.user_id)
    return visit.page("connections.html", connections=[_described(connection) for connection in found])


@blueprint.route("/connections", methods=["POST"], content_types=[http.FORM], name="disconnect")
@for_the_signed_in(blueprint, back="/connections")
def disconnect(visit: Visit) -> Response:
    """End all that an application was granted in this person's name."""
    connections.disconnect(visit.account.user_id, visit.form.require("client_id"))
    return visit.go("/connections", notice="disconnected")


def _described(connection: Connection) -> dict[str, object]:
    permissions = [settings.scopes.get(scope, scope) for scope in connection.scope]
    return {**vars(connection), "permissions": permissions}
