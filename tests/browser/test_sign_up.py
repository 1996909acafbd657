"""Signing up, and a forgotten password, by the codes that are mailed."""

import uuid

from playwright.sync_api import Page, expect

from tests.browser.demo import Demo
from tests.browser.pages import OpenPage, sign_in
from tests.browser.tour import mailed_code
from tests.interop.server import Account


def test_signing_up_leads_on_to_the_page_one_wanted(open_page: OpenPage, demo: Demo) -> None:
    page = open_page(java_script=False)
    newcomer = Account(f"{uuid.uuid4().hex}@example.org", "correct horse")
    page.goto(f"{demo.server.url}/account")
    page.get_by_role("link", name="Create an account").click()
    page.get_by_label("E-mail address").fill(newcomer.email)
    page.get_by_role("button", name="Send me a code").click()
    page.get_by_label("Code").fill(mailed_code(newcomer.email).lower().replace("-", ""))
    page.get_by_label("Choose a password").fill(newcomer.password)
    page.get_by_role("button", name="Create the account").click()
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    expect(page.get_by_text(newcomer.email)).to_be_visible()


def test_a_forgotten_password_is_set_anew(page: Page, demo: Demo, account: Account) -> None:
    page.goto(f"{demo.server.url}/account")
    page.get_by_role("link", name="Forgotten your password?").click()
    page.get_by_label("E-mail address").fill(account.email)
    page.get_by_role("button", name="Send me a code").click()
    page.get_by_label("Code").fill(mailed_code(account.email))
    page.get_by_label("New password").fill("another password")
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_role("status")).to_contain_text("Your new password is set")
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.goto(f"{demo.server.url}/account")
    sign_in(page, Account(account.email, "another password"))
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()


def test_changing_the_password_signs_out_elsewhere_and_keeps_what_is_ticked(
    page: Page, open_page: OpenPage, demo: Demo, account: Account
) -> None:
    elsewhere = open_page()
    for tab in (page, elsewhere):
        tab.goto(f"{demo.server.url}/account")
        sign_in(tab, account)
        expect(tab.get_by_role("heading", name="Your account")).to_be_visible()
    page.get_by_label("Current password").fill(account.password)
    page.get_by_label("New password").fill("another password")
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_role("status")).to_contain_text("Your password is changed")
    elsewhere.reload()
    expect(elsewhere.get_by_role("heading", name="Sign in")).to_be_visible()
