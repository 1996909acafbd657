"""Pages while others are always faster: a page that says so, and nothing has changed."""

import pytest

from tests.expect import assert_error_page
from tests.faults import TRANSACTION_CONFLICT, storage_fails
from tests.harness import Answer, App, Browser, Deployment


@pytest.fixture
def app(deployment: Deployment) -> App:
    deployment.add_account()
    return deployment.add_app()


@pytest.fixture
def browser(deployment: Deployment, app: App) -> Browser:
    """Return a browser in which the user is signed in."""
    return deployment.signed_in_browser()


def assert_unavailable(answer: Answer) -> None:
    assert_error_page(answer, 503)
    assert int(answer.headers["retry-after"]) > 0
    assert answer.set_cookies == []


def test_too_many_conflicts_are_the_same_page(deployment: Deployment, app: App, browser: Browser) -> None:
    page = browser.get(app.authorization_url())
    before = deployment.snapshot()
    with storage_fails(TRANSACTION_CONFLICT, "TransactWriteItems"):
        assert_unavailable(browser.submit(page, decision="allow"))
    assert deployment.snapshot() == before
