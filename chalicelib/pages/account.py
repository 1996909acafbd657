"""A person's account: what it is, a new password, and the way out of every browser."""

from typing import Any

from chalice import Blueprint, Response

from chalicelib.accounts import accounts, connections, new_password
from chalicelib.accounts.connections import Connection
from chalicelib.accounts.passwords import UnacceptablePassword
from chalicelib.accounts.throttle import Throttled
from chalicelib.endpoints import http
from chalicelib.oauth.parameters import Parameters
from chalicelib.pages import texts
from chalicelib.pages.by_mail import password_hint, password_refused
from chalicelib.pages.rendering import retry_after
from chalicelib.pages.sign_in import too_many
from chalicelib.pages.visit import Visit, for_the_signed_in
from chalicelib.settings import settings

blueprint = Blueprint(__name__)


@blueprint.route("/account", methods=["GET"], content_types=[], name="account")
@for_the_signed_in(blueprint)
def show(visit: Visit) -> Response:
    """Show the account."""
    return _page(visit)


@blueprint.route("/account/password", methods=["POST"], content_types=[http.FORM], name="change_password")
@for_the_signed_in(blueprint, back="/account")
def change_password(visit: Visit) -> Response:
    """Change the password, sign out all other browsers, and disconnect what is not to be kept.

    An application is kept only if its box was ticked: one that was connected since the page was
    shown is disconnected with the others.
    """
    if not settings.local_accounts:
        return visit.refuse(404, texts.html("error.not_found"))
    account, form = visit.account, visit.form
    current, password = form.get("current_password") or "", form.get("new_password") or ""
    kept = _kept(connections.of_user(account.user_id), form)
    try:
        changed = new_password.change(account, current, password, kept, http.source_ip(visit.request))
    except UnacceptablePassword:
        return _page(visit, status=422, new_problem=password_refused())
    except Throttled as throttled:
        return retry_after(throttled.seconds, _page(visit, status=429, problem=too_many(throttled.seconds)))
    if changed is None:
        return _page(visit, status=422, current_problem=texts.html("account.wrong"))
    signed_in = visit.browser.set_cookie(changed.credential)
    if not changed.complete:
        return visit.go("/connections", notice="password_set_only", cookies=(signed_in,))
    return visit.go("/account", notice="password_changed", cookies=(signed_in,))


@blueprint.route("/account/sign-out-everywhere", methods=["POST"], content_types=[http.FORM])
@for_the_signed_in(blueprint, back="/account")
def sign_out_everywhere(visit: Visit) -> Response:
    """End all sessions of the account, this one among them. Applications stay connected."""
    accounts.end_sessions(visit.account)
    return visit.go("/sign-in", notice="signed_out_everywhere", cookies=(visit.browser.sign_out(),))


def _kept(connected: list[Connection], form: Parameters) -> list[str]:
    return [
        connection.client_id
        for connection in connected
        if form.get(f"keep:{connection.client_id}") is not None
    ]


def _page(
    visit: Visit,
    *,
    status: int = 200,
    problem: str = "",
    current_problem: str = "",
    new_problem: str = "",
) -> Response:
    connected: list[dict[str, Any]] = []
    if visit.account.password_hash:
        found = connections.of_user(visit.account.user_id)
        kept = _kept(found, visit.form)
        connected = [vars(connection) | {"kept": connection.client_id in kept} for connection in found]
    return visit.page(
        "account.html",
        status=status,
        connections=connected,
        password_hint=password_hint(),
        problem=problem,
        current_problem=current_problem,
        new_problem=new_problem,
    )
