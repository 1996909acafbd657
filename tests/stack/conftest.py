"""MiniStack, for as long as the tests run, and the races against its DynamoDB.

moto is no judge of races: its conditional writes race among themselves.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.last_words import say
from tests.stack.ministack import running_ministack

ROOT = Path(__file__).parents[2]
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
    with running_ministack() as url:
        yield url


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
