"""`manage.py client`: registered applications."""

import json
import os
from collections import Counter
from typing import Any, TextIO

import click

from chalicelib.catalogue import CLIENTS_IMPORTED
from chalicelib.journal import tell
from chalicelib.models.client import Client
from chalicelib.models.table import Conflict, StorageError
from chalicelib.oauth import registration
from chalicelib.oauth.client_metadata import AUTHENTICATION_METHODS, ClientMetadata, InvalidClientMetadata
from chalicelib.oauth.grants import GRANT_TYPES
from management import client_files, revoking
from management.client_files import BadEntry
from management.lookup import find_account, find_client
from management.options import DURATION, confirmed
from management.output import json_option, show, show_all, when


@click.group("client")
def command() -> None:
    """Register applications and manage them."""


@command.command()
@click.option("--name", required=True, help="What users see when they are asked.")
@click.option("--description", metavar="TEXT", help="What it is, in a sentence or two.")
@click.option("--homepage", metavar="URL", help="Where users read more: https, or http on a loopback host.")
@click.option(
    "--redirect-uri",
    "redirect_uris",
    multiple=True,
    metavar="URI",
    help="Where users are sent back to; repeatable. https, or http on a loopback host.",
)
@click.option(
    "--scope", default="", help="The most it may ask for, separated by spaces.  [default: the server's]"
)
@click.option(
    "--grant-type",
    "grant_types",
    multiple=True,
    metavar="TYPE",
    default=["authorization_code"],
    show_default=True,
    help=f"{', '.join(GRANT_TYPES)}; repeatable.",
)
@click.option("--public", is_flag=True, help="It cannot keep a secret: a native application.")
@click.option(
    "--auth-method",
    type=click.Choice(AUTHENTICATION_METHODS),
    help="How it authenticates.  [default: its secret, by HTTP Basic or in the body]",
)
@click.option(
    "--jwks", type=click.File(), help="For private_key_jwt: a file with its public keys, a JWK Set."
)
@click.option("--may-introspect", is_flag=True, help="It may ask what other applications' tokens stand for.")
@click.option("--owner", metavar="EMAIL", help="The account that it belongs to.")
@click.option("--unverified", is_flag=True, help="Tell users that you do not know who is behind it.")
@json_option
def add(
    name: str,
    description: str | None,
    homepage: str | None,
    redirect_uris: tuple[str, ...],
    scope: str,
    grant_types: tuple[str, ...],
    public: bool,
    auth_method: str | None,
    jwks: TextIO | None,
    may_introspect: bool,
    owner: str | None,
    unverified: bool,
    as_json: bool,
) -> None:
    """Register an application. Its secret is printed this once, and stored as a hash."""
    if public and auth_method not in (None, "none"):
        raise click.UsageError("a public client cannot authenticate: --public or --auth-method, not both")
    metadata = ClientMetadata(
        client_name=name,
        redirect_uris=redirect_uris,
        grant_types=grant_types,
        scope=scope,
        token_endpoint_auth_method="none" if public else auth_method,
        jwks=jwks.read() if jwks else None,
        may_introspect=may_introspect,
        description=description,
        client_uri=homepage,
    )
    try:
        client, secret = registration.register(metadata, _owner_id(owner), verified=not unverified)
    except InvalidClientMetadata as error:
        raise click.ClickException(str(error)) from None
    show(_record(client) | ({"client_secret": secret} if secret else {}), as_json)


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List all applications."""
    records = sorted(map(_record, Client.scan()), key=lambda record: str(record["client_name"]))
    show_all(records, ["client_id", "client_name", "grant_types", "scope", "disabled_at"], as_json)


@command.command("show")
@click.argument("client_id")
@json_option
def show_(client_id: str, as_json: bool) -> None:
    """Show an application."""
    show(_record(find_client(client_id)), as_json)


@command.command()
@click.argument("client_id")
@click.option("--name", "client_name", help="What users see when they are asked.")
@click.option("--description", metavar="TEXT", help="What it is, in a sentence or two; '' for none.")
@click.option("--homepage", "client_uri", metavar="URL", help="Where users read more; '' for none.")
@click.option(
    "--redirect-uri", "redirect_uris", multiple=True, metavar="URI", help="All of them; repeatable."
)
@click.option("--scope", help="The most it may ask for, separated by spaces.")
@click.option("--grant-type", "grant_types", multiple=True, metavar="TYPE", help="All of them; repeatable.")
@json_option
def update(client_id: str, as_json: bool, **changes: Any) -> None:
    """Change what is said; the rest stays. What it was granted stays as it was granted.

    Functions know it after the client cache's lifetime.
    """
    client = find_client(client_id)
    now = {name: getattr(client, name) for name in (*changes, "token_endpoint_auth_method", "jwks")}
    said = {name: value for name, value in changes.items() if value not in (None, ())}
    try:
        metadata = ClientMetadata(**now | said, may_introspect=client.may_introspect)
        registration.update(client, metadata, keep_verified=True)
    except InvalidClientMetadata as error:
        raise click.ClickException(str(error)) from None
    show(_record(client), as_json)


@command.command("rotate-secret")
@click.argument("client_id")
@click.option(
    "--overlap",
    type=DURATION,
    default="0",
    show_default=True,
    metavar="TIME",
    help="How long the secret it has stays valid: 90 (seconds), 30m, 24h or 7d.",
)
@json_option
def rotate_secret(client_id: str, overlap: int, as_json: bool) -> None:
    """Give an application a new secret; the one it has ends at once, or after an overlap."""
    client = find_client(client_id)
    try:
        secret = registration.rotate_secret(client, overlap)
    except InvalidClientMetadata as error:
        raise click.ClickException(str(error)) from None
    show(_record(client) | {"client_secret": secret}, as_json)


@command.command()
@click.argument("client_id")
@json_option
def disable(client_id: str, as_json: bool) -> None:
    """Refuse an application from now on, and revoke all that it was granted.

    Run it again if it was interrupted.
    """
    client = find_client(client_id)
    registration.disable(client)
    revoked = revoking.revoke_grants_of_client(client, "client disabled")
    show(_record(client) | {"grants_revoked": revoked}, as_json)


@command.command()
@click.argument("client_id")
@json_option
def enable(client_id: str, as_json: bool) -> None:
    """Serve a disabled application again. What was revoked stays revoked."""
    client = find_client(client_id)
    registration.enable(client)
    show(_record(client), as_json)


@command.command()
@click.argument("client_ids", metavar="[ID]...", nargs=-1)
@click.option(
    "--file", "path", type=click.Path(dir_okay=False), help="Where to write it, for your eyes only."
)
def export(client_ids: tuple[str, ...], path: str | None) -> None:
    """Print applications, or all of them, as JSON for `client import`. Secrets are hashes in it."""
    clients = map(find_client, dict.fromkeys(client_ids)) if client_ids else Client.scan()
    text = json.dumps(client_files.entries(clients), indent=2)
    if path is None:
        click.echo(text)
        return
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(text + "\n")
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from None


@command.command("import")
@click.argument("file", type=click.File(encoding="utf-8-sig"))
@click.option(
    "--if-exists",
    type=click.Choice(["fail", "skip", "replace"]),
    default="fail",
    show_default=True,
    help="What to do with applications that are there.",
)
@json_option
def import_(file: TextIO, if_exists: str, as_json: bool) -> None:
    """Add the applications in a file of `client export`, or of another system; - is standard input.

    They keep their ids and their secrets, which another system's file may have in the clear, as
    client_secret. All entries are checked first: if one is bad, nothing is imported.
    """
    clients, known = _read(file, if_exists)
    records: list[dict[str, Any]] = []
    for client in clients:
        there, done = known.get(client.client_id), "added"
        try:
            if there is None:
                registration.store(client)
            elif if_exists == "replace":
                client_files.replace(there, client)
                done = "replaced"
            else:
                done = "skipped"
        except (Conflict, StorageError):
            click.echo(f"Stopped: {len(records)} of {len(clients)} applications imported.", err=True)
            _tell_imported(records)
            raise
        records.append({"client_id": client.client_id, "client_name": client.client_name, "done": done})
    _tell_imported(records)
    show_all(records, ["client_id", "client_name", "done"], as_json)


def _tell_imported(records: list[dict[str, Any]]) -> None:
    done = Counter(record["done"] for record in records)
    if done["added"] or done["replaced"]:
        tell(CLIENTS_IMPORTED, count=done["added"] + done["replaced"], replaced=done["replaced"])


@command.command()
@click.argument("client_id")
@json_option
def verify(client_id: str, as_json: bool) -> None:
    """Note that you know who is behind an application: users are told so."""
    _verify(client_id, True, as_json)


@command.command()
@click.argument("client_id")
@json_option
def unverify(client_id: str, as_json: bool) -> None:
    """Tell users that you do not know who is behind an application."""
    _verify(client_id, False, as_json)


@command.command()
@click.argument("client_id")
@confirmed("Delete the application and revoke all that it was granted?")
@json_option
def delete(client_id: str, as_json: bool) -> None:
    """Delete an application, and revoke all that it was granted.

    Until all of it is revoked the application is disabled. Run it again if it was interrupted.
    """
    client = find_client(client_id)
    registration.disable(client)
    revoked = revoking.revoke_grants_of_client(client, "client deleted")
    registration.delete(client)
    show({"client_id": client_id, "deleted": True, "grants_revoked": revoked}, as_json)


def _read(file: TextIO, if_exists: str) -> tuple[list[Client], dict[str, Client]]:
    """Return the applications in a file, and those that are there with their ids."""
    clients, problems = [], {}
    try:
        for number, entry in enumerate(client_files.parse(file.read()), start=1):
            try:
                clients.append(client_files.read(entry))
            except BadEntry as error:
                problems[number] = str(error)
    except (BadEntry, UnicodeDecodeError) as error:
        raise click.ClickException(str(error)) from None
    ids = [client.client_id for client in clients]
    known = {client.client_id: client for client in Client.batch_get(ids, consistent_read=True)}
    if not problems:
        problems = client_files.check(clients, known, if_exists)
    if problems:
        raise click.ClickException("\n".join(f"entry {number}: {problems[number]}" for number in problems))
    return clients, known


def _verify(client_id: str, verified: bool, as_json: bool) -> None:
    client = find_client(client_id)
    registration.verify(client, verified)
    show(_record(client), as_json)


def _owner_id(email: str | None) -> str | None:
    return str(find_account(email).user_id) if email is not None else None


def _record(client: Client) -> dict[str, Any]:
    return {
        "client_id": client.client_id,
        "client_name": client.client_name,
        "description": client.description,
        "client_uri": client.client_uri,
        "application_type": client.application_type,
        "redirect_uris": list(client.redirect_uris),
        "grant_types": list(client.grant_types),
        "scope": client.scope,
        "token_endpoint_auth_method": client.token_endpoint_auth_method,
        "may_introspect": client.may_introspect,
        "owner": client.owner,
        "created_at": when(client.created_at),
        "verified_at": when(client.verified_at),
        "disabled_at": when(client.disabled_at),
    }
