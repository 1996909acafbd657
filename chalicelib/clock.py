"""The one source of time, so that tests can move it rather than sleep."""

import time

SKEW = 120
"""Seconds by which the clocks of two functions, or a client's and ours, may differ."""


def now() -> int:
    """Return the current time in epoch seconds."""
    return int(time.time())


def has_passed(epoch_seconds: int) -> bool:
    """Tell whether a time has come on all clocks: for what lasts so short that one clock would lose it."""
    return now() >= epoch_seconds + SKEW


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
