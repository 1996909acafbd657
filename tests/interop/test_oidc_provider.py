"""oidc-provider, unmodified, as the provider that people sign in with, on their way to an application."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
import requests
from requests_oauthlib import OAuth2Session

from tests.harness import CALLBACK, Form
from tests.interop import node
from tests.interop.processes import free_ports
from tests.interop.server import MAX_STEPS, TIMEOUT, RegisteredClient, Server, running_server

pytestmark = pytest.mark.skipif(node.NO_NODE is not None, reason=str(node.NO_NODE))

BUTTON = "/sign-in/upstream"


@contextmanager
def running_both(logs: Path, *, secret: str | None = None, **settings: str) -> Iterator[Server]:
    """Run the provider, and the server as a client of it.

    Args:
        logs: the folder for what they print.
        secret: the server's at the provider; None for a public client.
        settings: of the server and, if they are no settings of ours, of the provider.
    """
    node.install()
    provider_port, port = free_ports(2)
    client = {
        "client_id": "us",
        "redirect_uris": [f"http://127.0.0.1:{port}{BUTTON}/callback"],
        "token_endpoint_auth_method": "client_secret_post" if secret else "none",
    } | ({"client_secret": secret} if secret else {})
    ours = {name: value for name, value in settings.items() if name.startswith("OAUTH_")} | {
        "OAUTH_UPSTREAM_ISSUER": f"http://127.0.0.1:{provider_port}",
        "OAUTH_UPSTREAM_CLIENT_ID": "us",
        "OAUTH_UPSTREAM_CLIENT_SECRET": secret or "",
    }
    theirs = {name: value for name, value in settings.items() if name not in ours}
    with (
        node.running_script(
            "provider.mjs", provider_port, logs / "provider.log", CLIENT=json.dumps(client), **theirs
        ),
        running_server(logs, port, **ours) as server,
    ):
        yield server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a secret at a provider that tells addresses at its UserInfo endpoint."""
    with running_both(tmp_path_factory.mktemp("upstream"), secret="a-secret-of-32-characters-for-it") as both:
        yield both


@pytest.fixture(scope="module")
def server_without_local_accounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without local accounts, and without a secret at a provider with addresses in its ID tokens."""
    with running_both(
        tmp_path_factory.mktemp("upstream-only"), OAUTH_LOCAL_ACCOUNTS="false", EMAIL_IN_ID_TOKEN="yes"
    ) as both:
        yield both


@dataclass
class Visitor:
    """Somebody with a browser, who signs in at the provider, and allows what they are asked."""

    server: Server
    login: str
    browser: requests.Session = field(default_factory=requests.Session)
    sign_ins: int = 0
    """How often the provider asked for the password."""

    def authorize(self, url: str) -> str:
        """Go where an application sends people, and return where they are sent back to."""
        answer = self.go(url)
        assert answer.status_code == 303, (answer.status_code, answer.text)
        return answer.headers["Location"]

    def go(self, url: str) -> requests.Response:
        """Do what the pages ask for, and return the answer that leads to an application, or nowhere."""
        answer = self.get(url)
        for _ in range(3 * MAX_STEPS):
            if answer.status_code == 200:
                answer = self._fill_in(answer)
            elif answer.status_code not in (302, 303) or answer.headers["Location"].startswith(CALLBACK):
                return answer
            else:
                answer = self.get(urljoin(answer.url, answer.headers["Location"]))
        raise AssertionError(f"no end of pages at {answer.url}: {answer.text}")

    def get(self, url: str) -> requests.Response:
        return self.browser.get(url, allow_redirects=False, timeout=TIMEOUT)

    def press_the_button(self, page: requests.Response) -> requests.Response:
        """Leave our sign-in page for the provider."""
        (form,) = [form for form in Form.all_of(page.text) if form.action == BUTTON]
        return self._send(page, form)

    def _fill_in(self, page: requests.Response) -> requests.Response:
        forms = Form.all_of(page.text)
        if any(form.action == BUTTON for form in forms):
            return self.press_the_button(page)
        (form,) = forms
        if "login" in form.fields:
            self.sign_ins += 1
            form.fields |= {"login": self.login, "password": "any"}
        elif page.url.startswith(self.server.url):
            form.fields["decision"] = "allow"
        return self._send(page, form)

    def _send(self, page: requests.Response, form: Form) -> requests.Response:
        url = urljoin(page.url, form.action)
        return self.browser.post(url, data=form.fields, allow_redirects=False, timeout=TIMEOUT)


def me(server: Server, client: RegisteredClient, visitor: Visitor, **parameters: str) -> Any:
    """Let an application go through its flow, and return what the API says of the user."""
    oauth = OAuth2Session(client.client_id, redirect_uri=client.redirect_uri)
    url, _ = oauth.authorization_url(server.authorization_endpoint, **parameters)
    oauth.fetch_token(
        server.token_endpoint,
        authorization_response=visitor.authorize(url),
        client_secret=client.client_secret,
    )
    return oauth.get(f"{server.url}/api/me").json()["user"]


def emails(server: Server) -> list[str]:
    return [account["email"] for account in json.loads(server.manage("user", "list", "--json"))]


def test_the_first_sign_in_makes_an_account_and_the_second_finds_it(server: Server) -> None:
    client = server.add_client()
    first = me(server, client, Visitor(server, "alice"))
    assert first["email"] == "alice@example.org"
    assert me(server, client, Visitor(server, "alice")) == first
    assert emails(server).count("alice@example.org") == 1


def test_a_local_account_with_the_address_is_linked(server: Server) -> None:
    server.manage("user", "add", "bob@example.org", "--password-stdin", text="correct horse")
    me(server, server.add_client(), Visitor(server, "bob"))
    assert emails(server).count("bob@example.org") == 1


def test_an_application_can_have_people_sign_in_anew(server: Server) -> None:
    client = server.add_client()
    visitor = Visitor(server, "carol")
    for parameters, sign_ins in (({}, 1), ({}, 1), ({"prompt": "login"}, 2)):
        me(server, client, visitor, **parameters)
        assert visitor.sign_ins == sign_ins


def test_an_address_that_is_not_verified_is_refused(server: Server) -> None:
    visitor = Visitor(server, "unverified")
    refused = visitor.go(f"{server.url}/sign-in")
    assert refused.status_code == 422
    assert "is verified" in refused.text
    assert visitor.get(f"{server.url}/connections").status_code == 303
    assert "unverified@example.org" not in emails(server)


def test_who_turns_back_at_the_provider_may_try_again(server: Server) -> None:
    visitor = Visitor(server, "dave")
    away = visitor.press_the_button(visitor.get(f"{server.url}/sign-in"))
    login = visitor.browser.get(away.headers["Location"], timeout=TIMEOUT)
    back = visitor.browser.get(f"{login.url}/abort", timeout=TIMEOUT)
    assert back.url.startswith(server.url)
    assert back.status_code == 422
    assert "You did not sign in" in back.text
    assert visitor.press_the_button(back).status_code == 303


def test_without_local_accounts_people_sign_in_at_the_provider_alone(
    server_without_local_accounts: Server,
) -> None:
    server = server_without_local_accounts
    visitor = Visitor(server, "erin")
    assert me(server, server.add_client(), visitor)["email"] == "erin@example.org"
    page = Visitor(server, "erin").get(f"{server.url}/sign-in")
    (form,) = Form.all_of(page.text)
    assert form.action == BUTTON
    assert requests.post(f"{server.url}/sign-in", data={"email": "x"}, timeout=TIMEOUT).status_code == 403
