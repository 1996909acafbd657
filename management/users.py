"""`manage.py user`: accounts."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import click

from chalicelib.accounts import accounts, identities
from chalicelib.accounts.accounts import InvalidAccount
from chalicelib.accounts.passwords import UnacceptablePassword
from chalicelib.catalogue import ACCOUNTS_IMPORTED
from chalicelib.journal import tell
from chalicelib.models.user import Account, Identity
from management import revoking, user_files
from management.lookup import find_account
from management.output import json_option, show, show_all, when
from management.progress import progress
from management.user_files import BadEntries

SHOWN_PROBLEMS = 20
"""Of a file that cannot be imported."""

password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input, not from the terminal."
)


@click.group("user")
def command() -> None:
    """Add accounts and manage them."""


@command.command()
@click.argument("email")
@password_option
@click.option("--operator", is_flag=True, help="This person may look after other people's applications.")
@json_option
def add(email: str, password_stdin: bool, operator: bool, as_json: bool) -> None:
    """Add an account."""
    try:
        account = accounts.add(email, _read_password(password_stdin), is_operator=operator)
    except (InvalidAccount, UnacceptablePassword) as error:
        raise click.ClickException(str(error)) from None
    show(_record(account), as_json)


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List all accounts."""
    records = sorted(map(_record, Account.scan()), key=lambda record: str(record["email"]))
    show_all(records, ["user_id", "email", "is_operator", "created_at", "disabled_at"], as_json)


@command.command("set-password")
@click.argument("email")
@password_option
@json_option
def set_password(email: str, password_stdin: bool, as_json: bool) -> None:
    """Set a password, sign the person out everywhere, and revoke all that was granted in their name.

    If it breaks off after the password was set, the next sign-in revokes what is left; or run it again.
    """
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
    there with the address next gets the account. Run it again if the same person is still refused.
    """
    account = find_account(email)
    was_linked = account.identity is not None
    revoked = identities.unlink(account)
    if not was_linked:
        _delete_leftovers(account)
    show(_record(account) | {"grants_revoked": revoked}, as_json)


@command.command()
@click.argument("email")
@json_option
def promote(email: str, as_json: bool) -> None:
    """Make a person an operator, who may look after other people's applications on the pages."""
    account = find_account(email)
    accounts.set_operator(account, True)
    show(_record(account), as_json)


@command.command()
@click.argument("email")
@json_option
def demote(email: str, as_json: bool) -> None:
    """Make an operator a person like all others. Counts from their next page on."""
    account = find_account(email)
    accounts.set_operator(account, False)
    show(_record(account), as_json)


@command.command("import")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--if-exists",
    type=click.Choice(["skip", "fail"]),
    default="fail",
    show_default=True,
    help="What to do with e-mail addresses that have an account.",
)
@json_option
def import_(file: BinaryIO, if_exists: str, as_json: bool) -> None:
    """Add accounts from a file: a JSON array, JSON lines, or CSV with a header.

    Each has an email and may have a password_hash, created_at (ISO 8601 or epoch seconds), disabled,
    is_operator (true or false), and the user_id of an earlier export. Hashes may be bcrypt, PBKDF2 or
    argon2, as Django and passlib write them too; the first sign-in replaces them.

    All of it is checked first: one bad entry, and nothing is imported. A run that was interrupted
    goes on with --if-exists skip.
    """
    with _bad_entries_told():
        pending, skipped = user_files.split(user_files.read(file.read()), skip=if_exists == "skip")
    imported = 0
    try:
        with progress(len(pending), "accounts imported") as so_far:
            for account in pending:
                try:
                    accounts.store(account)
                    imported += 1
                except InvalidAccount as error:  # Somebody else added it since we looked.
                    if if_exists == "fail":
                        raise click.ClickException(f"{account.email}: {error}") from None
                    skipped += 1
                so_far.advance()
    except BaseException:
        click.echo(f"{imported} are imported, the rest is not: go on with --if-exists skip", err=True)
        raise
    finally:
        if imported:
            tell(ACCOUNTS_IMPORTED, count=imported)
    show({"imported": imported, "skipped": skipped}, as_json)


@command.command()
@click.option("--with-password-hashes", is_flag=True, help="Whoever has them can try passwords offline.")
def export(with_password_hashes: bool) -> None:
    """Print all accounts as JSON lines, for `user import`."""
    for account in sorted(Account.scan(consistent_read=True), key=lambda account: str(account.email)):
        click.echo(json.dumps(user_files.record(account, with_password_hash=with_password_hashes)))


def _delete_leftovers(account: Account) -> None:
    """Delete identities that lead to an account which names none, as tables from a backup may have them.

    Backups get transactions row by row. Nobody can sign in by them, nor be linked anew.
    """
    for identity in Identity.scan(Identity.account_id == account.user_id, consistent_read=True):
        identity.delete()


@contextmanager
def _bad_entries_told() -> Iterator[None]:
    try:
        yield
    except BadEntries as bad:
        for problem in bad.problems[:SHOWN_PROBLEMS]:
            click.echo(problem, err=True)
        more = len(bad.problems) - SHOWN_PROBLEMS
        if more > 0:
            click.echo(f"and {more} more", err=True)
        raise click.ClickException("nothing was imported") from None


def _read_password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


def _record(account: Account) -> dict[str, Any]:
    return {
        "user_id": account.user_id,
        "email": account.email,
        "is_operator": account.is_operator,
        "created_at": when(account.created_at),
        "disabled_at": when(account.disabled_at),
    }
