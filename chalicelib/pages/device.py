"""Connecting a device: its code is typed here, and what it asks for is allowed or denied (RFC 8628)."""

import functools
from collections.abc import Callable

from chalice import Blueprint, Response

from chalicelib.accounts import devices
from chalicelib.accounts.devices import UnknownUserCode
from chalicelib.accounts.throttle import Throttled
from chalicelib.endpoints import http
from chalicelib.oauth import device_authorization, user_codes
from chalicelib.oauth.device_authorization import DeviceRequest, NotPending
from chalicelib.oauth.granting import AccountChanged
from chalicelib.pages import consent, texts
from chalicelib.pages.rendering import retry_after
from chalicelib.pages.sign_in import too_many
from chalicelib.pages.visit import Visit, for_the_signed_in

blueprint = Blueprint(__name__)


def _of_a_code(view: Callable[[Visit], Response]) -> Callable[[Visit], Response]:
    """Show the form for the code again, and why, if there is nothing to decide about it."""

    @functools.wraps(view)
    def view_of_a_code(visit: Visit) -> Response:
        try:
            return view(visit)
        except (UnknownUserCode, NotPending) as error:
            return _code_page(visit, _typed(visit), 422, texts.html(f"device.{error.reason}"))
        except Throttled as throttled:
            response = _code_page(visit, _typed(visit), 429, too_many(throttled.seconds))
            return retry_after(throttled.seconds, response)

    return view_of_a_code


@blueprint.route("/device", methods=["GET"], content_types=[], name="device")
@for_the_signed_in(blueprint)
def ask_for_the_code(visit: Visit) -> Response:
    """Show the form for the code. A link may fill it in, and does no more (RFC 8628 section 3.3.1)."""
    return _code_page(visit, http.query(visit.request).get("user_code") or "")


@blueprint.route("/device", methods=["POST"], content_types=[http.FORM], name="device_code")
@for_the_signed_in(blueprint, back="/device")
@_of_a_code
def ask_for_consent(visit: Visit) -> Response:
    """Show what the device asks for.

    Nothing has changed, so the page comes at once: a redirect would have the code in its URL.
    """
    return _consent_page(visit, *_look_up(visit))


@blueprint.route("/device/decision", methods=["POST"], content_types=[http.FORM], name="device_decision")
@for_the_signed_in(blueprint, back="/device")
@_of_a_code
def decide(visit: Visit) -> Response:
    """Take the person's decision."""
    user_code, asked = _look_up(visit)
    decision = visit.form.get("decision")
    if decision == "deny":
        device_authorization.deny(asked, visit.account)
        return visit.go("/device/done", notice="device_denied")
    if decision != "allow":
        return _consent_page(visit, user_code, asked, status=400, problem="undecided")
    scope = consent.allowed(asked.scope, visit.form)
    if not scope:
        return _consent_page(visit, user_code, asked, status=400, problem="nothing_ticked")
    try:
        device_authorization.allow(asked, scope, visit.account)
    except AccountChanged:
        return visit.go("/device")
    return visit.go("/device/done", notice="device_allowed")


@blueprint.route("/device/done", methods=["GET"], content_types=[], name="device_done")
@for_the_signed_in(blueprint)
def done(visit: Visit) -> Response:
    """Send the person back to the device. What they decided is told by the notice."""
    return visit.page("device_done.html")


def _typed(visit: Visit) -> str:
    return visit.form.get("user_code") or ""


def _look_up(visit: Visit) -> tuple[str, DeviceRequest]:
    return devices.look_up(_typed(visit), visit.account, http.source_ip(visit.request))


def _code_page(visit: Visit, typed: str, status: int = 200, problem: str | None = None) -> Response:
    return visit.page("device.html", status=status, typed=typed, problem=problem)


def _consent_page(
    visit: Visit, user_code: str, asked: DeviceRequest, status: int = 200, problem: str | None = None
) -> Response:
    return visit.page(
        "device_consent.html",
        status=status,
        action=f"{http.prefix(visit.request)}/device/decision",
        user_code=user_codes.shown(user_code),
        **consent.question(asked.client, asked.scope, visit.account.email, problem),
    )
