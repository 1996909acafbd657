"""MiniStack, for as long as somebody needs it."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest

from tests.interop.processes import ROOT, alone

REQUIREMENTS = Path(__file__).with_name("requirements-ministack.txt")
VENV = ROOT / "build" / "ministack-venv"
LOG = ROOT / "build" / f"ministack-{os.getpid()}.log"
START_SECONDS = 60


def version() -> str:
    """Return which one it is."""
    (found,) = re.findall(r"^ministack==(\S+)", REQUIREMENTS.read_text(), re.MULTILINE)
    return str(found)


@contextmanager
def running_ministack() -> Iterator[str]:
    """Run a fresh MiniStack until the end of the block, and yield its URL."""
    python = _install()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # By default it listens on all interfaces.
    environment = {
        "PATH": os.environ["PATH"],
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
    }
    with LOG.open("wb") as log:
        process = subprocess.Popen(
            [python, "-m", "ministack"], env=environment, cwd=ROOT / "build", stdout=log, stderr=log
        )
    try:
        _wait_until_up(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _install() -> Path:
    """Return the Python of MiniStack's own environment. What pip says is shown when it fails."""
    python = VENV / "bin" / "python"
    installed = VENV / "installed.txt"
    wanted = REQUIREMENTS.read_text()
    with alone(VENV.with_suffix(".lock")):
        if installed.exists() and installed.read_text() == wanted:
            return python
        shutil.rmtree(VENV, ignore_errors=True)
        started = time.monotonic()
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        pip: list[str | Path] = [python, "-m", "pip", "install", "--require-hashes", "--no-deps"]
        subprocess.run([*pip, "-r", REQUIREMENTS], check=True)
        print(f"MiniStack was installed in {time.monotonic() - started:.0f} s")
        installed.write_text(wanted)
    return python


def _wait_until_up(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(port):
        ended = process.poll() is not None
        if ended or time.monotonic() > deadline:
            what = "ended" if ended else f"did not answer within {START_SECONDS} s"
            pytest.fail(f"MiniStack {what}:\n{LOG.read_text(errors='replace')[-3000:]}")
        time.sleep(0.1)


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/_ministack/health")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
