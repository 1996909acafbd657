"""`manage.py client`: registered applications."""

import time
from typing import Any, TextIO

import click

from chalicelib.accounts import accounts
from chalicelib.models.client import Client
from chalicelib.oauth import registration, revocation
from chalicelib.oauth.grants import GRANT_TYPES
from chalicelib.oauth.registration import ClientMetadata, InvalidClientMetadata
from chalicelib.settings import settings
from management.options import DURATION, confirmed
from management.output import json_option, show, show_all, when


@click.group("client")
def command() -> None:
    """Register applications and manage them."""


@command.command()
@click.option("--name", required=True, help="What users see when they are asked.")
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
    type=click.Choice(registration.AUTHENTICATION_METHODS),
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
    show(_record(_find(client_id)), as_json)


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
    client = _find(client_id)
    try:
        secret = registration.rotate_secret(client, overlap)
    except InvalidClientMetadata as error:
        raise click.ClickException(str(error)) from None
    show(_record(client) | {"client_secret": secret}, as_json)


@command.command()
@click.argument("client_id")
@json_option
def disable(client_id: str, as_json: bool) -> None:
    """Refuse an application from now on, and revoke all that it was granted."""
    client = _find(client_id)
    registration.disable(client)
    show(_record(client) | {"grants_revoked": _revoke_all(client, "client disabled")}, as_json)


@command.command()
@click.argument("client_id")
@json_option
def enable(client_id: str, as_json: bool) -> None:
    """Serve a disabled application again. What was revoked stays revoked."""
    client = _find(client_id)
    registration.enable(client)
    show(_record(client), as_json)


@command.command()
@click.argument("client_id")
@confirmed("Delete the application and revoke all that it was granted?")
@json_option
def delete(client_id: str, as_json: bool) -> None:
    """Delete an application, and revoke all that it was granted."""
    client = _find(client_id)
    registration.disable(client)
    revoked = _revoke_all(client, "client deleted")
    client.delete()
    show({"client_id": client_id, "deleted": True, "grants_revoked": revoked}, as_json)


def _revoke_all(client: Client, because: str) -> int:
    """Revoke now, and once more when no function starts to answer the client any longer."""
    revoked = sum(1 for _ in revocation.revoke_grants_of_client(client, because))
    click.echo(f"Waiting {settings.client_cache_lifetime} s until all functions know ...", err=True)
    time.sleep(settings.client_cache_lifetime)
    return revoked + sum(1 for _ in revocation.revoke_grants_of_client(client, because))


def _find(client_id: str) -> Client:
    client = Client.find(client_id)
    if client is None:
        raise click.ClickException(f"there is no application {client_id}")
    return client


def _owner_id(email: str | None) -> str | None:
    if email is None:
        return None
    account = accounts.find_by_email(email)
    if account is None:
        raise click.ClickException(f"there is no account {email}")
    return str(account.user_id)


def _record(client: Client) -> dict[str, Any]:
    return {
        "client_id": client.client_id,
        "client_name": client.client_name,
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
