"""`manage.py deploy`, `destroy` and `package`: a stage in AWS, by one command.

CloudFormation does the work. What is uploaded is named by its hash, so that a second deployment of
the same uploads nothing, and a stack that fails goes back to code that is still there.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from botocore.exceptions import BotoCoreError, ClientError

from management import adoption, packaging
from management.account import Account, Store
from management.dependencies import ROOT, PackagingError
from management.infrastructure import logging_role
from management.infrastructure.functions import LAYER_FILE
from management.output import json_option, say
from management.packaging import Package
from management.stack import Change, Plan, Stack, StackError
from management.stage_settings import StageError, StageSettings

FOLDER = ROOT / "build" / "package"
LOCAL = "local"


@click.command("package")
@click.option(
    "--to", "folder", type=click.Path(path_type=Path), default=FOLDER, help="[default: build/package]"
)
@click.pass_context
def package(ctx: click.Context, folder: Path) -> None:
    """Build what `deploy` uploads: sam.json, deployment.zip, layer.zip, and sbom.cdx.json.

    The last is the bill of materials: what is in the two before it, in the words of CycloneDX. For those
    who deploy by other means: `aws cloudformation package` and `deploy`, or `sam deploy`.
    """
    with _told():
        built = packaging.build(_settings(ctx), folder, say)
    for path in (built.template, built.code, built.layer, built.sbom):
        click.echo(f"{path}  {path.stat().st_size:,} bytes")


@click.command("deploy")
@click.option(
    "--plan", "planned", is_flag=True, help="Show what would change, and ask; without a terminal, stop there."
)
@click.option(
    "--bucket",
    help="Where code is uploaded to. [default: <app>-deployments-<account>-<region>, made if need be]",
)
@json_option
@click.pass_context
def deploy(ctx: click.Context, planned: bool, bucket: str | None, as_json: bool) -> None:
    """Deploy a stage: package, upload, and let CloudFormation change what has changed.

    Credentials and the region are those of the AWS command line (AWS_PROFILE, AWS_REGION, ...). Run it
    again after any change of code or of .chalice/config.json; while it updates, the old code answers.
    If it fails, everything is as it was before.
    """
    settings = _settings(ctx)
    with _told():
        account = Account()
        say(f"Stage {settings.name} in account {account.id}, region {account.region}")
        built = packaging.build(settings, FOLDER, say)
        store = account.store(bucket or f"{settings.app_name}-deployments-{account.id}-{account.region}")
        url = _upload(built, store, settings)
        stack = account.stack(settings.stack_name)
        changed = _adopt(account, stack, store, settings, planned) and _change(
            account, stack, url, settings, planned
        )
        if changed and settings.is_prod:
            stack.protect(protected=True)
        _tell(ctx, settings, stack.outputs(), as_json)


@click.command("destroy")
@click.option("--yes", "confirmed", metavar="STAGE", help="The stage's name again, instead of typing it.")
@click.pass_context
def destroy(ctx: click.Context, confirmed: str | None) -> None:
    """Remove a stage from AWS. The tables go with it; those of prod stay, and so does what was uploaded."""
    settings = _settings(ctx)
    with _told():
        account = Account()
        stack = account.stack(settings.stack_name)
        if stack.status is None:
            raise StackError(f"there is no stack {settings.stack_name} in {account.region} of {account.id}")
        stays = "Its tables stay." if settings.is_prod else "Its tables go, with all that is in them."
        say(f"Removing {settings.stack_name} from account {account.id}, region {account.region}. {stays}")
        if (confirmed or click.prompt("Type the stage's name to go on", err=True)) != settings.name:
            raise StackError("that is not its name; nothing was removed")
        if settings.is_prod:
            stack.protect(protected=False)
        stack.delete()
    click.echo(f"{settings.stack_name} is gone" + (", its tables are not" if settings.is_prod else ""))


def _upload(built: Package, store: Store, settings: StageSettings) -> str:
    """Upload the code, its bill of materials and the template, and return the template's URL."""
    template = json.loads(built.template.read_text(encoding="utf-8"))
    code = store.put(built.code.read_bytes(), f"{settings.stack_name}.zip")
    layer = store.put(built.layer.read_bytes(), f"{settings.stack_name}-{LAYER_FILE}")
    store.put(built.sbom.read_bytes(), f"{settings.stack_name}-{built.sbom.name}")
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        if properties.get("CodeUri") == f"./{built.code.name}":
            properties["CodeUri"] = f"s3://{store.bucket}/{code}"
        if properties.get("ContentUri") == f"./{built.layer.name}":
            properties["ContentUri"] = f"s3://{store.bucket}/{layer}"
    return _put_template(store, template, settings)


def _put_template(store: Store, template: Mapping[str, Any], settings: StageSettings) -> str:
    return store.url(store.put(json.dumps(template).encode(), f"{settings.stack_name}.json"))


def _adopt(account: Account, stack: Stack, store: Store, settings: StageSettings, planned: bool) -> bool:
    """Take over what is there of an earlier deployment, if no stack has it.

    Returns:
        Whether to go on.
    """
    if stack.status not in (None, "REVIEW_IN_PROGRESS"):
        return True
    found = adoption.orphans(account, settings)
    if not found:
        return True
    # Tags are the business of the next change: an import may change nothing.
    url = _put_template(store, {"Resources": found}, settings)
    plan = stack.plan(url, {}, adoption.to_import(found))
    return plan is None or _execute(plan, planned, operation="IMPORT")


def _change(account: Account, stack: Stack, url: str, settings: StageSettings, planned: bool) -> bool:
    """Let CloudFormation change what has changed. A plan has access logs; who agrees to it, to their role."""
    logged = planned or may_have_access_logs(account)
    plan = stack.plan(url, _tags(settings), parameters={"AccessLogs": json.dumps(logged)})
    if plan is None:
        say("Nothing has changed")
        return True
    return _execute(plan, planned, first=lambda: logging_role.allow_logging(account))


def may_have_access_logs(account: Account) -> bool:
    """Let API Gateway write logs in this account and region; tell whether it may."""
    try:
        logging_role.allow_logging(account)
    except ClientError as error:
        say(f"Without access logs: API Gateway has no role to write them, and may not be given one: {error}")
        return False
    return True


def _execute(
    plan: Plan, planned: bool, *, first: Callable[[], None] = lambda: None, operation: str = ""
) -> bool:
    """Do what is planned, if somebody who wanted to be asked agrees. Return whether it was done.

    Args:
        plan: the change set.
        planned: whether to show it, and to ask.
        first: is done before it, if somebody was asked.
        operation: as `Plan.execute` has it.
    """
    changes = plan.changes()
    lost = [change.logical_id for change in changes if change.kind == adoption.TABLE and change.loses]
    if planned:
        for change in changes:
            say(_line(change))
        if not sys.stdin.isatty() or not click.confirm("Go on?", err=True):
            plan.discard()
            say("Nothing was changed")
            return False
        first()
    elif lost:
        plan.discard()
        raise StackError(
            f"{', '.join(lost)} would be replaced by an empty one, or go; --plan (PLAN=1) lets you agree"
        )
    plan.execute(operation)
    return True


def _line(change: Change) -> str:
    replaced = "  A NEW ONE TAKES ITS PLACE" if change.replaces else ""
    return f"  {change.action:<8} {change.logical_id:<32} {change.kind}{replaced}"


def _tags(settings: StageSettings) -> dict[str, str]:
    return {"application": settings.app_name, "stage": settings.name}


def _tell(ctx: click.Context, settings: StageSettings, outputs: Mapping[str, str], as_json: bool) -> None:
    if as_json:
        click.echo(
            json.dumps({"stage": settings.name, "stack": settings.stack_name, "outputs": outputs}, indent=2)
        )
        return
    if not outputs:
        return
    width = max(map(len, outputs))
    for name, value in sorted(outputs.items()):
        click.echo(f"{name:<{width}}  {value}")
    server = (
        f"https://{settings.domain_name}"
        if settings.domain_name
        else outputs.get("EndpointURL", "").rstrip("/")
    )
    manage = f".venv/bin/python manage.py --stage {settings.name}"
    click.echo(
        f"""
Authorization endpoint  {server}/oauth2/authorize/
Token endpoint          {server}/oauth2/access_token
Metadata                {server}/.well-known/oauth-authorization-server

Next:
  {manage} user add somebody@example.org
  {manage} client add --name "Some application" --redirect-uri https://app.example/callback
  {manage} doctor --url {server}"""
    )


def _settings(ctx: click.Context) -> StageSettings:
    name = str(ctx.find_root().params["stage"])
    if name == LOCAL:
        raise click.ClickException(
            "the stage local is for this machine (make run); name another with --stage"
        )
    with _told():
        return StageSettings.of(name)


@contextmanager
def _told() -> Iterator[None]:
    """Say in a sentence what went wrong."""
    try:
        yield
    except (StackError, StageError, PackagingError) as error:
        raise click.ClickException(str(error)) from None
    except (BotoCoreError, ClientError) as error:
        raise click.ClickException(f"AWS refused: {error}") from None
    except KeyboardInterrupt:
        raise click.ClickException(
            "interrupted; what CloudFormation has begun, it finishes: run the command again to go on"
        ) from None
