"""`manage.py credential`: whose a leaked code, token, secret or cookie is, and its end.

It comes by standard input, never as an argument: those are in the shell's history and in the list of
processes.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from chalicelib.accounts import accounts, sessions
from chalicelib.models.client import Client
from chalicelib.models.grant import Grant
from chalicelib.models.user import Account
from chalicelib.oauth import credentials, registration, revocation
from chalicelib.oauth.credentials import Kind
from management import revoking
from management.options import confirmed
from management.output import json_option, show

BECAUSE = "leaked"


@dataclass(frozen=True)
class Found:
    """A credential that opens something."""

    kind: str
    client: Client | None
    account: Account | None
    grant: Grant | None
    end: Callable[[], dict[str, Any]]
    """Revokes it, and tells what that was."""

    @property
    def record(self) -> dict[str, Any]:
        """What it is, and whose; without itself."""
        return {
            "credential": self.kind,
            "client_id": self.client.client_id if self.client else None,
            "client_name": self.client.client_name if self.client else None,
            "user_id": self.account.user_id if self.account else None,
            "email": self.account.email if self.account else None,
            "grant_id": self.grant.grant_id if self.grant else None,
            "scope": self.grant.scope if self.grant else None,
        }


@click.group("credential")
def command() -> None:
    """Look at a credential that leaked, and revoke it. It is read from standard input.

    \b
    manage.py --stage prod credential show < leaked.txt
    """  # noqa: D301 (click's mark for lines that stay as they are)


@command.command("show")
@json_option
def show_(as_json: bool) -> None:
    """Tell what a credential is, and whose. Ends with 1 if it opens nothing."""
    show(_find(_read()).record, as_json)


@command.command()
@confirmed("Revoke it?")
@json_option
def revoke(as_json: bool) -> None:
    """Revoke a credential, and what could have been had by it.

    \b
    A code or token:  its grant, with all of its tokens, and the consent. Its application may be
                      connected again by who allows it anew.
    A client secret:  the application gets a new one, which is printed; the leaked one ends at once.
    A session:        all sessions of its account.
    """  # noqa: D301 (click's mark for lines that stay as they are)
    found = _find(_read())
    show(found.record | found.end(), as_json)


def _read() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Credential", hide_input=True, err=True)).strip()
    return sys.stdin.readline().strip()


def _find(credential: str) -> Found:
    """Return what a credential is.

    Raises:
        ClickException: it opens nothing, which does not say what it was.
    """
    if credentials.kind_of(credential):
        found = _of_grant(credential)
    elif credential.startswith(Kind.SESSION):
        found = _session(credential)
    else:
        found = _client_secret(credential)
    if found is None:
        raise click.ClickException(
            "that opens nothing here: it never was a credential of this stage, or is over"
        )
    return found


def _of_grant(credential: str) -> Found | None:
    kind = Kind(credential[:4])
    grant = Grant.find(credentials.grant_id_of(credential, kind) or "")
    if grant is None or not revocation.is_honoured(grant, credential, kind):
        return None
    account = Account.find(grant.user_id, Account.ITEM) if grant.user_id is not None else None

    def end() -> dict[str, Any]:
        return {"grants_revoked": revoking.revoke_grants([grant], BECAUSE)}

    return Found(_name(kind), Client.find(grant.client_id), account, grant, end)


def _session(credential: str) -> Found | None:
    account = sessions.owner(credential)
    if account is None:
        return None

    def end() -> dict[str, Any]:
        accounts.end_sessions(account)
        return {"sessions_ended": True}

    return Found(_name(Kind.SESSION), None, account, None, end)


def _client_secret(credential: str) -> Found | None:
    """Find the application that has a secret, among all. An imported one has the form of another system."""
    hashed = credentials.digest(credential)
    for client in Client.scan(consistent_read=True):
        if hashed in {secret.hash for secret in registration.valid_secrets(client)}:
            break
    else:
        return None

    def end() -> dict[str, Any]:
        return {"client_secret": registration.rotate_secret(client)}

    return Found(_name(Kind.CLIENT_SECRET), client, None, None, end)


def _name(kind: Kind) -> str:
    return kind.name.lower().replace("_", " ")
