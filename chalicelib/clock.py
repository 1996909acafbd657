"""The one source of time, so that tests can move it rather than sleep."""

import time


def now() -> int:
    """Return the current time in epoch seconds."""
    return int(time.time())


def day(epoch_seconds: int) -> str:
    """Return the day of a point in time, in UTC, as ISO 8601."""
    return time.strftime("%Y-%m-%d", time.gmtime(epoch_seconds))
