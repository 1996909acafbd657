"""`manage.py audit`: what was changed and by whom, and who tried to get what is not theirs."""

import json
import re
from typing import Any

import click

from chalicelib import clock
from chalicelib.catalogue import EVENTS
from chalicelib.models import audit
from chalicelib.models.audit import AuditRecord
from chalicelib.oauth import credentials
from management.lookup import find_account
from management.options import Duration, moment
from management.output import json_option, show_stream

COLUMNS = {
    "time": 23,
    "event": 22,
    "actor": 16,
    "client_id": 16,
    "user_id": 16,
    "source_ip": 15,
    "details": 1,
}

AUDITED = sorted(event.name for event in EVENTS.values() if event.audited)


class Moment(Duration):
    """A point in time: so long ago as `90`, `30m`, `24h` or `7d` say, or as ISO 8601; in milliseconds."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it."""
        if re.fullmatch(r"[0-9]{1,9}[smhd]?", str(value)):
            return max(0, clock.milliseconds() - super().convert(value, param, ctx) * 1000)
        try:
            return max(0, int(moment(str(value)).timestamp() * 1000))
        except (ValueError, OverflowError):
            self.fail("expected how long ago, as 30m, 24h or 7d, or a time as 2026-01-31T12:00", param, ctx)


MOMENT = Moment()


@click.command("audit")
@click.option(
    "--since", type=MOMENT, default="24h", show_default=True, help="From when on: how long ago, or a time."
)
@click.option("--until", type=MOMENT, help="Until when.  [default: now]")
@click.option(
    "--event",
    "events",
    multiple=True,
    metavar="NAME",
    help="Only these events, as refresh.reused, or all of a kind, as client.*; repeatable.",
)
@click.option("--client", "client_id", metavar="ID", help="Only what is about this application.")
@click.option(
    "--user", metavar="EMAIL|ID", help="Only what is about this person, or was done by them on the pages."
)
@json_option
def command(
    since: int,
    until: int | None,
    events: tuple[str, ...],
    client_id: str | None,
    user: str | None,
    as_json: bool,
) -> None:
    """Show the audit trail, the newest last. Times are in UTC, or say where they are.

    It has what changed who may do what (applications, accounts, consents, revocations), who did it,
    and what looks like an attack (code.replayed, refresh.reused, sign_in.throttled). Each token and
    each request is in the log instead. "actor" is the id of who was signed in, or who ran manage.py.

    \b
    manage.py --stage prod audit --since 1h
    manage.py --stage prod audit --since 7d --event refresh.reused --event code.replayed
    manage.py --stage prod audit --since 2026-01-31 --until 2026-02-01 --user somebody@example.org --json

    A day is 24 requests to DynamoDB. Events are kept for OAUTH_AUDIT_RETENTION seconds.
    """  # noqa: D301 (click's mark for lines that stay as they are)
    _check_events(events)
    until = clock.milliseconds() + 1 if until is None else until
    if since > until:
        raise click.UsageError("--since is after --until")
    user_id = _user_id(user)
    found = (
        _described(record)
        for record in audit.read(since, until)
        if _is_one_of(record.event, events)
        and client_id in (None, record.client_id)
        and user_id in (None, record.user_id, record.actor)
    )
    show_stream(found if as_json else map(_at_a_glance, found), COLUMNS, as_json)


def _check_events(events: tuple[str, ...]) -> None:
    for name in events:
        if not any(_is_one_of(known, (name,)) for known in AUDITED):
            raise click.UsageError(f"--event: the trail has no {name!r}, but {', '.join(AUDITED)}")


def _is_one_of(name: str, wanted: tuple[str, ...]) -> bool:
    return not wanted or any(
        name.startswith(one[:-1]) if one.endswith(".*") else name == one for one in wanted
    )


def _user_id(user: str | None) -> str | None:
    """Return whom an e-mail address or an id names. An id need not be known any longer."""
    if user is None:
        return None
    if re.fullmatch(rf"[0-9A-Za-z]{{{credentials.USER_ID_LENGTH}}}", user):
        return user
    return str(find_account(user).user_id)


def _described(record: AuditRecord) -> dict[str, Any]:
    columns = {name: getattr(record, name) for name in audit.COLUMNS}
    return {"time": record.at.partition("#")[0], "event": record.event, **columns, **(record.details or {})}


def _at_a_glance(described: dict[str, Any]) -> dict[str, Any]:
    """Return an event for a table: what has no column of its own, in one."""
    columns = {name: described.get(name) for name in COLUMNS}
    rest = {name: value for name, value in described.items() if name not in columns and value is not None}
    rest.pop("request_id", None)
    return columns | {"details": ", ".join(f"{name} {_text(value)}" for name, value in rest.items()) or None}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
