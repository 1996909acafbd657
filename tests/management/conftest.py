"""Runs the operator's command line in this process."""

import json
import os
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from click.testing import CliRunner, Result

from management import packaging
from management.cli import manage
from management.packaging import Package
from management.stage_settings import StageSettings
from tests.harness import Deployment


class CommandLine:
    """What an operator types, and what comes back."""

    def run(self, *arguments: str, typed: str = "") -> Result:
        """Run a command, which may fail. The stage that it enters is its own."""
        with mock.patch.dict(os.environ):
            return CliRunner().invoke(manage, list(arguments), input=typed)

    def text(self, *arguments: str, typed: str = "") -> str:
        """Run a command that succeeds, and return what it prints."""
        result = self.run(*arguments, typed=typed)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *arguments: str, typed: str = "") -> Any:
        """Run a command that succeeds, and return the JSON that it prints."""
        return json.loads(self.text(*arguments, "--json", typed=typed))

    def refused(self, *arguments: str, typed: str = "") -> str:
        """Run a command that fails, and return the reason: one line, no traceback."""
        result = self.run(*arguments, typed=typed)
        assert result.exit_code == 1, result.output
        assert isinstance(result.exception, SystemExit)
        assert result.stdout == ""
        (line,) = result.stderr.splitlines()
        assert line.startswith("Error: ")
        return line


@pytest.fixture
def manager(
    deployment: Deployment, change_setting: Callable[[str, object], None], monkeypatch: pytest.MonkeyPatch
) -> CommandLine:
    """Return the command line of a deployment whose functions and index know everything at once."""
    monkeypatch.setattr("management.revoking.INDEX_LAGS", 0)
    change_setting("client_cache_lifetime", 0)
    return CommandLine()


@pytest.fixture
def at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands believe that somebody is there to answer."""
    stdin = mock.Mock(isatty=lambda: True)
    monkeypatch.setattr("management.options.sys", mock.Mock(stdin=stdin))


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """Return what `make package` builds."""
    return packaging.build(StageSettings.of("dev"), tmp_path_factory.mktemp("package"), print)
