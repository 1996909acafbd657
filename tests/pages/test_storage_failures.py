"""Pages while DynamoDB fails, at each step: a page that says so, and nothing has changed."""

import pytest

from chalicelib.oauth import clients
from tests.expect import assert_error_page
from tests.faults import FAULTS, TRANSACTION_CONFLICT, storage_fails
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


@pytest.mark.parametrize("fault", FAULTS)
def test_failing_storage_is_a_page_that_says_so_and_changes_nothing(
    deployment: Deployment, app: App, browser: Browser, fault: str
) -> None:
    target = app.authorization_url()
    page = browser.get(target)
    before = deployment.snapshot()
    with storage_fails(FAULTS[fault]):
        assert_unavailable(browser.get(target))
        assert_unavailable(browser.submit(page, decision="allow"))
        clients.forget()
        assert_unavailable(Browser().get(target))
    with storage_fails(FAULTS[fault], "TransactWriteItems"):
        assert_unavailable(browser.submit(page, decision="allow"))
    assert deployment.snapshot() == before
    assert "code" in browser.submit(page, decision="allow").redirect_params


def test_too_many_conflicts_are_the_same_page(deployment: Deployment, app: App, browser: Browser) -> None:
    page = browser.get(app.authorization_url())
    before = deployment.snapshot()
    with storage_fails(TRANSACTION_CONFLICT, "TransactWriteItems"):
        assert_unavailable(browser.submit(page, decision="allow"))
    assert deployment.snapshot() == before
