"""How long an invocation may ask others before it has to answer, whatever they do.

API Gateway waits for 29 seconds, and what a client is told then is not ours. So each front door
says how much time there is, and whoever is about to ask DynamoDB, the OpenID provider or the mail
service looks whether some is left. Where no front door said so, as at the command line, there is
no end.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from secrets import SystemRandom

REQUEST = 15
"""Seconds for a request. What was begun before they are over may take some more.

A request to DynamoDB takes 3, a mail 9, reading a secret from Systems Manager 11 at the worst.
"""
AUTHORIZER = 4
"""Seconds for the authorizer: an HTTP API waits for it for 10, of which a request to DynamoDB may take 3."""

LONGEST_PAUSE = 1.0
"""Seconds."""

_ends_at: ContextVar[float] = ContextVar("ends_at", default=math.inf)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Give what follows so many seconds."""
    before = _ends_at.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends_at.reset(before)


def left() -> float:
    """Return how many seconds there are left: infinitely many, if nobody said how many there are."""
    return _ends_at.get() - time.monotonic()


def is_over() -> bool:
    """Tell whether nobody may be asked any longer."""
    return left() <= 0


def pause(attempt: int) -> None:
    """Wait before an attempt that others were in the way of: longer each time, and by chance.

    Args:
        attempt: how many there were before, less one.
    """
    time.sleep(SystemRandom().uniform(0, min(0.02 * 2**attempt, LONGEST_PAUSE)))
