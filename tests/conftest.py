"""A fresh set of tables for each test, in moto; and the settings of a test deployment.

What takes long and is tested elsewhere is made cheap here: hashing passwords, and making AWS clients.
"""

import json
import os

os.environ.update(
    OAUTH_TABLE_PREFIX="oauth-test",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
)
os.environ.pop("AWS_ENDPOINT_URL_DYNAMODB", None)

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import hypothesis
import moto
import pytest
from argon2 import PasswordHasher

from chalicelib import clock
from chalicelib.accounts import passwords
from chalicelib.models.table import dynamodb
from chalicelib.oauth import clients
from management.infrastructure import tables
from tests import last_words
from tests.harness import Deployment, changed_setting
from tests.mails import Mailbox
from tests.scene import Scene

# Each session of boto3 reads the descriptions of the services anew: 100 ms for a client.
botocore.session.create_loader = cache(botocore.session.create_loader)

# How long an example takes depends on what else the machine does.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")

SHIPPED = passwords._hasher, passwords._NOBODYS
_CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
passwords._hasher, passwords._NOBODYS = _CHEAP, _CHEAP.hash("somebody else's")


@pytest.fixture
def shipped_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords at the cost at which it is done when deployed: 20 ms each."""
    hasher, nobodys = SHIPPED
    monkeypatch.setattr(passwords, "_hasher", hasher)
    monkeypatch.setattr(passwords, "_NOBODYS", nobodys)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no process waits for another one in the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(("tests/stack/", "tests/browser/")))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand on to the main process what the tests of this one have to say (pytest-xdist)."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["last words"] = last_words.said(session.config)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take it there."""
    for line in getattr(node, "workeroutput", {}).get("last words", []):
        last_words.say(node.config, line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print it, whether the tests passed or not."""
    for line in last_words.said(config):
        warning = line.startswith("WARNING")
        terminalreporter.write_line(line, yellow=warning, bold=warning)


@pytest.fixture
def deployment() -> Iterator[Deployment]:
    """An empty deployment."""
    with moto.mock_aws():
        for model in tables.TABLES.values():
            dynamodb.client.create_table(**tables.table_definition(model))
        clients.forget()
        yield Deployment()


class Time:
    """A clock that tests move."""

    def __init__(self, now: int) -> None:
        self.now = now

    def passes(self, seconds: int) -> None:
        self.now += seconds


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    moved = Time(clock.now())
    monkeypatch.setattr(clock, "now", lambda: moved.now)
    monkeypatch.setattr(clock, "milliseconds", lambda: moved.now * 1000)
    return moved


@pytest.fixture
def change_setting() -> Iterator[Callable[[str, object], None]]:
    """Change a setting for one test."""
    with ExitStack() as changes:
        yield lambda name, value: changes.enter_context(changed_setting(name, value))


class Log:
    """What was written to standard output: lines of JSON, all of them."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture
        self.text = ""

    def read(self) -> str:
        self.text += self._capture.readouterr().out
        return self.text

    def events(self, name: str = "") -> list[dict[str, Any]]:
        """Return all events so far, or all of a name."""
        lines = [json.loads(line) for line in self.read().splitlines()]
        return [line for line in lines if name in ("", line["event"])]

    def event(self, name: str) -> dict[str, Any]:
        """Return the one event of a name."""
        (event,) = self.events(name)
        return event


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Log:
    return Log(capsys)


@pytest.fixture
def mailbox(tmp_path: Path, change_setting: Callable[[str, object], None]) -> Mailbox:
    """Let mail be sent, into a box that the test reads; and people sign up."""
    change_setting("mail", f"file:{tmp_path}/mail/box.txt")
    change_setting("mail_from", "Community Maps <no-reply@maps.example>")
    change_setting("sign_up", True)
    return Mailbox(tmp_path / "mail" / "box.txt")


@pytest.fixture
def scene(deployment: Deployment, change_setting: Callable[[str, object], None], mailbox: Mailbox) -> Scene:
    """Somebody with an application, where everything is open to everybody."""
    change_setting("may_register", "everyone")
    change_setting("client_cache_lifetime", 0)
    return Scene.of(deployment)
