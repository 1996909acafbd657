"""The one source of time, so that tests can move it rather than sleep."""

import time


def now() -> int:
    """Return the current time in epoch seconds."""
    return int(time.time())
