"""How long commands show how far they are, and how they let themselves be interrupted."""

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import IO, Any, Self

import click

EVERY = 5
"""Seconds between two lines where there is no terminal: in a log."""


AGAIN = "Run the same command again to go on."


class Interrupted(click.ClickException):
    """A command stopped where it was told to."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number  # type: ignore[misc]

    def show(self, file: IO[Any] | None = None) -> None:
        """Print how far it got."""
        click.echo(f"Interrupted: {self.message}", file=file, err=file is None)


class Interruption:
    """Lets Ctrl-C and SIGTERM wait until what is under way is done. The second time they do not wait."""

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self._number = 0
        self._came = threading.Event()
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._note) for number in self.SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._restore()

    def check(self, done: str, again: str = AGAIN) -> None:
        """Stop here if it came.

        Args:
            done: how far this is.
            again: what is to be done next.

        Raises:
            Interrupted: it came.
        """
        if self._came.is_set():
            raise Interrupted(f"{done}. {again}", self._number)

    def wait(self, seconds: float) -> None:
        """Sleep, until it comes."""
        self._came.wait(seconds)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._number = number
        self._came.set()
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


class Progress:
    """How many of so many are done."""

    def __init__(self, total: int, what: str) -> None:
        self.total, self.done = total, 0
        self._what = what
        self._told_at = time.monotonic()

    def advance(self) -> None:
        """Count one more; tell now and then."""
        self.done += 1
        if time.monotonic() - self._told_at >= EVERY:
            self._told_at = time.monotonic()
            click.echo(f"{self}", err=True)

    def __str__(self) -> str:
        return f"{self.done:,} of {self.total:,} {self._what}"


class Bar(Progress):
    """The same at a terminal."""

    def __init__(self, total: int, what: str, bar: Any) -> None:
        super().__init__(total, what)
        self._bar = bar

    def advance(self) -> None:
        """Count one more."""
        self.done += 1
        self._bar.update(1)


@contextmanager
def progress(total: int, what: str) -> Iterator[Progress]:
    """Show progress on standard error: a bar at a terminal, a line now and then in a log.

    Args:
        total: how many there are, as far as is known.
        what: is counted and was done to it, as in "grants revoked".
    """
    if not sys.stderr.isatty():
        yield Progress(total, what)
        return
    with click.progressbar(length=total, label=what.capitalize(), show_pos=True, file=sys.stderr) as bar:
        yield Bar(total, what, bar)
