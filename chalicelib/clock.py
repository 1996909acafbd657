"""The one source of time, so that tests can move it rather than sleep."""

import time


def now() -> int:
    """Return the current time in epoch seconds."""
    return int(time.time())


def milliseconds() -> int:
    """Return the current time in epoch milliseconds: for what is told in the order in which it happened."""
    return int(time.time() * 1000)


def day(epoch_seconds: int) -> str:
    """Return the day of a point in time, in UTC, as ISO 8601."""
    return time.strftime("%Y-%m-%d", time.gmtime(epoch_seconds))


def iso(epoch_milliseconds: int) -> str:
    """Return a point in time as ISO 8601, in UTC and with milliseconds."""
    seconds, rest = divmod(epoch_milliseconds, 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:03}Z"
