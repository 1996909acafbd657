"""An operator ends all that an application was granted, by thousands of people, and is interrupted."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.last_words import say
from tests.stack.conftest import ROOT

PEOPLE = int(os.environ.get("REVOKED_PEOPLE", "4000"))
ENOUGH = PEOPLE * 2 // 5
"""So many grants are revoked before the operator interrupts."""
SECONDS = 300
REVOKED = re.compile(r"([0-9,]+) of ([0-9,]+) grants revoked")


@dataclass(frozen=True)
class Story:
    """What happened."""

    filled: Any
    interrupted: "subprocess.CompletedProcess[str]"
    between: Any
    resumed: Any
    after: Any


def program(endpoint: str, *command: str) -> "subprocess.Popen[str]":
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL_DYNAMODB": endpoint,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "OAUTH_TABLE_PREFIX": "oauth-local",
        "PYTHONUNBUFFERED": "1",
    }
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True
    )


def outcome(endpoint: str, *command: str) -> Any:
    """Run a program that succeeds, and return the JSON that it prints."""
    process = program(endpoint, *command)
    stdout, stderr = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, stderr
    return json.loads(stdout)


def interrupted(endpoint: str, *command: str) -> "subprocess.CompletedProcess[str]":
    """Run the command line until it says that it has done enough, and interrupt it as Ctrl-C does."""
    process = program(endpoint, *command)
    assert process.stderr
    said = ""
    for line in process.stderr:
        said += line
        progress = REVOKED.search(line)
        if progress and int(progress[1].replace(",", "")) >= ENOUGH:
            process.send_signal(signal.SIGINT)
            break
    stdout, stderr = process.communicate(timeout=SECONDS)
    return subprocess.CompletedProcess(command, process.returncode, stdout, said + stderr)


@pytest.fixture(scope="module")
def story(ministack: str, request: pytest.FixtureRequest) -> Story:
    times: dict[str, int] = {}

    def timed(what: str, act: Callable[..., Any], *command: str) -> Any:
        started = time.monotonic()
        result = act(ministack, *command)
        times[what] = round(time.monotonic() - started)
        return result

    crowd = ("-m", "tests.stack.crowd")
    filled = timed("filled", outcome, *crowd, "fill", str(PEOPLE))
    tokens = [*filled["samples"], filled["unrelated"]]
    manage, client = "manage.py", ("--client", filled["client_id"])
    first = timed("interrupted", interrupted, manage, "grant", "revoke", *client)
    between = timed("looked", outcome, *crowd, "look", *tokens)
    resumed = timed("resumed", outcome, manage, "grant", "revoke", *client, "--json")
    after = timed("looked again", outcome, *crowd, "look", *tokens)
    line = f"revoking {PEOPLE:,} grants: {', '.join(f'{what} {took} s' for what, took in times.items())}"
    ended = f"; {len(between['revoked']):,} before the interruption, {resumed['grants_revoked']:,} after"
    say(request.config, line + ended)
    return Story(filled, first, between, resumed, after)


def test_the_tokens_were_alive(story: Story) -> None:
    assert story.filled["alive"] == len(story.filled["samples"]) + 1


def test_the_operator_interrupts_in_the_middle_and_is_told_how_to_go_on(story: Story) -> None:
    assert story.interrupted.returncode == 128 + signal.SIGINT
    *_, last = story.interrupted.stderr.splitlines()
    told = REVOKED.search(last)
    assert told
    assert last.startswith("Interrupted: ")
    assert "Run the same command again" in last
    assert "Traceback" not in story.interrupted.stderr
    done = int(told[1].replace(",", ""))
    assert ENOUGH <= done < PEOPLE
    assert told[2] == f"{PEOPLE:,}"
    assert len(story.between["revoked"]) == done


def test_running_it_again_ends_what_is_left_and_nothing_twice(story: Story) -> None:
    assert story.resumed["grants_revoked"] == PEOPLE - len(story.between["revoked"])
    assert story.between["revoked"].items() <= story.after["revoked"].items()


def test_none_is_left_alive_but_what_another_application_was_granted(story: Story) -> None:
    assert len(story.after["revoked"]) == PEOPLE
    assert story.after["unrevoked"] == 1
    assert story.after["alive"] == [story.filled["unrelated"]]
