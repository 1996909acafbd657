"""Which programs have the processors while something is measured. Linux alone tells."""

import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
"""Of a second: what the system counts CPU time in."""
_INTERVAL = 1.0
"""Seconds between two looks."""


class Watch:
    """Looks at the CPU time of all processes, second by second.

    Args:
        programs: what somebody's command line contains, by what the program is called here.
    """

    def __init__(self, programs: Mapping[str, str]) -> None:
        self._programs = programs
        self._looks: list[tuple[float, dict[str, float]]] = []
        self._over = threading.Event()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look on until the end of the block."""
        thread = threading.Thread(target=self._look_on)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def shares(self, seconds: float) -> dict[str, float]:
        """Return the share of all processors that each program had at the end of the block.

        Args:
            seconds: for how long, back from there.

        Returns:
            By the program; empty, where the system does not tell.
        """
        if len(self._looks) < 2:
            return {}
        until, last = self._looks[-1]
        since, first = min(self._looks[:-1], key=lambda look: abs(until - seconds - look[0]))
        whole = (until - since) * (os.cpu_count() or 1)
        return {name: (last[name] - first[name]) / whole for name in self._programs}

    def _look_on(self) -> None:
        while not self._over.wait(_INTERVAL):
            if _PROC.is_dir():
                self._looks.append((time.monotonic(), self._spent()))

    def _spent(self) -> dict[str, float]:
        """Return the CPU seconds of each program so far."""
        spent: defaultdict[str, float] = defaultdict(float)
        for process in _PROC.glob("[0-9]*"):
            with suppress(OSError):  # It is over by now.
                command = (process / "cmdline").read_text().replace("\0", " ")
                for name, part in self._programs.items():
                    if part in command:
                        spent[name] += _cpu_seconds((process / "stat").read_text())
        return spent


def _cpu_seconds(stat: str) -> float:
    """Read the user and system time of a process, which follow its name (proc_pid_stat(5))."""
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
