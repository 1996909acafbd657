"""`manage.py doctor`: is a deployed stage well, from end to end?"""

import sys
from collections import Counter
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

import click

from chalicelib.settings import settings
from management.examination import CHECKS, Case, Check, revoked_at_api
from management.guests import Guests, ending_cleanly
from management.output import json_option, show_all
from management.visitor import Failed, Site

LOCAL = "http://127.0.0.1:8000"
OK, FAILED, SKIPPED = "ok", "FAILED", "skipped"
_WIDTH = max(len(check.name) for check in CHECKS)


@dataclass(frozen=True)
class Result:
    """What came out of a check."""

    check: str
    result: str
    detail: str
    """What was found, or what is wrong."""
    advice: str = ""
    """What to do about it."""

    def tell(self) -> None:
        """Print it for people."""
        click.echo(f"{self.result:<7}  {self.check:<{_WIDTH}}  {self.detail}")
        if self.advice:
            click.echo(f"{'':<{_WIDTH + 11}}{self.advice}")


def _url(ctx: click.Context, param: click.Parameter, url: str | None) -> str:
    if url is None:
        url = settings.issuer or (LOCAL if ctx.find_root().params["stage"] == "local" else None)
    if url is None:
        raise click.UsageError("the stage has no OAUTH_ISSUER: say --url https://host/stage")
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        known = False
    if not known or "?" in url or "#" in url or "@" in url or not url.isprintable():
        raise click.BadParameter("expected http(s)://host/stage, without query or password")
    return url.rstrip("/")


@click.command("doctor")
@click.option(
    "--url",
    callback=_url,
    help="Where the stage is deployed.  [default: its OAUTH_ISSUER; of the stage local, make run's]",
)
@click.option("--no-wait", is_flag=True, help="Do not wait for the gateway to forget a revoked token.")
@json_option
def command(url: str, no_wait: bool, as_json: bool) -> None:
    """Check a deployed stage from end to end, over HTTP, as its users would.

    For that it adds an account and an application to the stage's tables, and removes them again, whatever
    happens. It ends with 1 if anything failed.
    """
    case, results = Case(Site(url), Guests()), list[Result]()

    def note(result: Result) -> None:
        results.append(result)
        if not as_json:
            result.tell()

    with ending_cleanly():
        try:
            for check in CHECKS:
                note(_run(check, case, results, no_wait))
        finally:
            if case.guests.expected:
                note(_removal(case))
            if as_json:
                show_all([asdict(result) for result in results], [], as_json)
    counts = Counter(result.result for result in results)
    if not as_json:
        click.echo(f"\n{url}: {', '.join(f'{counts[kind]} {kind}' for kind in (OK, FAILED, SKIPPED))}")
    sys.exit(1 if counts[FAILED] else 0)


def _run(check: Check, case: Case, results: list[Result], no_wait: bool) -> Result:
    passed = {result.check for result in results if result.result == OK}
    missing = [name for name in check.needs if name not in passed]
    if missing:
        return Result(check.name, SKIPPED, f"needs: {', '.join(missing)}")
    if no_wait and check.run is revoked_at_api:
        return Result(check.name, SKIPPED, "--no-wait")
    try:
        return Result(check.name, OK, check.run(case))
    except Failed as failed:
        return Result(check.name, FAILED, failed.reason, failed.advice)
    except ValueError as error:  # A URL or a number that is none, in an answer.
        return Result(check.name, FAILED, f"the answer makes no sense ({type(error).__name__})")


def _removal(case: Case) -> Result:
    left = case.guests.leave(case.site.cookies())
    if left:
        advice = "Run `manage.py client delete` and `user disable` yourself, once DynamoDB answers again."
        return Result("removal", FAILED, f"still there: {', '.join(left)}", advice)
    return Result("removal", OK, "nothing of the temporary account and application is left")
