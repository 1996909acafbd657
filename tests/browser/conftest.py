"""Chromium, and all of `run.py` for it to look at."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.browser.demo import Demo, running_demo
from tests.browser.pages import OpenPage
from tests.interop.server import Account
from tests.last_words import say

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
NO_BROWSER = "the pages were NOT tested in a browser: there is no Chromium here (apt-get install chromium)"
TIMEOUT_MS = 10_000


@pytest.fixture(scope="session")
def executable(request: pytest.FixtureRequest) -> str:
    """Where the browser is."""
    if CHROMIUM is None:
        say(request.config, f"WARNING: {NO_BROWSER}")
        pytest.skip(NO_BROWSER)
    return CHROMIUM


@pytest.fixture(scope="session")
def demo(executable: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A `run.py` that is up, for a browser to look at."""
    with running_demo(tmp_path_factory.mktemp("demo") / "run.log") as demo:
        yield demo


@pytest.fixture(scope="module")
def chromium(executable: str) -> Iterator[Browser]:
    """A browser. By module, since Playwright keeps an event loop running for as long as it is there."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def violations() -> Iterator[list[str]]:
    """What the browser says against a page's own Content-Security-Policy: at the end, nothing."""
    violations: list[str] = []
    yield violations
    assert violations == []


@pytest.fixture
def open_page(chromium: Browser, violations: list[str]) -> Iterator[OpenPage]:
    """Open a browser that knows nothing yet."""

    def listen(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            violations.append(message.text)

    with ExitStack() as at_the_end:

        def open_page(*, java_script: bool = True) -> Page:
            context = chromium.new_context(java_script_enabled=java_script)
            at_the_end.callback(context.close)
            context.set_default_timeout(TIMEOUT_MS)
            context.on("console", listen)
            return context.new_page()

        yield open_page


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """A tab in a browser that knows nothing yet."""
    return open_page()


@pytest.fixture
def account(demo: Demo) -> Account:
    """Somebody who has allowed nothing yet."""
    return demo.server.add_account()
