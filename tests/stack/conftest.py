"""MiniStack, for as long as the tests run, and the races against its DynamoDB.

moto is no judge of races: its conditional writes race among themselves.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pytest

from tests.interop.processes import alone
from tests.last_words import say

ROOT = Path(__file__).parents[2]
REQUIREMENTS = Path(__file__).with_name("requirements-ministack.txt")
VENV = ROOT / "build" / "ministack-venv"
LOG = ROOT / "build" / f"ministack-{os.getpid()}.log"
START_SECONDS = 60
RACE_SECONDS = 600
ROUNDS = int(os.environ.get("RACE_ROUNDS", "75"))
FEWER_ROUNDS = -(-ROUNDS // 5)
"""For races of whole flows, in each round of which there are many more requests."""


@dataclass(frozen=True)
class Report:
    """What a race tells of itself."""

    race: str
    rounds: int
    seconds: float
    answers: dict[str, int]
    """How often which answer came, in all rounds together."""
    facts: dict[str, dict[str, int]]
    """What was found out after each round: how often which value, as JSON."""

    def always(self, fact: str) -> Any:
        """Return the value that a fact had after every round."""
        values = self.facts[fact]
        assert len(values) == 1, f"{fact}: {values}"
        return json.loads(next(iter(values)))


@pytest.fixture(scope="session")
def ministack() -> Iterator[str]:
    """The URL of a fresh MiniStack."""
    python = _install()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # By default it listens on all interfaces.
    environment = {"PATH": os.environ["PATH"], "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)}
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
        pip: list[str | Path] = [python, "-m", "pip", "install", "-r", REQUIREMENTS]
        subprocess.run(pip, check=True)
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


RunRace = Callable[[str, int], Report]


@pytest.fixture(scope="session")
def run_race(ministack: str, request: pytest.FixtureRequest) -> RunRace:
    """Runs a race and returns its report."""

    def run(name: str, rounds: int) -> Report:
        report = _run(name, rounds, ministack)
        line = f"{name}: {report.rounds} rounds in {report.seconds:.0f} s, answers {report.answers}"
        say(request.config, line)
        return report

    return run


def _run(name: str, rounds: int, endpoint: str) -> Report:
    """Run the program `race` with nothing of this process: its app was made for moto, at import."""
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL_DYNAMODB": endpoint,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "OAUTH_TABLE_PREFIX": f"race-{name}",
        "PYNAMODB_CONFIG": str(Path(__file__).with_name("pynamodb_settings.py")),
    }
    command = [sys.executable, "-m", "tests.stack.race", name, str(rounds)]
    done = subprocess.run(
        command,
        check=False,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        timeout=RACE_SECONDS,
    )
    assert done.returncode == 0, "the race broke down; its last words are below"
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return Report(**report)
