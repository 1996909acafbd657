"""Makes DynamoDB fail, as it does: throttled, out of reach, or with an answer that gets lost.

The faults take the place of moto's answers, so that botocore's retries happen, without the waiting.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError
from botocore.retries.quota import RetryQuota
from moto.core.models import botocore_stubber

ENDPOINT = "https://dynamodb.us-east-1.amazonaws.com"

Response = tuple[int, dict[str, str], str]
Fault = Callable[[], Response]
"""What happens instead of an answer."""


def refusal(status: int, code: str, *reasons: str) -> Fault:
    """Return a fault: DynamoDB answers with an error; `reasons` are those of a transaction."""
    body = {
        "__type": f"com.amazonaws.dynamodb.v20120810#{code}",
        "message": "no",
        "CancellationReasons": [{"Code": reason} for reason in reasons],
    }
    return lambda: (status, {}, json.dumps(body))


def no_answer(error: Exception) -> Fault:
    """Return a fault: DynamoDB does not answer."""

    def fail() -> Response:
        raise error

    return fail


FAULTS = {
    "throughput exceeded": refusal(400, "ProvisionedThroughputExceededException"),
    "throttled": refusal(400, "ThrottlingException"),
    "request limit": refusal(400, "RequestLimitExceeded"),
    "internal error": refusal(500, "InternalServerError"),
    "unavailable": refusal(503, "ServiceUnavailable"),
    "no permission": refusal(400, "AccessDeniedException"),
    "no table": refusal(400, "ResourceNotFoundException"),
    "unreachable": no_answer(EndpointConnectionError(endpoint_url=ENDPOINT)),
    "connect timeout": no_answer(ConnectTimeoutError(endpoint_url=ENDPOINT)),
    "read timeout": no_answer(ReadTimeoutError(endpoint_url=ENDPOINT)),
}

CONFLICT = refusal(400, "ConditionalCheckFailedException")
TRANSACTION_CONFLICT = refusal(400, "TransactionCanceledException", "None", "TransactionConflict", "None")


@contextmanager
def storage_fails(fault: Fault, operation: str = "") -> Iterator[mock.Mock]:
    """Let every request to DynamoDB fail, or every one of an operation such as `PutItem`.

    Yields:
        What stands in for `time.sleep`.
    """
    with intercepted(lambda _: fault(), operation) as sleep:
        yield sleep


@contextmanager
def answer_gets_lost(operation: str) -> Iterator[list[str]]:
    """Let the next request of an operation take effect, and its answer get lost.

    Yields:
        The operations whose answers got lost.
    """
    lost: list[str] = []
    answer = botocore_stubber.process_request

    def lose(request: AWSPreparedRequest) -> None:
        if not lost:
            lost.append(operation)
            assert answer(request)
            raise ReadTimeoutError(endpoint_url=ENDPOINT)

    with intercepted(lose, operation):
        yield lost


@contextmanager
def first_attempt_fails(operation: str) -> Iterator[list[Any]]:
    """Let the next request of an operation get no answer, and have no effect.

    Yields:
        What every request of the operation says: the one that failed, and its retries.
    """
    attempts: list[Any] = []

    def fail(request: AWSPreparedRequest) -> None:
        attempts.append(json.loads(request.body))
        if len(attempts) == 1:
            raise EndpointConnectionError(endpoint_url=ENDPOINT)

    with intercepted(fail, operation):
        yield attempts


@contextmanager
def first_attempt_is_refused(fault: Fault, operation: str) -> Iterator[None]:
    """Let the next request of an operation fail, and all after it be as they are."""
    pending = [fault]
    with intercepted(lambda _: pending.pop()() if pending else None, operation):
        yield
    assert not pending, f"there was no {operation}"


@contextmanager
def meanwhile(operation: str, happens: Callable[[], object]) -> Iterator[None]:
    """Let something happen, once, just before a request of an operation reaches DynamoDB."""
    pending = [happens]

    def interrupt(_: AWSPreparedRequest) -> None:
        if pending:
            pending.pop()()

    with intercepted(interrupt, operation):
        yield
    assert not pending, f"there was no {operation}"


@contextmanager
def intercepted(
    handle: Callable[[AWSPreparedRequest], Response | None], operation: str = ""
) -> Iterator[mock.Mock]:
    """Let each request to DynamoDB, or each of an operation, be handled before moto answers it.

    botocore does not tire of retrying, as it does in a process in which many requests failed.

    Args:
        handle: returns what the answer is instead, if it is not moto's.
        operation: such as `PutItem`.

    Yields:
        What stands in for `time.sleep`.
    """
    answer = botocore_stubber.process_request

    def process(request: AWSPreparedRequest) -> object:
        target = request.headers.get("X-Amz-Target")
        if not target:  # Another service than DynamoDB.
            return answer(request)
        name = target.decode() if isinstance(target, bytes) else target
        response = handle(request) if name.endswith(f".{operation}") or not operation else None
        return response or answer(request)

    with (
        mock.patch.object(botocore_stubber, "process_request", process),
        mock.patch.object(RetryQuota, "acquire", return_value=True),
        mock.patch("time.sleep") as sleep,
    ):
        yield sleep
