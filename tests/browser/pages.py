"""What people do on the server's pages."""

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from tests.interop.server import Account

OpenPage = Callable[..., Page]
"""Opens a browser that knows nothing yet; `java_script=False` makes it run no scripts."""

MAX_TABS = 10


def sign_in(page: Page, account: Account) -> None:
    page.get_by_label("E-mail address").fill(account.email)
    page.get_by_label("Password").fill(account.password)
    page.get_by_role("button", name="Sign in").click()


def decide(page: Page, decision: str) -> None:
    page.get_by_role("button", name=decision).click()


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until an element has the focus."""
    expect(wanted).to_be_visible()
    for _ in range(MAX_TABS):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"{wanted} cannot be reached by keyboard")
