"""The form that describes an application: when it is registered, and when it is changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from chalicelib.models.client import Client
from chalicelib.oauth.applications import Description
from chalicelib.oauth.client_metadata import InvalidClientMetadata
from chalicelib.oauth.parameters import Parameters
from chalicelib.pages import texts
from chalicelib.settings import settings

FIELDS = ("client_name", "description", "client_uri", "redirect_uris", "scope")
"""What a problem can be tied to."""


@dataclass(frozen=True)
class Choice:
    """A scope that an application may be for."""

    scope: str
    description: str
    ticked: bool


def blank() -> Description:
    """Return what the form shows at first."""
    return Description("", "", "", (), settings.default_scope.split(), refresh=False)


def described(client: Client) -> Description:
    """Return what the form shows of an application as it is."""
    return Description(
        client.client_name,
        client.description or "",
        client.client_uri or "",
        list(client.redirect_uris),
        client.scope.split(" "),
        refresh="refresh_token" in client.grant_types,
    )


def sent(form: Parameters) -> Description:
    """Return what somebody filled in.

    Raises:
        InvalidRequest: a field is repeated, too long, or not text.
    """
    lines = (form.get("redirect_uris") or "").splitlines()
    return Description(
        form.get("client_name") or "",
        form.get("description") or "",
        (form.get("client_uri") or "").strip(),
        [line.strip() for line in lines if line.strip()],
        [scope for scope in settings.scopes if form.get(f"scope:{scope}") is not None],
        refresh=form.get("refresh") is not None,
    )


def values(said: Description, error: InvalidClientMetadata | None = None) -> dict[str, Any]:
    """Return what the template `application_form.html` shows.

    Args:
        said: what is in the fields.
        error: what is wrong with it.
    """
    problems: dict[str, Markup] = dict.fromkeys(FIELDS, Markup())
    problem: Markup | None = None
    if error is not None:
        problem = texts.html("application_form.refused", reason=error)
        if error.member in FIELDS:
            problems[error.member] = problem
            problem = texts.html("application_form.problem")
    return {"said": said, "choices": _choices(said), "problems": problems, "problem": problem}


def _choices(said: Description) -> list[Choice]:
    scopes: Mapping[str, str] = settings.scopes
    return [Choice(scope, text, scope in said.scopes) for scope, text in scopes.items()]
