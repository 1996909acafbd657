"""`make screenshots`: every page, in both themes, on a phone and on a desktop, into build/screenshots."""

import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import ARGUMENTS, CHROMIUM, NO_BROWSER
from tests.browser.demo import running_demo
from tests.browser.tour import looks, tour

FOLDER = Path(__file__).parents[2] / "build" / "screenshots"


def take() -> None:
    """Walk past every page and take its picture, saying which."""
    if CHROMIUM is None:
        raise SystemExit(NO_BROWSER)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with running_demo(FOLDER.parent / "screenshots.log") as demo, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for number, stop in enumerate(tour(browser, demo), start=1):
            for look in looks(stop):
                stop.page.screenshot(path=FOLDER / f"{number:02}-{stop.name}-{look}.png", full_page=True)
            print(f"{number:02} {stop.name}", flush=True)
        browser.close()
    print(f"in {FOLDER}")


if __name__ == "__main__":
    take()
