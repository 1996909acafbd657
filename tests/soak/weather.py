"""Between the functions and DynamoDB: what goes wrong there, one request at a time and in storms."""

import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException

from tests.stack.gateway import Handler, Reply, gateway

RATE = 0.02
"""How many requests of a hundred meet a fault of their own, without a storm: 2."""
PAUSE, STORM = (8.0, 25.0), (0.7, 4.0)
"""Seconds between two storms, and seconds that one lasts."""
DELAY, HANG = (0.05, 1.0), 3.5
"""Seconds: within the functions' patience (`READ_TIMEOUT`), and beyond it."""

TRANSACTION, WRITES = "TransactWriteItems", ("PutItem", "UpdateItem", "DeleteItem")

CONFLICT = "transaction conflict"


class Cut(Exception):
    """The connection ends without an answer."""


Ask = Callable[[], Reply]


def _refusal(status: int, code: str, **more: object) -> Reply:
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "no"} | more
    return status, [("Content-Type", "application/x-amz-json-1.0")], json.dumps(body).encode()


def _throttled(_: Ask, operation: str) -> Reply:
    if operation == TRANSACTION:
        return _refusal(400, "ThrottlingException")
    return _refusal(400, "ProvisionedThroughputExceededException")


def _conflict(_: Ask, operation: str) -> Reply:
    """A transaction holds the row: of another request's, which does nothing here."""
    if operation == TRANSACTION:
        reasons = [{"Code": "TransactionConflict"}, {"Code": "None"}]
        return _refusal(400, "TransactionCanceledException", CancellationReasons=reasons)
    return _refusal(400, "TransactionConflictException")


def _cut(_: Ask, __: str) -> Reply:
    raise Cut


def _lost(ask: Ask, _: str) -> Reply:
    ask()
    raise Cut


def _delayed(ask: Ask, _: str) -> Reply:
    time.sleep(random.uniform(*DELAY))  # noqa: S311
    return ask()


def _hanging(_: Ask, __: str) -> Reply:
    time.sleep(HANG)
    raise Cut


def _late(ask: Ask, _: str) -> Reply:
    ask()
    time.sleep(HANG)
    raise Cut


FAULTS: dict[str, tuple[Callable[[Ask, str], Reply], int]] = {
    "throttled": (_throttled, 4),
    "internal error": (lambda *_: _refusal(500, "InternalServerError"), 3),
    CONFLICT: (_conflict, 3),
    "connection reset": (_cut, 4),
    "answer lost after it was applied": (_lost, 6),
    "delayed": (_delayed, 4),
    "no answer in time": (_hanging, 1),
    "applied, no answer in time": (_late, 1),
}
"""What may happen to a request, and how often in comparison."""


class Weather:
    """Decides which request meets which fault, and counts them."""

    def __init__(self, seed: str) -> None:
        self.counts: Counter[str] = Counter()
        self.requests = 0
        self._random = random.Random(f"{seed} weather")  # noqa: S311
        self._lock = threading.Lock()
        self._rate, self._kinds = 0.0, list(FAULTS)
        self._over = threading.Event()

    def fault(self, operation: str) -> str | None:
        """Return what the next request of an operation, such as `PutItem`, meets."""
        with self._lock:
            self.requests += 1
            kinds = [kind for kind in self._kinds if kind != CONFLICT or operation in (TRANSACTION, *WRITES)]
            if not kinds or self._random.random() >= self._rate:
                return None
            (kind,) = self._random.choices(kinds, [FAULTS[kind][1] for kind in kinds])
            self.counts[kind] += 1
            return kind

    def run(self) -> None:
        """Let storms come and go, until it is over."""
        while True:
            self._rate, self._kinds = RATE, list(FAULTS)
            if self._over.wait(self._random.uniform(*PAUSE)):
                break
            self._kinds = self._random.sample(list(FAULTS), 2)
            self._rate = self._random.choice((0.3, 0.6, 1.0))
            if self._over.wait(self._random.uniform(*STORM)):
                break
        self._rate = 0.0

    @contextmanager
    def blowing(self) -> Iterator[None]:
        """Let there be faults until the end of the block."""
        self._over.clear()
        thread = threading.Thread(target=self.run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()


class _Exposed(Handler):
    """Passes a request to DynamoDB on, as the weather is."""

    weather: Weather
    wbufsize = -1
    disable_nagle_algorithm = True

    def pass_on(self) -> None:
        body = self.read_body()
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        kind = self.weather.fault(operation)
        with suppress(OSError):  # Who asked may not be there any more.
            try:
                reply = FAULTS[kind][0](lambda: self.ask(body), operation) if kind else self.ask(body)
                self.answer(*reply)
            except (Cut, HTTPException):
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def exposed(endpoint: str, weather: Weather) -> Iterator[str]:
    """Yield the URL of a DynamoDB that the weather gets at.

    Args:
        endpoint: the URL of MiniStack.
        weather: what happens.
    """
    with gateway(endpoint, handler=_Exposed, weather=weather) as url:
        yield url
