"""What an application's developer does in a browser, to the end: until the token is dead."""

import re
from urllib.parse import parse_qs, urlencode, urlsplit

import requests
from playwright.sync_api import Page, expect

from tests.browser.callback import running_callback
from tests.browser.demo import Demo
from tests.browser.pages import OpenPage, decide, sign_in
from tests.interop.server import TIMEOUT, Account


def test_registering_connecting_and_disconnecting_an_application(
    page: Page, open_page: OpenPage, demo: Demo, account: Account
) -> None:
    developer = demo.server.add_account()
    with running_callback() as callback:
        client_id, secret = _register(page, demo, developer, callback.url)
        user = open_page()
        asked = {"client_id": client_id, "redirect_uri": callback.url, "response_type": "code"}
        user.goto(f"{demo.server.authorization_endpoint}?{urlencode(asked)}")
        sign_in(user, account)
        expect(user.get_by_text("Not verified by Community Maps")).to_be_visible()
        decide(user, "Allow")
        expect(user.get_by_role("heading")).to_have_text(re.compile("code="))
        code = parse_qs(urlsplit(user.url).query)["code"][0]
    token = requests.post(
        demo.server.token_endpoint,
        data={
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": callback.url,
            "client_id": client_id,
            "client_secret": secret,
        },
        timeout=TIMEOUT,
    ).json()["access_token"]
    assert demo.server.get("/api/me", token).status_code == 200

    page.goto(f"{demo.server.url}/applications/{client_id}")
    expect(page.get_by_text("One person has connected it")).to_be_visible()

    user.goto(f"{demo.server.url}/connections")
    user.get_by_role("button", name="Disconnect Map of trees").click()
    expect(user.get_by_text("The application is disconnected")).to_be_visible()
    assert demo.server.get("/api/me", token).status_code == 401


def test_a_deleted_application_is_gone_with_its_tokens(page: Page, demo: Demo) -> None:
    developer = demo.server.add_account()
    with running_callback() as callback:
        client_id, _ = _register(page, demo, developer, callback.url)
        asked = {"client_id": client_id, "redirect_uri": callback.url, "response_type": "code"}
        page.goto(f"{demo.server.url}/applications/{client_id}")
        page.get_by_role("link", name="Delete").click()
        page.get_by_role("button", name="Delete it").click(timeout=30_000)
        expect(page.get_by_text("The application is deleted")).to_be_visible(timeout=30_000)
        page.goto(f"{demo.server.authorization_endpoint}?{urlencode(asked)}")
        expect(page.get_by_text("client_id is unknown")).to_be_visible()


def _register(page: Page, demo: Demo, developer: Account, redirect_uri: str) -> tuple[str, str]:
    """Register a web application on the pages, and return its Client ID and secret."""
    page.goto(f"{demo.server.url}/developers")
    page.get_by_role("link", name="Register an application").first.click()
    sign_in(page, developer)
    page.get_by_role("link", name="Web application").click()
    page.get_by_label("Name", exact=True).fill("Map of trees")
    page.get_by_label("Homepage").fill("https://trees.example/")
    page.get_by_label("Redirect URIs").fill(redirect_uri)
    page.get_by_role("button", name="Register").click()
    secret = page.get_by_text(re.compile("^ocs_[0-9A-Za-z]{36}$")).inner_text()
    page.get_by_role("link", name="Go to the application").click()
    return page.url.rpartition("/")[2], secret
