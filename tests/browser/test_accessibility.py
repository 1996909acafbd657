"""Every page, in both themes, on a phone and on a desktop: axe finds nothing, and nothing sticks out."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from chalicelib.pages import rendering
from tests.browser.demo import Demo
from tests.browser.tour import Stop, looks, tour
from tests.interop import node

JS = Path(__file__).with_name("js")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
TEMPLATES = {path.stem for path in (Path(rendering.__file__).parent / "templates").glob("*.html")}
NO_PAGES = {"base", "macros", "application_form"}

pytestmark = pytest.mark.skipif(node.NO_NODE is not None, reason=str(node.NO_NODE))


@pytest.fixture(scope="module")
def stops(chromium: Browser, demo: Demo) -> list[tuple[str, dict[str, list[str]]]]:
    """What was found at each stop of the tour, look by look."""
    return [
        (stop.name, {look: list(problems_of(stop)) for look in looks(stop)}) for stop in tour(chromium, demo)
    ]


def test_the_tour_leads_past_every_page(stops: list[tuple[str, dict[str, list[str]]]]) -> None:
    assert {name.partition("-")[0] for name, _ in stops} == TEMPLATES - NO_PAGES


def test_axe_finds_no_violation_and_nothing_sticks_out(stops: list[tuple[str, dict[str, list[str]]]]) -> None:
    found = {
        f"{name} {look}": problems
        for name, looks_of_it in stops
        for look, problems in looks_of_it.items()
        if problems
    }
    assert found == {}


def test_axe_would_find_something(chromium: Browser) -> None:
    page = chromium.new_page()
    page.set_content('<p style="color: #aaa; background: #fff">pale</p><input>')
    rules = {problem.partition(":")[0] for problem in _violations(page)}
    assert {"color-contrast", "label"} <= rules
    page.close()


def problems_of(stop: Stop) -> Iterator[str]:
    """Yield what axe finds on a page as it looks now, and whether it is too wide."""
    yield from _violations(stop.page)
    width = stop.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    if width[0] > width[1]:
        yield f"{width[0]} pixels wide, where there are {width[1]}"


def _violations(page: Page) -> Iterator[str]:
    page.evaluate(_axe())  # Not in a script element: our Content-Security-Policy would refuse it.
    results: dict[str, Any] = page.evaluate("tags => axe.run(document, {runOnly: tags})", TAGS)
    for violation in results["violations"]:
        for found in violation["nodes"]:
            yield f"{violation['id']}: {found['html'][:200]} ({found.get('failureSummary', '')[:200]})"


@cache
def _axe() -> str:
    node.install(JS)
    return (JS / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
