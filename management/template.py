"""`manage.py template`: what Chalice's package and deployment need from us."""

import json
from pathlib import Path
from typing import TextIO

import click

from chalicelib.scope_rules import ScopeRulesError, check_scopes, parse, to_stage_variable
from chalicelib.settings import settings
from management import infrastructure
from management import stage as stages
from management.infrastructure import policies as written
from management.stage_settings import StageError, StageSettings


@click.group("template")
def command() -> None:
    """Print or write what goes into a deployment."""


@command.command()
@click.pass_context
def resources(ctx: click.Context) -> None:
    """Print the resources for `chalice package --merge-template`."""
    try:
        template = infrastructure.template(StageSettings.of(_stage(ctx)))
    except StageError as error:
        raise click.ClickException(str(error)) from None
    click.echo(json.dumps(template, indent=2))


@command.command()
@click.pass_context
def policies(ctx: click.Context) -> None:
    """Write each function's IAM policy into .chalice/, where its configuration names it."""
    for function in written.PERMISSIONS:
        path = policy_file(function, _stage(ctx))
        document = written.policy(function, StageSettings.of(_stage(ctx)))
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        click.echo(f"wrote {path.relative_to(Path.cwd())}" if path.is_relative_to(Path.cwd()) else str(path))


@command.command("scope-rules")
@click.argument("rules", type=click.File(encoding="utf-8"))
def scope_rules(rules: TextIO) -> None:
    """Check the scope rules of an API and print them as its stage variable `oauth_scope_rules`.

    RULES is a file, or - for standard input: a JSON object as {"GET /maps/*": "read", "GET /health": ""}.
    The scopes are those of the stage. What is printed is the same JSON in base64url, since a stage variable
    may hold neither quotes nor braces. docs/protect-your-api.md tells what the rules mean.
    """
    try:
        parsed = parse(rules.read())
        check_scopes(parsed, settings.scopes)
        click.echo(to_stage_variable(parsed))
    except UnicodeDecodeError:
        raise click.ClickException(f"{rules.name}: not UTF-8") from None
    except ScopeRulesError as error:
        raise click.ClickException(f"{rules.name}: {error}") from None


def policy_file(function: str, stage: str) -> Path:
    """Return where the policy of a function is."""
    return stages.CONFIG.parent / f"policy-{stage}-{function.replace('_', '-')}.json"


def _stage(ctx: click.Context) -> str:
    return str(ctx.find_root().params["stage"])
