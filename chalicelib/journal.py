"""Telling what happens: to the log, and to the audit trail if the catalogue says so."""

from typing import Any

from chalicelib import catalogue, logs
from chalicelib.catalogue import Event


def tell(event: Event, **fields: Any) -> None:
    """Tell of an event that has happened, once it cannot be undone. It never fails.

    Args:
        event: of the catalogue.
        fields: what is known of it, by the names that the catalogue has.
    """
    if event.audited:
        fields["audited"] = _record(event, fields)
    logs.write(event, fields)


def tell_failure(event: Event, error: BaseException, **fields: Any) -> None:
    """Tell of an event that an exception is behind."""
    tell(event, **fields, **logs.failure(error))


def _record(event: Event, fields: dict[str, Any]) -> bool:
    """Add an event to the audit trail. If that fails, the log says so, and what was done stays done."""
    from chalicelib.models import audit

    try:
        audit.record(event, logs.noted() | fields)
    except Exception as error:
        logs.write(catalogue.AUDIT_FAILED, {"missing": event.name, **logs.failure(error)})
        return False
    return True
