"""The command line itself: options, the stage, and how failures are told."""

import importlib
from typing import Any

import click

from management import stage as stages

COMMANDS = {
    "audit": "management.audit",
    "client": "management.clients",
    "credential": "management.credentials",
    "deploy": "management.deploy:deploy",
    "destroy": "management.deploy:destroy",
    "doctor": "management.doctor",
    "export": "management.exporting",
    "grant": "management.grants",
    "import": "management.importing",
    "package": "management.deploy:package",
    "status": "management.status",
    "tables": "management.tables",
    "template": "management.template",
    "user": "management.users",
}
"""Commands and groups, and their modules: imported when called, after the stage's settings are in place."""


class Commands(click.Group):
    """Command groups that are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all groups."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a group."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name or "command")
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; tell in a sentence what DynamoDB or the settings refuse."""
        from botocore.exceptions import BotoCoreError, ClientError

        from chalicelib.models.table import Conflict, StorageError
        from management.operator import at_the_command_line

        try:
            with at_the_command_line():
                return super().invoke(ctx)
        except Conflict:
            raise click.ClickException("somebody else changed this at the same time; try again") from None
        except (StorageError, BotoCoreError, ClientError) as error:
            raise click.ClickException(explain(error)) from error


def explain(error: Exception) -> str:
    """Say in a sentence what DynamoDB refuses, and what to do about it."""
    from chalicelib.models.table import dynamodb
    from chalicelib.settings import settings

    text, cause = str(error), str(getattr(error, "cause", None) or "")
    if cause not in text:
        text = f"{text}: {cause}"
    if "ResourceNotFoundException" in text or type(error).__name__ == "TableDoesNotExist":
        return f"there are no tables {settings.table_prefix}-*; `manage.py tables create` makes them"
    if dynamodb.host and "Could not connect" in text:
        return f"DynamoDB at {dynamodb.host} does not answer. Is `make run` running? ({text})"
    return f"DynamoDB refused: {text}"


def _enter(ctx: click.Context, param: click.Parameter, stage: str) -> str:
    try:
        stages.enter(stage)
        importlib.import_module("chalicelib.settings")
    except stages.UnknownStage as error:
        raise click.BadParameter(str(error)) from None
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    return stage


@click.command(cls=Commands)
@click.option(
    "--stage",
    default="local",
    show_default=True,
    envvar="STAGE",
    is_eager=True,
    callback=_enter,
    help="A stage in .chalice/config.json.",
)
def manage(stage: str) -> None:
    """Manage an OAuth authorization server: its applications, accounts and tables."""
