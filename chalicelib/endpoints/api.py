"""The sample API: what a platform's own routes look like behind the authorizer."""

import json

from chalice import BadRequestError, Blueprint, Response

from chalicelib.authorizer.bearer import bearer
from chalicelib.catalogue import STORAGE_FAILED
from chalicelib.endpoints.cors import ANY_ORIGIN
from chalicelib.journal import tell_failure
from chalicelib.models.client import Client
from chalicelib.models.table import StorageError
from chalicelib.models.user import Account

blueprint = Blueprint(__name__)

MAX_NOTE = 1000
"""Characters."""


@blueprint.route("/api/me", methods=["GET"], content_types=[], authorizer=bearer, cors=ANY_ORIGIN)
def me() -> Response:
    """Tell whose account this is, which application asks, and what it may do."""
    token = blueprint.current_request.context["authorizer"]
    try:
        client = Client.find(token["client_id"])
        account = Account.of(token["user_id"]) if token["user_id"] else None
    except StorageError as error:
        tell_failure(STORAGE_FAILED, error)
        return Response({"error": "temporarily_unavailable"}, {"Retry-After": "2"}, 503)
    members = {
        "user": {"user_id": account.user_id, "email": account.email} if account else None,
        "client": {"client_id": token["client_id"], "client_name": client.client_name if client else None},
        "acts_for": "user" if account else "application",
        "scope": token["scope"],
        "expires_at": int(token["expires_at"]),
    }
    return Response(members, {"Content-Type": "application/json", "Cache-Control": "no-store"})


@blueprint.route("/api/notes", methods=["POST"], authorizer=bearer, cors=ANY_ORIGIN)
def add_note() -> Response:
    """Take a note: `{"text": "..."}`. An example of what needs `write`; nothing is kept."""
    try:
        note = json.loads(blueprint.current_request.raw_body)
    except (ValueError, RecursionError):
        raise BadRequestError("The body is not JSON.") from None
    text = note.get("text") if isinstance(note, dict) else None
    if not isinstance(text, str) or not 1 <= len(text) <= MAX_NOTE:
        raise BadRequestError(f"A note has a text of 1 to {MAX_NOTE} characters.")
    author = blueprint.current_request.context["authorizer"]["user_id"] or None
    return Response({"text": text, "author": author}, status_code=201)
