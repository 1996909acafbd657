"""What people do with their connections, and what guessing passwords comes to."""

import re

from playwright.sync_api import Page, expect

from tests.browser.demo import Demo
from tests.browser.pages import OpenPage, decide, sign_in, tab_to
from tests.interop.server import Account

FREE_GUESSES, MOST_GUESSES = 5, 12
"""After the free ones the waits double: by the last guess no browser is slow enough to miss them."""


def _connect(page: Page, demo: Demo, account: Account) -> None:
    page.goto(demo.example_url)
    page.get_by_role("link", name="Connect").click()
    sign_in(page, account)
    decide(page, "Allow")
    expect(page.locator("#profile")).to_contain_text(account.email)


def test_one_click_disconnects(page: Page, demo: Demo, account: Account) -> None:
    _connect(page, demo, account)
    page.goto(f"{demo.server.url}/connections")
    expect(page.get_by_role("heading", name="Example application")).to_be_visible()
    page.get_by_role("button", name="Disconnect Example application").click()
    expect(page.get_by_role("status")).to_have_text(re.compile("disconnected"))
    expect(page.get_by_text("No application is connected")).to_be_visible()
    page.reload()
    expect(page.get_by_role("status")).to_have_count(0)


def test_disconnecting_goes_by_keyboard_and_without_java_script(
    open_page: OpenPage, demo: Demo, account: Account
) -> None:
    page = open_page(java_script=False)
    _connect(page, demo, account)
    page.goto(f"{demo.server.url}/connections")
    tab_to(page, page.get_by_role("button", name="Disconnect Example application"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("No application is connected")).to_be_visible()


def test_signing_out_and_in_again(page: Page, demo: Demo, account: Account) -> None:
    page.goto(f"{demo.server.url}/connections")
    sign_in(page, account)
    expect(page.get_by_role("heading", name="Connected applications")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{demo.server.url}/connections")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def _guess_until_it_is_too_much(page: Page, email: str) -> int:
    """Guess passwords until an attempt comes too early, and return for how many seconds it did."""
    for guess in range(MOST_GUESSES):
        sign_in(page, Account(email, f"a wrong guess, number {guess}"))
        told = page.get_by_role("alert").text_content() or ""
        too_early = re.search("too many attempts.*again in ([0-9]+) seconds", told)
        if too_early:
            assert guess >= FREE_GUESSES
            return int(too_early[1])
        assert "do not match an account" in told
    raise AssertionError(f"{MOST_GUESSES} guesses are possible without waiting")


def test_who_guesses_passwords_has_to_wait_even_for_the_right_one(
    page: Page, demo: Demo, account: Account
) -> None:
    page.goto(f"{demo.server.url}/connections")
    seconds = _guess_until_it_is_too_much(page, account.email)
    page.wait_for_timeout((seconds + 1) * 1000)
    sign_in(page, account)
    expect(page.get_by_role("heading", name="Connected applications")).to_be_visible()


def test_guessing_tells_nothing_about_who_has_an_account(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.server.url}/connections")
    assert _guess_until_it_is_too_much(page, "nobody@example.org") >= 1
