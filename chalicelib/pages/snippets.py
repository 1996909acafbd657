"""Ready-made code for an application's developer, with its own values, and never with its secret."""

import json
import shlex
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from chalicelib.models.client import Client
from chalicelib.oauth import applications, metadata
from chalicelib.pages import texts
from chalicelib.pages.rendering import plain_text
from chalicelib.settings import settings


@dataclass(frozen=True)
class Snippet:
    """Something to copy."""

    name: str
    """What it is called: a text in the section `snippets`."""
    code: str


CODE = {
    "web": ("code.sh", "code.py", "code_server.js"),
    "native": ("code.sh", "code.py"),
    "browser": ("code.sh", "code_browser.js"),
    "device": ("device.sh", "device.py"),
    "service": ("service.sh", "service.py", "service.js"),
}
"""For each type of application, the files in `templates/snippets/`, less their `.txt`."""

NAMES = {"sh": "curl", "py": "python", "js": "javascript"}


def of(client: Client, issuer: str) -> list[Snippet]:
    """Return the snippets of a client.

    Args:
        client: whose values they have.
        issuer: this server.
    """
    found = [Snippet("link", authorization_link(client, issuer))] if applications.redirects(client) else []
    if client.token_endpoint_auth_method == "private_key_jwt":
        return found  # What is signed is for a library to make.
    values = _values(client, issuer)
    for file in CODE[applications.type_of(client)]:
        code = plain_text(f"snippets/{file}.txt", **values).strip()
        found.append(Snippet(NAMES[file.rpartition(".")[2]], code))
    return found


def authorization_link(client: Client, issuer: str) -> str:
    """Return where an application sends its users, in the words of the reference page."""
    parameters = {
        "client_id": client.client_id,
        "redirect_url": client.redirect_uris[0],
        "response_type": "token",
        "scope": client.scope,
        "state": "STATE",
    }
    if _needs_pkce(client):
        parameters |= {"code_challenge": "CODE_CHALLENGE", "code_challenge_method": "S256"}
    return f"{issuer}/oauth2/authorize/?{urlencode(parameters)}"


def _values(client: Client, issuer: str) -> dict[str, Any]:
    endpoints = metadata.authorization_server(issuer)
    return {
        "issuer": issuer,
        "endpoints": endpoints,
        "client_id": client.client_id,
        "redirect_uri": client.redirect_uris[0] if client.redirect_uris else "",
        "scope": client.scope,
        "has_secret": client.has_secret,
        "by_basic": client.token_endpoint_auth_method == "client_secret_basic",
        "pkce": _needs_pkce(client),
        "plain": texts.plain,
        "shell": shlex.quote,
        "literal": literal,
    }


def _needs_pkce(client: Client) -> bool:
    return client.is_public or settings.require_pkce


def literal(value: object) -> str:
    """Return a value as it is written in Python and in JavaScript alike."""
    return json.dumps(value)
