"""What the change of a row means to the platform.

A stream of DynamoDB tells each change with the row before and after it, in DynamoDB's own JSON. What
is read of a row is read here, attribute by attribute: nothing else of it can get into an event.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

GRANT_CREATED = "grant.created"
GRANT_REVOKED = "grant.revoked"
REFRESH_REUSED = "refresh.reused"
CLIENT_REGISTERED = "client.registered"

REUSE = "refresh token reused"
"""Why `oauth.grants.refresh_token` revokes a grant."""

Image = Mapping[str, Any]
"""A row, as `{"scope": {"S": "read"}}`."""


@dataclass(frozen=True)
class Event:
    """What happened."""

    name: str
    detail: Mapping[str, str]
    """Ids, scope, reason, time; `id` is the same however often the event is delivered."""


def events_of(record: Mapping[str, Any]) -> list[Event]:
    """Return what a change means, which often is nothing.

    Args:
        record: of the stream of `grants` or `clients`, with the row before and after.

    Raises:
        LookupError, TypeError, ValueError, AttributeError, OverflowError: the record is not like that.
    """
    change = record["dynamodb"]
    old, new = change.get("OldImage"), change.get("NewImage")
    if new is None:  # Deleted, by an operator or because it expired.
        return []
    if "grant_id" in change["Keys"]:
        return list(_of_grant(old, new))
    return list(_of_client(old, new))


def _of_grant(old: Image | None, new: Image) -> Iterator[Event]:
    """Tell what became of a grant of a user.

    An application's own (client credentials) is no news, nor is one that a device asks for: that
    has no user until somebody allows it.
    """
    if "user_id" not in new:
        return
    names = ("grant_id", "client_id", "user_id", "scope")
    if "revoked_at" not in new:
        if old is None or "user_id" not in old:
            yield _event(GRANT_CREATED, new, _made_at(new), names)
    elif old is not None and "revoked_at" not in old:
        reason = _text(new, "revoked_because")
        yield _event(GRANT_REVOKED, new, _number(new, "revoked_at"), names, reason=reason)
        if reason == REUSE:
            yield _event(REFRESH_REUSED, new, _number(new, "revoked_at"), names)


def _made_at(grant: Image) -> int:
    """Return when the user allowed it: of a device's grant, that is later than its row."""
    if "device_code" in grant:
        return _number(grant["device_code"]["M"], "approved_at")
    return _number(grant, "created_at")


def _of_client(old: Image | None, new: Image) -> Iterator[Event]:
    if old is None:
        names = ("client_id", "owner", "scope") if "owner" in new else ("client_id", "scope")
        yield _event(CLIENT_REGISTERED, new, _number(new, "created_at"), names)


def _event(name: str, row: Image, at: int, names: tuple[str, ...], **more: str) -> Event:
    facts = {attribute: _text(row, attribute) for attribute in names}
    identity = " ".join((name, facts[names[0]], _text(row, "revision")))
    head = {
        # Each write of a row has its own `revision`. The stream's `eventID` would do as well, but
        # differs between the regions of a global table.
        "id": hashlib.sha256(identity.encode()).hexdigest()[:32],
        "at": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return Event(name, head | facts | more)


def _text(row: Image, attribute: str) -> str:
    text = row[attribute]["S"]
    if not isinstance(text, str):
        raise TypeError(attribute)
    return text


def _number(row: Image, attribute: str) -> int:
    return int(row[attribute]["N"])
