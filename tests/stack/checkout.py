"""The project as its user has it: a folder with their own settings, and `make deploy`."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from management import dependencies, packaging
from management.stage_settings import StageSettings
from tests.interop.processes import ROOT, alone, clean_environment
from tests.interop.server import Server
from tests.stack.gateway import gateway

FILES = ("Makefile", "manage.py", "app.py", "requirements.txt", "requirements-dev.txt")
FOLDERS = ("chalicelib", "management", "examples")

DEPLOYMENT_SECONDS = 300


@dataclass(frozen=True)
class Checkout:
    """A copy of the project, and credentials for an account."""

    folder: Path
    environment: Mapping[str, str]

    def configure(self, stage: str = "dev", **entries: Any) -> None:
        """Change what `.chalice/config.json` says of a stage; objects are merged."""
        path = self.folder / ".chalice" / "config.json"
        config = json.loads(path.read_text())
        _merge(config["stages"].setdefault(stage, {}), entries)
        path.write_text(json.dumps(config, indent=2))

    def make(self, *arguments: str) -> str:
        """Run make, and return what it prints."""
        done = self.run("make", *arguments)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a command in the folder, with both of its outputs in one."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=DEPLOYMENT_SECONDS,
        )

    def client(self, service: str) -> Any:
        """Return a client for what is in the account."""
        return boto3.client(
            service,
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            region_name=self.environment["AWS_REGION"],
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
        )

    @contextmanager
    def deployed(self, stage: str = "dev") -> Iterator[Server]:
        """Deploy a stage as its user does; yield it, behind a URL that any HTTP client can use."""
        told = self.make("deploy", f"STAGE={stage}")
        found = re.search(r"^RestAPIId +(\S+)$", told, re.MULTILINE)
        assert found, told
        host = f"{found[1]}.execute-api.localhost"
        with gateway(self.environment["AWS_ENDPOINT_URL"], host) as url:
            yield Server(f"{url}/{stage}", self.environment, stage, self.folder)


def checkout(folder: Path, endpoint: str) -> Checkout:
    """Copy the project into an empty folder.

    Args:
        folder: where to.
        endpoint: the URL of MiniStack.
    """
    for name in FILES:
        shutil.copy2(ROOT / name, folder)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / ".chalice", folder / ".chalice", ignore=shutil.ignore_patterns("deploy*"))
    (folder / ".venv").symlink_to(ROOT / ".venv")
    with alone(ROOT / "build" / "dependencies.lock"):  # Installed once, for all who deploy at the same time.
        packaging.build(StageSettings.of("dev"), folder / "build", print)
    (folder / "build" / "dependencies").symlink_to(dependencies.CACHE)
    environment = clean_environment(
        AWS_ENDPOINT_URL=endpoint,
        AWS_REGION="us-east-1",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
    )
    return Checkout(folder, {name: value for name, value in environment.items() if name != "MAKEFLAGS"})


def _merge(target: dict[str, Any], entries: Mapping[str, Any]) -> None:
    for name, value in entries.items():
        if isinstance(value, dict) and isinstance(target.get(name), dict):
            _merge(target[name], value)
        else:
            target[name] = value
