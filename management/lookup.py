"""Finding what an operator names, or saying that it is not there."""

import click

from chalicelib.accounts import accounts
from chalicelib.models.client import Client
from chalicelib.models.user import Account
from chalicelib.oauth import clients


def find_client(client_id: str) -> Client:
    """Return an application."""
    client = clients.read(client_id)
    if client is None:
        raise click.ClickException(f"there is no application {client_id}")
    return client


def find_account(email: str) -> Account:
    """Return an account."""
    account = accounts.find_by_email(email)
    if account is None:
        raise click.ClickException(f"there is no account {email}")
    return account
