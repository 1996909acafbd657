"""Who has the processors."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from bench.processors import Watch


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells")
def test_a_busy_program_has_a_processor_and_an_idle_one_none() -> None:
    busy, idle = "while 'a busy program': pass", "import time; 'an idle one'; time.sleep(60)"
    processes = [subprocess.Popen([sys.executable, "-c", program]) for program in (busy, idle)]
    watch = Watch({"busy": "a busy program", "idle": "an idle one", "nobody": "a program that is not there"})
    with watch.watching(), suppress(subprocess.TimeoutExpired):
        processes[1].wait(4)
    for process in processes:
        process.kill()
        process.wait()
    shares = watch.shares(2)
    assert shares["busy"] > 0.05
    assert shares["idle"] < 0.05
    assert shares["nobody"] == 0
