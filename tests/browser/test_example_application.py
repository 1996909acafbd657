"""What a person does: connect the example application, sign in, allow or deny."""

from playwright.sync_api import Page, expect

import run
from tests.browser.demo import Demo
from tests.browser.pages import OpenPage, decide, sign_in, tab_to
from tests.interop.server import Account

DEMO = Account(run.EMAIL, run.PASSWORD)


def test_connect_sign_in_and_allow_shows_the_signed_response(page: Page, demo: Demo) -> None:
    _connect(page, demo)
    sign_in(page, DEMO)
    expect(page.get_by_role("heading")).to_have_text("Allow Example application to use your account?")
    expect(page.get_by_text(f"You are signed in as {DEMO.email}")).to_be_visible()
    decide(page, "Allow")
    expect(page.locator("#profile")).to_contain_text(DEMO.email)
    assert page.url.startswith(f"{demo.example_url}/callback?code=")


def test_it_all_goes_by_keyboard_alone(page: Page, demo: Demo, account: Account) -> None:
    page.goto(demo.example_url)
    tab_to(page, page.get_by_role("link", name="Connect"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_label("E-mail address"))
    page.keyboard.type(account.email)
    tab_to(page, page.get_by_label("Password"))
    page.keyboard.type(account.password)
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("button", name="Allow"))
    page.keyboard.press("Enter")
    expect(page.locator("#profile")).to_contain_text(account.email)


def test_denying_leads_back_with_access_denied(page: Page, demo: Demo, account: Account) -> None:
    _connect(page, demo)
    sign_in(page, account)
    decide(page, "Deny")
    expect(page.get_by_role("alert")).to_have_text("The platform said: access_denied")
    assert page.url.startswith(f"{demo.example_url}/callback?error=access_denied")


def test_who_allowed_it_before_is_not_asked_again(page: Page, demo: Demo, account: Account) -> None:
    _connect(page, demo)
    sign_in(page, account)
    decide(page, "Allow")
    expect(page.locator("#profile")).to_be_visible()
    _connect(page, demo)
    expect(page.locator("#profile")).to_contain_text(account.email)


def test_a_wrong_password_is_told_and_the_right_one_goes_on(page: Page, demo: Demo, account: Account) -> None:
    _connect(page, demo)
    sign_in(page, Account(account.email, "wrong password"))
    expect(page.get_by_role("alert")).to_have_text(
        "The e-mail address and the password do not match an account."
    )
    expect(page.get_by_label("E-mail address")).to_have_value(account.email)
    expect(page.get_by_label("Password")).to_have_value("")
    page.get_by_label("Password").fill(account.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Allow")).to_be_visible()


def test_the_pages_need_no_java_script(open_page: OpenPage, demo: Demo, account: Account) -> None:
    page = open_page(java_script=False)
    _connect(page, demo)
    sign_in(page, account)
    decide(page, "Allow")
    expect(page.locator("#profile")).to_contain_text(account.email)


def _connect(page: Page, demo: Demo) -> None:
    page.goto(demo.example_url)
    page.get_by_role("link", name="Connect").click()
