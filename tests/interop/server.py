"""The server as applications and their users meet it: over HTTP, with nothing of it replaced."""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests

from tests.harness import CALLBACK, Form
from tests.interop.processes import ROOT, clean_environment, free_ports, running

TIMEOUT = 10
"""Seconds, for any one request."""

MAX_STEPS = 8
"""Pages between an application and its callback: more than there are, so that a loop is noticed."""


@dataclass(frozen=True)
class Account:
    """Somebody who can sign in."""

    email: str
    password: str


@dataclass(frozen=True)
class RegisteredClient:
    """What an application's developer is told."""

    client_id: str
    client_secret: str | None
    redirect_uri: str = CALLBACK


@dataclass(frozen=True)
class Server:
    """A running server, and the operator's command line for it."""

    url: str
    environment: Mapping[str, str] = field(repr=False)
    stage: str = "local"
    folder: Path = ROOT
    """Where the command line is called, which has the stage's settings."""

    @property
    def authorization_endpoint(self) -> str:
        """As the reference page writes it."""
        return f"{self.url}/oauth2/authorize/"

    @property
    def token_endpoint(self) -> str:
        """As the reference page writes it."""
        return f"{self.url}/oauth2/access_token"

    def manage(self, *arguments: str, text: str = "") -> str:
        """Run a command of the operator's and return what it prints."""
        done = self.run(*arguments, text=text)
        assert done.returncode == 0, f"manage.py {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def run(self, *arguments: str, text: str = "") -> "subprocess.CompletedProcess[str]":
        """Run a command of the operator's, whatever comes of it."""
        return subprocess.run(
            [sys.executable, "manage.py", "--stage", self.stage, *arguments],
            cwd=self.folder,
            env=self.environment,
            input=text,
            text=True,
            capture_output=True,
            check=False,
            timeout=60,
        )

    def add_account(self) -> Account:
        account = Account(f"{uuid.uuid4().hex}@example.org", "correct horse")
        self.manage("user", "add", account.email, "--password-stdin", "--json", text=account.password)
        return account

    def add_client(self, *options: str) -> RegisteredClient:
        """Register an application, with options of `manage.py client add`."""
        told = self.manage(
            "client", "add", "--name", "Interop", "--redirect-uri", CALLBACK, "--json", *options
        )
        record: dict[str, Any] = json.loads(told)
        return RegisteredClient(record["client_id"], record.get("client_secret"))

    def get(self, path: str, token: str | None = None) -> requests.Response:
        return requests.get(self.url + path, headers=_bearer(token), timeout=TIMEOUT)

    def post(self, path: str, body: dict[str, str], token: str | None = None) -> requests.Response:
        return requests.post(self.url + path, json=body, headers=_bearer(token), timeout=TIMEOUT)


def _bearer(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token is not None else {}


class Person:
    """Somebody with a browser, who signs in and decides by the server's own forms."""

    def __init__(self, server: Server, account: Account) -> None:
        self.account = account
        self._server = server
        self._browser = requests.Session()

    def authorize(self, url: str, decision: str = "allow") -> str:
        """Go where an application sends people, and return where they are sent back to."""
        answer = self._browser.get(url, allow_redirects=False, timeout=TIMEOUT)
        for _ in range(MAX_STEPS):
            assert answer.status_code in (200, 303), (answer.status_code, answer.text)
            if answer.status_code == 200:
                answer = self._fill_in(answer, decision)
                continue
            leads_to = urljoin(answer.url, answer.headers["Location"])
            if not leads_to.startswith(f"{self._server.url}/"):
                return leads_to
            answer = self._browser.get(leads_to, allow_redirects=False, timeout=TIMEOUT)
        raise AssertionError(f"no end of pages at {answer.url}: {answer.text}")

    def _fill_in(self, page: requests.Response, decision: str) -> requests.Response:
        form = Form.of(page.text)
        filled = (
            {"email": self.account.email, "password": self.account.password}
            if "password" in form.fields
            else {"decision": decision}
        )
        return self._browser.post(
            urljoin(page.url, form.action),
            data=form.fields | filled,
            allow_redirects=False,
            timeout=TIMEOUT,
        )


@contextmanager
def running_server(logs: Path, port: int | None = None, **settings: str) -> Iterator[Server]:
    """Run the server over an empty database.

    Args:
        logs: the folder for what it prints.
        port: where it listens; by default where nobody else does.
        settings: by their variables.
    """
    dynamodb_port, free_port = free_ports(2)
    port = port or free_port
    engine = f"http://127.0.0.1:{dynamodb_port}"
    environment = clean_environment(AWS_ENDPOINT_URL_DYNAMODB=engine, **settings)
    moto = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(dynamodb_port)]
    chalice = str(Path(sys.executable).with_name("chalice"))
    local = [chalice, "local", "--stage", "local", "--port", str(port), "--no-autoreload"]
    with running(moto, dynamodb_port, environment, logs / "dynamodb.log"):
        server = Server(f"http://127.0.0.1:{port}", environment)
        server.manage("tables", "create")
        with running(local, port, environment, logs / "server.log"):
            yield server
