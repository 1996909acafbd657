"""From the pages back to the application. Chromium holds all redirects after a form against `form-action`."""

import json
import re
import socket
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.callback import Callback, running_callback
from tests.browser.demo import Demo
from tests.browser.pages import OpenPage, decide, sign_in
from tests.interop.server import Account

GOT_CODE = re.compile(r"code=oac_\w{36}")
PKCE = {"code_challenge": "x" * 43, "code_challenge_method": "S256"}


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def callback() -> Iterator[Callback]:
    with running_callback() as callback:
        yield callback


def test_the_redirect_reaches_the_application(
    page: Page, demo: Demo, account: Account, callback: Callback
) -> None:
    page.goto(_authorization_url(demo, callback.url))
    sign_in(page, account)
    decide(page, "Allow")
    expect(page.get_by_role("heading")).to_have_text(GOT_CODE)


def test_where_form_action_leaves_the_application_out_the_browser_stays(
    page: Page, demo: Demo, account: Account, callback: Callback, violations: list[str]
) -> None:
    """So the other tests here could fail."""
    url = _authorization_url(demo, callback.url)
    page.goto(url)
    sign_in(page, account)
    page.route("**/oauth2/authorize/**", _leave_the_application_out)
    page.goto(url)
    page.unroute_all()
    with page.expect_console_message(lambda message: "form-action" in message.text):
        decide(page, "Allow")
    assert page.url == url
    violations.clear()


def test_the_application_may_send_the_browser_on_to_another_origin(
    page: Page, demo: Demo, account: Account, callback: Callback
) -> None:
    page.goto(_authorization_url(demo, callback.url_that_goes_elsewhere))
    sign_in(page, account)
    decide(page, "Allow")
    expect(page.get_by_role("heading")).to_have_text(GOT_CODE)
    assert page.url.startswith("http://localhost:")


def test_after_a_wrong_password_a_remembered_consent_still_reaches_the_application(
    open_page: OpenPage, demo: Demo, account: Account, callback: Callback
) -> None:
    url = _authorization_url(demo, callback.url)
    page = open_page()
    page.goto(url)
    sign_in(page, account)
    decide(page, "Allow")
    page = open_page()
    page.goto(url)
    sign_in(page, Account(account.email, "wrong password"))
    expect(page.get_by_role("alert")).to_be_visible()
    sign_in(page, account)
    expect(page.get_by_role("heading")).to_have_text(GOT_CODE)


@pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6 loopback")
def test_a_native_application_may_listen_on_ipv6(page: Page, demo: Demo, account: Account) -> None:
    with running_callback("::1") as callback:
        page.goto(_authorization_url(demo, callback.url, "--public", **PKCE))
        sign_in(page, account)
        decide(page, "Allow")
        expect(page.get_by_role("heading")).to_have_text(GOT_CODE)


@pytest.mark.parametrize(
    ("decision", "got"), [("Allow", GOT_CODE), ("Deny", re.compile("error=access_denied"))]
)
def test_form_post_delivers_the_response_by_itself(
    page: Page, demo: Demo, account: Account, callback: Callback, decision: str, got: re.Pattern[str]
) -> None:
    page.goto(_authorization_url(demo, callback.url, response_mode="form_post"))
    sign_in(page, account)
    decide(page, decision)
    expect(page.get_by_role("heading")).to_have_text(got)
    assert page.url == callback.url


def test_form_post_without_java_script_takes_one_more_click(
    open_page: OpenPage, demo: Demo, account: Account, callback: Callback
) -> None:
    page = open_page(java_script=False)
    page.goto(_authorization_url(demo, callback.url, response_mode="form_post"))
    sign_in(page, account)
    decide(page, "Allow")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading")).to_have_text(GOT_CODE)


def _authorization_url(demo: Demo, redirect_uri: str, *options: str, **parameters: str) -> str:
    """Register an application and return where it sends people."""
    told = demo.server.manage(
        "client", "add", "--name", "Callback", "--redirect-uri", redirect_uri, "--json", *options
    )
    asked = {
        "client_id": json.loads(told)["client_id"],
        "redirect_uri": redirect_uri,
        "response_type": "code",
    }
    return f"{demo.server.authorization_endpoint}?{urlencode(asked | parameters)}"


def _leave_the_application_out(route: Route) -> None:
    response = route.fetch()
    headers = response.headers | {"content-security-policy": "form-action 'self'"}
    route.fulfill(response=response, headers=headers)
