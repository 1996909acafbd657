"""Lets one request of a run fail, whichever it is, and in each way in which DynamoDB can."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from moto.core.models import botocore_stubber

from tests.faults import ENDPOINT, FAULTS, Response, intercepted

ROOT = str(Path(__file__).parents[2]) + "/"
OURS = (f"{ROOT}chalicelib/", f"{ROOT}management/")

WRITES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems")


class Killed(BaseException):
    """The process is no more. Nothing in it may catch this."""


class Fault(StrEnum):
    """What happens to a request. Its first attempt alone, or all: botocore tries three times."""

    THROTTLED_ONCE = "throttled once"
    ERROR_ONCE = "500 once"
    REFUSED_ONCE = "refused once"
    TIMEOUT_ONCE = "timed out once"
    LOST_ONCE = "answer lost once"
    THROTTLED = "throttled"
    ERROR = "500"
    REFUSED = "refused"
    TIMEOUT = "timed out"
    LOST = "answers lost"
    KILLED_BEFORE = "killed before"
    KILLED_AFTER = "killed after"

    @property
    def is_once(self) -> bool:
        """Whether the second attempt goes well."""
        return self.value.endswith(" once")

    @property
    def kills(self) -> bool:
        """Whether nobody gets an answer."""
        return self.value.startswith("killed")


_UNREACHABLE = EndpointConnectionError(endpoint_url=ENDPOINT)
_NO_ANSWER = ReadTimeoutError(endpoint_url=ENDPOINT)


@dataclass(frozen=True)
class Request:
    """A request to DynamoDB, however often it was tried."""

    operation: str
    stack: tuple[tuple[str, str, int], ...]
    """The frames of ours that it comes from, the innermost first: file, function, line."""

    @property
    def place(self) -> tuple[Any, ...]:
        """Which step it is of what: the two functions that come before the models."""
        return (self.operation, *self._frames[:2])

    @property
    def is_of_the_command_line(self) -> bool:
        """Whether a command asks by itself, and none of the functions that it shares with the server."""
        return self._frames[0][0].startswith("management/")

    @property
    def _frames(self) -> list[tuple[str, str, int]]:
        return [frame for frame in self.stack if "/models/" not in frame[0]]

    @property
    def writes(self) -> bool:
        """Whether it can change anything."""
        return self.operation in WRITES

    def __str__(self) -> str:
        file, _, line = self._frames[0]
        return f"{self.operation} {file}:{line}"


class Injection:
    """The requests of a run, one of which fails."""

    def __init__(self, at: int | None = None, fault: Fault | None = None) -> None:
        self.requests: list[Request] = []
        self.at, self.fault = at, fault
        self.after_each: Callable[[], None] = lambda: None
        self._answer = botocore_stubber.process_request
        self._answers: dict[str, Any] = {}

    def handle(self, request: AWSPreparedRequest) -> Response | None:
        """Answer a request as DynamoDB does, or fail."""
        first = request.headers["amz-sdk-request"].startswith(b"attempt=1")
        if first:
            operation = request.headers["X-Amz-Target"].decode().rpartition(".")[2]
            self.requests.append(Request(operation, tuple(_stack())))
        if len(self.requests) - 1 != self.at or self.fault is None or (self.fault.is_once and not first):
            answer = self._apply(request)
            self.after_each()
            return cast("Response | None", answer)
        return self._fail(self.fault, request)

    def _fail(self, fault: Fault, request: AWSPreparedRequest) -> Response | None:
        if fault in (Fault.THROTTLED, Fault.THROTTLED_ONCE):
            return FAULTS["throughput exceeded"]()
        if fault in (Fault.ERROR, Fault.ERROR_ONCE):
            return FAULTS["internal error"]()
        if fault in (Fault.REFUSED, Fault.REFUSED_ONCE):
            raise _UNREACHABLE
        if fault in (Fault.LOST, Fault.LOST_ONCE, Fault.KILLED_AFTER):
            self._apply(request)
        raise Killed if fault.kills else _NO_ANSWER

    def _apply(self, request: AWSPreparedRequest) -> Any:
        """Let moto answer. A transaction that was done is not done again: moto does not know that."""
        token = json.loads(request.body).get("ClientRequestToken")
        if token in self._answers:
            return self._answers[token]
        answer: Any = self._answer(request)
        if token and answer[0] == 200:
            self._answers[token] = answer
        return answer


@contextmanager
def injected(injection: Injection) -> Iterator[None]:
    """Let an injection have the requests of the block. Nobody waits in it."""
    with intercepted(injection.handle):
        yield


def _stack() -> Iterator[tuple[str, str, int]]:
    frame = sys._getframe(2)
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(OURS):
            yield code.co_filename.removeprefix(ROOT), code.co_qualname, frame.f_lineno
        frame = frame.f_back  # type: ignore[assignment]
