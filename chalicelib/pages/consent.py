"""What a person is asked before an application may use their account, wherever it is that they are asked."""

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from chalicelib import clock
from chalicelib.models.client import Client
from chalicelib.oauth import granting, redirect_uris, scopes
from chalicelib.oauth.parameters import Parameters
from chalicelib.pages import texts
from chalicelib.pages.rendering import host_of
from chalicelib.settings import settings


@dataclass(frozen=True)
class Permission:
    """A scope on the consent page."""

    scope: str
    description: str
    optional: bool
    ticked: bool

    @property
    def field(self) -> str:
        """The name of its box, if it has one."""
        return f"allow:{self.scope}"


def permissions(scope: str, form: Parameters | None = None) -> list[Permission]:
    """Return what the user is asked for; all of it ticked, or what was ticked in a form."""
    optional = scopes.optional(scope)
    return [
        Permission(
            token,
            settings.scopes.get(token, token),
            token in optional,
            token not in optional or form is None or form.get(f"allow:{token}") is not None,
        )
        for token in scope.split(" ")
    ]


def allowed(scope: str, form: Parameters) -> list[str]:
    """Return what the user left ticked."""
    return [permission.scope for permission in permissions(scope, form) if permission.ticked]


def way_back(section: str, redirect_uri: str) -> Markup:
    """Say where the browser goes back to.

    A private-use URI leads to whichever application has its scheme: a host in it means nothing.

    Args:
        section: of the texts.
        redirect_uri: as it was asked for.
    """
    if redirect_uris.is_web(redirect_uri):
        return texts.html(f"{section}.to_host", host=host_of(redirect_uri))
    return texts.html(f"{section}.to_device", scheme=redirect_uri.partition(":")[0])


def question(client: Client, scope: str, email: str, problem: str | None) -> dict[str, Any]:
    """Return what `consent.html` shows.

    Args:
        client: who asks.
        scope: for what.
        email: of the account.
        problem: a text in the section `consent`, if the answer that came was none.
    """
    return {
        "client": client,
        "homepage": host_of(client.client_uri) if client.client_uri else None,
        "email": email,
        "permissions": permissions(scope),
        "until": texts.date(clock.now() + granting.longest_access(client)),
        "problem": texts.html(f"consent.{problem}") if problem else None,
    }
