"""`manage.py grant`: what users granted to applications."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import click

from chalicelib.models.client import Client
from chalicelib.models.grant import Grant
from chalicelib.models.user import Account
from chalicelib.oauth import registration, revocation
from management import revoking
from management.lookup import find_account, find_client
from management.options import confirmed
from management.output import json_option, show, show_stream, when

COLUMNS = {
    "grant_id": 8,
    "client_name": 20,
    "client_id": 16,
    "email": 24,
    "scope": 10,
    "created_at": 16,
    "last_issued_at": 16,
    "expires_at": 16,
    "revoked_at": 16,
    "revoked_because": 1,
}
TIMES = ("created_at", "last_issued_at", "expires_at", "revoked_at")
BATCH = 100
"""Grants that are read by one request (BatchGetItem)."""

BECAUSE = "revoked by an operator"

user_option = click.option("--user", "email", metavar="EMAIL", help="What this person granted.")
client_option = click.option("--client", "client_id", metavar="ID", help="What this application was granted.")


@click.group("grant")
def command() -> None:
    """Look at what applications were granted, and revoke it."""


@command.command("list")
@user_option
@client_option
@click.option("--all", "dead_too", is_flag=True, help="Those as well that are revoked or over.")
@json_option
def list_(email: str | None, client_id: str | None, dead_too: bool, as_json: bool) -> None:
    """List the grants of a person, the oldest first, or of an application, the last used first.

    A person's are read as they are at this moment. An application's are found by an index, which
    lags behind by a moment. Those without a person are the application's own (client_credentials).
    """
    if (email is None) == (client_id is None):
        raise click.UsageError("either --user or --client")
    grants = _of_user(email) if email is not None else _of_client(find_client(str(client_id)).client_id)
    shown = (grant for grant in grants if dead_too or revocation.is_alive(grant))
    records = _records(shown)
    hidden = {"email"} if email is not None else {"client_name", "client_id"}
    if not dead_too:
        hidden |= {"revoked_at", "revoked_because"}
    columns = {name: width for name, width in COLUMNS.items() if name not in hidden}
    show_stream(records if as_json else map(_at_a_glance, records), columns, as_json)


@command.command("show")
@click.argument("grant_id")
@json_option
def show_(grant_id: str, as_json: bool) -> None:
    """Show a grant, and what came out of it."""
    grant = _find(grant_id)
    (record,) = _records([grant])
    refresh_token = grant.refresh_token
    record["access_tokens"] = [
        f"{token.scope}, issued {when(token.issued_at)}, expires {when(token.expires_at)}"
        for token in grant.access_tokens
    ]
    record["refresh_token_expires_at"] = when(refresh_token.expires_at if refresh_token else None)
    record["refresh_token_ends_at"] = when(refresh_token.ends_at if refresh_token else None)
    show(record, as_json)


@command.command()
@click.argument("grant_ids", metavar="[GRANT_ID]...", nargs=-1)
@user_option
@client_option
@confirmed("Revoke all of it?")
@json_option
def revoke(grant_ids: tuple[str, ...], email: str | None, client_id: str | None, as_json: bool) -> None:
    """Revoke grants, all of a person's, or all of an application's. Their tokens are dead at once.

    What people agreed to is forgotten as well, or the next visit would grant it again unasked. An
    application can be connected again afterwards, by whoever allows it: `client disable` is for
    more. To end what a person may do as well, there is `user disable`.

    With thousands of grants it takes a while. Ctrl-C stops it; run it again to go on.
    """
    if sum([bool(grant_ids), email is not None, client_id is not None]) != 1:
        raise click.UsageError("either ids of grants, or --user, or --client")
    if email is not None:
        revoked = revoking.revoke_grants_of_user(find_account(email).user_id, BECAUSE)
    elif client_id is not None:
        client = find_client(client_id)
        registration.forget_consents(client)
        revoked = revoking.revoke_grants_of_client(client, BECAUSE)
    else:
        revoked = revoking.revoke_grants(list(map(_find, dict.fromkeys(grant_ids))), BECAUSE)
    show({"grants_revoked": revoked}, as_json)


def _of_user(email: str) -> Iterator[Grant]:
    return iter(revocation.grants_of_user(find_account(email).user_id))


def _of_client(client_id: str) -> Iterator[Grant]:
    grant_ids = revocation.latest_grants_of_client(client_id)
    while batch := list(islice(grant_ids, BATCH)):
        grants = {grant.grant_id: grant for grant in Grant.batch_get(batch)}
        yield from (grants[grant_id] for grant_id in batch if grant_id in grants)


def _records(grants: Iterable[Grant]) -> Iterator[dict[str, Any]]:
    """Describe grants, with the names of applications and people, a batch at a time."""
    remaining = iter(grants)
    while batch := list(islice(remaining, BATCH)):
        clients = Client.batch_get({grant.client_id for grant in batch})
        names = {client.client_id: client.client_name for client in clients}
        people = {(grant.user_id, Account.ITEM) for grant in batch if grant.user_id is not None}
        emails = {account.user_id: account.email for account in Account.batch_get(people)}
        yield from (_record(grant, names.get(grant.client_id), emails.get(grant.user_id)) for grant in batch)


def _record(grant: Grant, client_name: str | None, email: str | None) -> dict[str, Any]:
    return {
        "grant_id": grant.grant_id,
        "client_id": grant.client_id,
        "client_name": client_name,
        "user_id": grant.user_id,
        "email": email,
        "scope": grant.scope,
        "created_at": when(grant.created_at),
        "last_issued_at": when(grant.last_issued_at),
        "expires_at": when(grant.expires_at),
        "revoked_at": when(grant.revoked_at),
        "revoked_because": grant.revoked_because,
    }


def _at_a_glance(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record for a table, with its times to the minute."""
    times = {name: record[name] for name in TIMES if record[name] is not None}
    return record | {name: time[:16].replace("T", " ") for name, time in times.items()}


def _find(grant_id: str) -> Grant:
    grant = Grant.find(grant_id) if grant_id else None
    if grant is None:
        raise click.ClickException(f"there is no grant {grant_id}")
    return grant
