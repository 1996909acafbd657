"""The log: one JSON object for each event, on one line of standard output.

CloudWatch counts and measures by these lines (`management.infrastructure.metrics`). No line has a
secret: who writes one passes fields by name, and never a request, its parameters or its headers. Of
an exception it has the type and the place, and not the message, which may quote what was sent.
"""

import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from chalicelib import catalogue, clock
from chalicelib.catalogue import Event

LONGEST = 300
"""Characters of a field."""
LONGEST_LIST = 100
"""Items."""
FRAMES = 30
"""Of a traceback: the innermost ones."""
MOST_CAUSES = 5

_as_json = json.JSONEncoder(separators=(",", ":")).encode
"""Every byte is paid for."""

IN_LAMBDA = "AWS_LAMBDA_FUNCTION_NAME" in os.environ
"""There CloudWatch notes itself when a line came (`@timestamp`); elsewhere a line begins with its time."""


class Invocation:
    """What all events of one request have in common."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.fields = dict(fields)
        self.dynamodb_requests = 0


_current: ContextVar[Invocation | None] = ContextVar("invocation", default=None)
_instead: "Callable[[Event, Mapping[str, Any]], None] | None" = None


def begin(**fields: Any) -> Invocation:
    """Begin a request: every event from now on has these fields."""
    invocation = Invocation(fields)
    _current.set(invocation)
    return invocation


def end() -> None:
    """End a request."""
    _current.set(None)


def note(**fields: Any) -> None:
    """Add to what every event of this request has, what became known meanwhile."""
    invocation = _current.get()
    if invocation is not None:
        invocation.fields |= fields


def noted() -> dict[str, Any]:
    """Return what every event of this request has."""
    invocation = _current.get()
    return invocation.fields if invocation is not None else {}


def count_dynamodb_request() -> None:
    """Count a request to DynamoDB for the request that it is made for."""
    invocation = _current.get()
    if invocation is not None:
        invocation.dynamodb_requests += 1


@contextmanager
def handed_to(instead: Callable[[Event, Mapping[str, Any]], None]) -> Iterator[None]:
    """Hand events to somebody else: at the command line, where standard output is the command's."""
    global _instead  # noqa: PLW0603 (so is standard output)
    before, _instead = _instead, instead
    try:
        yield
    finally:
        _instead = before


def write(event: Event, fields: Mapping[str, Any]) -> None:
    """Write the line of an event. It never fails.

    Args:
        event: what happened.
        fields: what is known of it; those that are None are left out.
    """
    if _instead is not None:
        return _instead(event, fields)
    line = {} if IN_LAMBDA else {"time": clock.iso(clock.milliseconds())}
    line |= {"level": event.level, "event": event.name}
    line |= {name: clean(value) for name, value in (noted() | dict(fields)).items() if value is not None}
    with suppress(OSError):
        sys.stdout.write(_as_json(line) + "\n")
        sys.stdout.flush()
    return None


def failure(error: BaseException) -> dict[str, Any]:
    """Return the fields that tell of an exception: its type, DynamoDB's code, and where it was raised.

    Neither the message nor the values of variables are among them.
    """
    causes = _causes(error)
    codes = [code for cause in causes if (code := _code(cause))]
    frames = traceback.StackSummary.extract(traceback.walk_tb(error.__traceback__), lookup_lines=False)
    return {
        "exception": " from ".join(
            f"{type(cause).__module__}.{type(cause).__qualname__}" for cause in causes
        ),
        "code": codes[0] if codes else None,
        "traceback": [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames[-FRAMES:]],
    }


def clean(value: Any) -> Any:
    """Return a value as it may stand in a line: text that is valid, and no longer than it has to be.

    What could end a line or steer a terminal is escaped by JSON; a half of a surrogate pair, which
    JSON would pass on, becomes a question mark.
    """
    if isinstance(value, int | float):  # bool is an int.
        return value
    if isinstance(value, str) and value.isascii() and len(value) <= LONGEST:
        return value
    if isinstance(value, list | tuple):
        return [clean(item) for item in value[:LONGEST_LIST]]
    text = str(value)[: LONGEST + 1].encode("utf-8", "replace").decode()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _causes(error: BaseException) -> list[BaseException]:
    """Return an exception and what it was raised from."""
    causes = [error]
    while len(causes) < MOST_CAUSES:
        cause = causes[-1].__cause__ or getattr(causes[-1], "cause", None)  # pynamodb's own attribute
        if not isinstance(cause, BaseException):
            break
        causes.append(cause)
    return causes


def _code(error: BaseException) -> str | None:
    """Return the code of AWS's answer, if that is what an exception is about."""
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return code if isinstance(code, str) else None


def _short(path: str) -> str:
    """Return the path of a module as it is imported."""
    for root, kept in (("/site-packages/", ""), ("/chalicelib/", "chalicelib/")):
        _, found, after = path.rpartition(root)
        if found:
            return kept + after
    return os.path.basename(path)


class LibraryHandler(logging.Handler):
    """Writes what libraries log in the form of our own lines."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, without what was put into its message: nobody knows what that is."""
        fields: dict[str, Any] = {
            "logger": record.name,
            "message": record.msg if isinstance(record.msg, str) else type(record.msg).__name__,
            "level": record.levelname,
        }
        if record.exc_info and record.exc_info[1]:
            fields |= failure(record.exc_info[1])
        write(catalogue.LIBRARY, fields)


def take_over() -> None:
    """Let the libraries' log come through here as well, and not through Lambda's handler, as plain text."""
    logging.getLogger().handlers[:] = [LibraryHandler()]
    logging.captureWarnings(True)


if IN_LAMBDA:
    take_over()
