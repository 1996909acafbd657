"""`/` and `/developers`: the steps of the reference page, with this server's own URLs."""

import re
from html import unescape

import pytest

from tests.faults import FAULTS, storage_fails
from tests.harness import Answer, Browser, Deployment, Form, count_requests, event, send

PATHS = ("/", "/developers")

PARAMETERS = {
    "authorisation": {"client_id", "redirect_url", "response_type"},
    "token": {"grant_type", "code", "redirect_uri", "client_id", "client_secret"},
}
"""What the reference page names, for each request."""


def text_of(answer: Answer) -> str:
    return unescape(re.sub(r"<[^>]+>", "", answer.body))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("stage", ["", "/prod"])
def test_the_steps_have_this_servers_own_urls(path: str, stage: str) -> None:
    answer = send(event("GET", path, stage=stage))
    assert answer.status == 200
    text, base = text_of(answer), f"https://auth.example.org{stage}"
    for step in (
        f"GET {base}/oauth2/authorize/",
        f"POST {base}/oauth2/access_token",
        "Authorization: Bearer oat_",
        f"GET {base}/.well-known/oauth-authorization-server",
    ):
        assert step in text
    assert f'href="{stage}/applications/new"' in answer.body
    assert f'href="{stage}/sign-in"' in answer.body


def test_the_parameters_are_those_of_the_reference_page() -> None:
    tables = re.findall(r"<table>.*?</table>", send(event("GET", "/developers")).body, re.DOTALL)
    assert len(tables) == len(PARAMETERS)
    for table, names in zip(tables, PARAMETERS.values(), strict=True):
        assert names <= set(re.findall(r'<th scope="row"><code>(\w+)</code>', table))


def test_what_the_page_shows_is_what_the_server_does(deployment: Deployment) -> None:
    deployment.add_account()
    tokens = deployment.tokens(deployment.add_app())
    shown = text_of(send(event("GET", "/developers")))
    for name in ("access_token", "token_type", "expires_in", "scope"):
        assert f'"{name}"' in shown
    assert f'"expires_in": {tokens["expires_in"]}' in shown
    assert f'"scope": "{tokens["scope"]}"' in shown


def test_strangers_cost_no_request_to_the_database(deployment: Deployment) -> None:
    with count_requests() as requests:
        assert Browser().get("/").status == 200
    assert requests.total() == 0


def test_who_is_signed_in_finds_their_way_to_the_other_pages(deployment: Deployment) -> None:
    deployment.add_account()
    browser = deployment.signed_in_browser()
    answer = browser.get("/")
    for path in ("/applications", "/applications/new", "/connections", "/account"):
        assert f'href="{path}"' in answer.body
    assert "/sign-in" not in answer.body
    assert "/sign-out" in answer.body


def test_who_signed_out_comes_back_here_and_is_told_so(deployment: Deployment) -> None:
    deployment.add_account()
    browser = deployment.signed_in_browser()
    page = browser.get("/")
    (csrf_token,) = re.findall(r'name="csrf_token" value="(.*?)"', page.body)
    answer = browser.submit(page, Form("/sign-out", "post", {"csrf_token": csrf_token}))
    assert answer.location == "/"
    home = browser.get("/")
    assert "You are signed out" in home.body
    assert "/sign-in" in home.body


def test_a_page_that_cannot_tell_who_is_there_says_so(deployment: Deployment) -> None:
    deployment.add_account()
    browser = deployment.signed_in_browser()
    with storage_fails(FAULTS["unavailable"]):
        assert browser.get("/").status == 503
