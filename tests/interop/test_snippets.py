"""The ready-made code on an application's page: it works as it stands."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests

from tests.harness import Form
from tests.interop import node
from tests.interop.server import TIMEOUT, Account, Person, RegisteredClient, Server

SECONDS = 30


def snippets(server: Server, account: Account, client: RegisteredClient) -> dict[str, str]:
    """Read the code that its owner finds on an application's page."""
    browser = requests.Session()
    page = browser.get(f"{server.url}/applications/{client.client_id}", timeout=TIMEOUT)
    form = Form.of(page.text)
    filled = form.fields | {"email": account.email, "password": account.password}
    page = browser.post(urljoin(page.url, form.action), data=filled, timeout=TIMEOUT)
    assert page.status_code == 200, page.text
    found = re.findall(r'<pre id="snippet-(\w+)".*?><code>(.*?)</code></pre>', page.text, re.DOTALL)
    return {name: unescape(code) for name, code in found}


def run(client: RegisteredClient, *command: str, **environment: str) -> str:
    """Run a snippet with the secret where it looks for it."""
    secret = {"CLIENT_SECRET": client.client_secret} if client.client_secret else {}
    done = subprocess.run(
        command,
        env=os.environ | secret | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def talking(client: RegisteredClient, *command: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a snippet that asks somebody to do something."""
    secret = {"CLIENT_SECRET": client.client_secret} if client.client_secret else {}
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, env=os.environ | secret, stdin=pipe, stdout=pipe, text=True)
    with process:
        yield process


@pytest.fixture(scope="module")
def service(server: Server, account: Account) -> RegisteredClient:
    return server.add_client("--grant-type", "client_credentials", "--owner", account.email)


@pytest.fixture(scope="module")
def web(server: Server, account: Account) -> RegisteredClient:
    return server.add_client("--owner", account.email)


@pytest.fixture(scope="module")
def native(server: Server, account: Account) -> RegisteredClient:
    return server.add_client("--public", "--owner", account.email)


def test_curl_gets_a_service_its_token(server: Server, account: Account, service: RegisteredClient) -> None:
    code = snippets(server, account, service)["curl"]
    answer = json.loads(run(service, "bash", "-c", code))
    assert server.get("/api/me", answer["access_token"]).json()["acts_for"] == "application"


def test_python_gets_a_service_its_token(server: Server, account: Account, service: RegisteredClient) -> None:
    code = snippets(server, account, service)["python"]
    assert "'acts_for': 'application'" in run(service, sys.executable, "-c", code)


@pytest.mark.skipif(node.NODE is None, reason="there is no node here")
def test_javascript_gets_a_service_its_token(
    server: Server, account: Account, service: RegisteredClient
) -> None:
    code = snippets(server, account, service)["javascript"]
    assert "acts_for: 'application'" in run(service, str(node.NODE), "--input-type=module", "-e", code)


def back_from(link: str, person: Person) -> dict[str, str]:
    """Follow the link, allow it, and return what came back."""
    back = person.authorize(link)
    return dict(re.findall(r"[?&](\w+)=([^&]*)", back)) | {"url": back}


def test_link_and_curl_get_a_web_application_its_token(
    server: Server, account: Account, person: Person, web: RegisteredClient
) -> None:
    code = snippets(server, account, web)
    answer = json.loads(run(web, "bash", "-c", code["curl"], CODE=back_from(code["link"], person)["code"]))
    assert server.get("/api/me", answer["access_token"]).json()["user"]["email"] == account.email


@pytest.mark.skipif(node.NODE is None, reason="there is no node here")
def test_javascript_gets_a_web_application_its_token(
    server: Server, account: Account, person: Person, web: RegisteredClient, tmp_path: Path
) -> None:
    code = snippets(server, account, web)
    file = tmp_path / "connect.mjs"
    file.write_text(code["javascript"], encoding="utf-8")
    assert account.email in run(web, str(node.NODE), str(file), back_from(code["link"], person)["url"])


@pytest.mark.parametrize("kind", ["web", "native"])
def test_python_gets_an_application_its_token(
    server: Server, account: Account, person: Person, kind: str, request: pytest.FixtureRequest
) -> None:
    client: RegisteredClient = request.getfixturevalue(kind)
    code = snippets(server, account, client)["python"]
    with talking(client, sys.executable, "-u", "-c", code) as process:
        assert process.stdout
        link = process.stdout.readline().split()[-1]
        told, _ = process.communicate(person.authorize(link) + "\n", timeout=SECONDS)
    assert process.returncode == 0
    assert account.email in told
