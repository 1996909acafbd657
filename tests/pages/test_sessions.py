"""How long a browser stays signed in, and how it is signed out."""

import pytest

from chalicelib.accounts import accounts
from tests.conftest import Time
from tests.harness import EMAIL, PASSWORD, Browser, Deployment, event, send

HOUR = 3600


@pytest.fixture
def browser(deployment: Deployment, time: Time) -> Browser:
    deployment.add_account()
    return deployment.signed_in_browser()


def is_signed_in(browser: Browser) -> bool:
    return browser.get("/connections").status == 200


def test_a_browser_that_is_used_stays_signed_in(browser: Browser, time: Time) -> None:
    for _ in range(5):
        time.passes(2 * HOUR - 1)
        assert is_signed_in(browser)


def test_a_browser_that_is_not_used_is_signed_out(browser: Browser, time: Time) -> None:
    time.passes(2 * HOUR)
    assert not is_signed_in(browser)


def test_however_much_it_is_used_it_is_signed_out_in_the_end(browser: Browser, time: Time) -> None:
    for _ in range(11):
        time.passes(HOUR)
        assert is_signed_in(browser)
    time.passes(HOUR)
    assert not is_signed_in(browser)


def test_a_session_that_is_over_stays_over(browser: Browser, time: Time) -> None:
    time.passes(2 * HOUR)
    assert not is_signed_in(browser)
    time.now -= 1
    assert is_signed_in(browser)
    time.passes(2 * HOUR)
    assert not is_signed_in(browser)


def test_signing_in_gives_a_new_cookie(browser: Browser) -> None:
    before = dict(browser.cookies)
    page = browser.get("/sign-in")
    browser.submit(page, email=EMAIL, password=PASSWORD)
    assert browser.cookies["__Host-session"] != before["__Host-session"]


def test_signing_out_ends_the_session_not_only_the_cookie(browser: Browser) -> None:
    cookie = dict(browser.cookies)
    answer = sign_out(browser)
    assert (answer.status, answer.location) == (303, "/")
    assert not is_signed_in(browser)
    thief = Browser()
    thief.cookies = cookie
    assert not is_signed_in(thief)


def test_signing_out_leaves_other_browsers_alone(deployment: Deployment, browser: Browser) -> None:
    other = deployment.signed_in_browser()
    sign_out(browser)
    assert is_signed_in(other)


def test_a_disabled_account_is_signed_out(deployment: Deployment, browser: Browser) -> None:
    account = accounts.find_by_email(EMAIL)
    assert account
    accounts.disable(account)
    assert not is_signed_in(browser)


def sign_out(browser: Browser):  # type: ignore[no-untyped-def]
    page = browser.get("/connections")
    token = page.body.partition('name="csrf_token" value="')[2].partition('"')[0]
    return browser._go("POST", "/sign-out", f"csrf_token={token}")


@pytest.mark.parametrize(
    "notice", ["<script>", "unknown", "disconnected; Path=/x", "../../etc", "x" * 5000, "é"]
)
def test_a_notice_that_is_none_of_ours_is_not_shown(browser: Browser, notice: str) -> None:
    browser.cookies["__Host-notice"] = notice
    page = browser.get("/connections")
    assert page.status == 200
    assert 'role="status"' not in page.body or "disconnected" in notice


@pytest.mark.parametrize("continue_to", ["https://evil.example", "//evil.example", "/\\evil.example", "x"])
def test_the_sign_in_form_leads_nowhere_else(deployment: Deployment, continue_to: str) -> None:
    answer = send(event("GET", "/sign-in", query={"continue": continue_to}))
    assert answer.status == 400
