"""Signing in with an OpenID provider, in a browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_accessibility import problems_of
from tests.browser.tour import Stop, looks
from tests.interop import node
from tests.interop.server import Server
from tests.interop.test_oidc_provider import running_both

pytestmark = pytest.mark.skipif(node.NO_NODE is not None, reason=str(node.NO_NODE))


@pytest.fixture(scope="module")
def server(executable: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    logs = tmp_path_factory.mktemp("upstream")
    with running_both(logs, OAUTH_UPSTREAM_NAME="Harbour ID", EMAIL_IN_ID_TOKEN="yes") as server:
        yield server


def test_the_button_leads_to_the_provider_and_back_to_the_page_one_wanted(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/account")
    page.get_by_role("button", name="Continue with Harbour ID").click()
    page.locator("input[name=login]").fill("sailor")
    page.locator("input[name=password]").fill("any password")
    page.get_by_role("button").first.click()
    if page.get_by_role("button", name="Continue").count():
        page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    assert page.url == f"{server.url}/account"


def test_the_button_is_fine_with_axe_in_every_look(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/account")
    stop = Stop("sign_in-upstream", page)
    assert {look: problems for look in looks(stop) if (problems := list(problems_of(stop)))} == {}
