"""`manage.py user`: accounts."""

import sys
from typing import Any

import click

from chalicelib.accounts import accounts, identities
from chalicelib.accounts.accounts import InvalidAccount
from chalicelib.accounts.passwords import UnacceptablePassword
from chalicelib.models.user import Account
from management import revoking
from management.lookup import find_account
from management.output import json_option, show, show_all, when

password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input, not from the terminal."
)


@click.group("user")
def command() -> None:
    """Add accounts and manage them."""


@command.command()
@click.argument("email")
@password_option
@json_option
def add(email: str, password_stdin: bool, as_json: bool) -> None:
    """Add an account."""
    try:
        account = accounts.add(email, _read_password(password_stdin))
    except (InvalidAccount, UnacceptablePassword) as error:
        raise click.ClickException(str(error)) from None
    show(_record(account), as_json)


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List all accounts."""
    records = sorted(map(_record, Account.scan()), key=lambda record: str(record["email"]))
    show_all(records, ["user_id", "email", "created_at", "disabled_at"], as_json)


@command.command("set-password")
@click.argument("email")
@password_option
@json_option
def set_password(email: str, password_stdin: bool, as_json: bool) -> None:
    """Set a password, sign the person out everywhere, and revoke all that was granted in their name."""
    account = find_account(email)
    try:
        revoked = accounts.set_password(account, _read_password(password_stdin))
    except UnacceptablePassword as error:
        raise click.ClickException(str(error)) from None
    show(_record(account) | {"grants_revoked": revoked}, as_json)


@command.command()
@click.argument("email")
@json_option
def disable(email: str, as_json: bool) -> None:
    """Disable an account, sign the person out everywhere, and revoke all that was granted in their name.

    Run it again if it was interrupted.
    """
    account = find_account(email)
    revoked = accounts.disable(account, revoking.revoke_grants_of_user)
    show(_record(account) | {"grants_revoked": revoked}, as_json)


@command.command()
@click.argument("email")
@json_option
def enable(email: str, as_json: bool) -> None:
    """Let a disabled account sign in again. What was revoked stays revoked."""
    account = find_account(email)
    accounts.enable(account)
    show(_record(account), as_json)


@command.command()
@click.argument("email")
@json_option
def unlink(email: str, as_json: bool) -> None:
    """Forget who a person is at the OpenID provider, sign them out, and revoke all that they granted.

    For an address that the provider gave to somebody else, or to the same person anew. Who signs in
    there with the address next gets the account.
    """
    account = find_account(email)
    revoked = identities.unlink(account)
    show(_record(account) | {"grants_revoked": revoked}, as_json)


def _read_password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


def _record(account: Account) -> dict[str, Any]:
    return {
        "user_id": account.user_id,
        "email": account.email,
        "created_at": when(account.created_at),
        "disabled_at": when(account.disabled_at),
    }
