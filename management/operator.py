"""Who is at the command line, for the audit trail, and what it says of itself when it misses something."""

import getpass
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, cached_property
from typing import Any

import click

from chalicelib import catalogue, logs
from chalicelib.catalogue import Event
from chalicelib.models.table import dynamodb


class Operator:
    """Who runs the command: their account on this machine and, with AWS, whom AWS takes them for."""

    def __str__(self) -> str:
        return self._name

    @cached_property
    def _name(self) -> str:
        try:
            user = getpass.getuser()
        except (KeyError, OSError):  # A container may know its user by number alone.
            user = "unknown"
        arn = None if dynamodb.host else _caller_arn()
        return f"manage.py {user}" + (f" ({arn})" if arn else "")


@cache
def _caller_arn() -> str | None:
    """Ask AWS. If it does not tell at once, the trail has to do without."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    config = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 1})
    try:
        sts = boto3.client("sts", region_name=dynamodb.region, config=config)
        return str(sts.get_caller_identity()["Arn"])
    except (BotoCoreError, ClientError):
        return None


@contextmanager
def at_the_command_line() -> Iterator[None]:
    """Put the operator's name to what happens, and keep the log out of the command's output."""
    with logs.handed_to(_warn):
        logs.begin(actor=Operator())
        try:
            yield
        finally:
            logs.end()


def _warn(event: Event, fields: Mapping[str, Any]) -> None:
    if event is catalogue.AUDIT_FAILED:
        click.echo(
            f"Warning: the audit trail does not have {fields['missing']}: {fields['exception']}", err=True
        )
