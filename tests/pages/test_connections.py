"""The page of connected applications."""

import pytest

from tests.conftest import Time
from tests.harness import EMAIL, PASSWORD, Answer, App, Browser, Deployment, count_requests, is_alive

REFRESHING = ("authorization_code", "refresh_token")


@pytest.fixture
def browser(deployment: Deployment) -> Browser:
    deployment.add_account()
    return deployment.signed_in_browser()


@pytest.fixture
def app(deployment: Deployment, browser: Browser) -> App:
    return deployment.add_app(name="Map editor", grant_types=REFRESHING)


def connections(browser: Browser) -> list[str]:
    """Return the ids of the clients that the page shows a button for."""
    return [form.fields["client_id"] for form in browser.get("/connections").forms]


def disconnect(browser: Browser, app: App) -> Answer:
    page = browser.get("/connections")
    (form,) = [form for form in page.forms if form.fields["client_id"] == app.client_id]
    return browser.submit(page, form)


def test_who_connected_nothing_is_told_so(browser: Browser) -> None:
    page = browser.get("/connections")
    assert "No application is connected" in page.body
    assert page.forms == []


def test_it_says_what_may_do_what_since_when_and_when_it_last_got_a_token(
    deployment: Deployment, app: App, browser: Browser, time: Time
) -> None:
    time.now = 1795000000  # 18 November 2026
    browser = deployment.signed_in_browser()
    tokens = deployment.tokens(app, browser, scope="read write")
    time.passes(86400)
    assert app.refresh(tokens["refresh_token"]).status == 200
    browser = deployment.signed_in_browser()
    page = browser.get("/connections")
    assert "Map editor" in page.body
    assert "See your maps" in page.body
    assert "Add, change" in page.body
    assert 'Connected since</dt><dd><time datetime="2026-11-18">' in page.body
    assert 'Last got a token</dt><dd><time datetime="2026-11-19">' in page.body


def test_several_grants_to_one_application_are_one_connection(
    deployment: Deployment, app: App, browser: Browser
) -> None:
    first, second = deployment.tokens(app, browser), deployment.tokens(app, browser)
    assert connections(browser) == [app.client_id]
    disconnect(browser, app)
    assert not is_alive(first["access_token"])
    assert not is_alive(second["access_token"])


def test_disconnecting_ends_every_token_at_once(deployment: Deployment, app: App, browser: Browser) -> None:
    tokens = deployment.tokens(app, browser)
    assert is_alive(tokens["access_token"])
    answer = disconnect(browser, app)
    assert (answer.status, answer.location) == (303, "/connections")
    assert not is_alive(tokens["access_token"])
    assert app.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"
    assert connections(browser) == []


def test_disconnecting_is_told_once(deployment: Deployment, app: App, browser: Browser) -> None:
    deployment.tokens(app, browser)
    disconnect(browser, app)
    assert "The application is disconnected" in browser.get("/connections").body
    assert "The application is disconnected" not in browser.get("/connections").body


def test_a_disconnected_application_has_to_ask_again(
    deployment: Deployment, app: App, browser: Browser
) -> None:
    deployment.tokens(app, browser)
    disconnect(browser, app)
    assert ("decision", "allow") in browser.get(app.authorization_url()).form.buttons


def test_disconnecting_leaves_other_applications_and_other_people_alone(
    deployment: Deployment, app: App, browser: Browser
) -> None:
    deployment.add_account("other@example.org", PASSWORD)
    other_person = deployment.signed_in_browser("other@example.org")
    theirs = deployment.tokens(app, other_person)
    other_app = deployment.add_app(name="Other")
    others = deployment.tokens(other_app, browser)
    deployment.tokens(app, browser)
    disconnect(browser, app)
    assert is_alive(theirs["access_token"])
    assert is_alive(others["access_token"])
    assert connections(browser) == [other_app.client_id]
    assert connections(other_person) == [app.client_id]


def test_a_code_that_is_not_redeemed_yet_is_a_connection_and_can_be_ended(
    deployment: Deployment, app: App, browser: Browser
) -> None:
    code = deployment.code(app, browser)
    assert "never" in browser.get("/connections").body
    disconnect(browser, app)
    assert app.exchange(code).json["error"] == "invalid_grant"


def test_what_is_over_is_no_connection(
    deployment: Deployment, app: App, browser: Browser, time: Time
) -> None:
    deployment.tokens(deployment.add_app(name="Short"), browser)
    time.passes(31 * 86400)
    assert connections(deployment.signed_in_browser()) == []


def test_a_connection_outlives_its_application(deployment: Deployment, app: App, browser: Browser) -> None:
    tokens = deployment.tokens(app, browser)
    deployment.client(app).delete()
    assert "no longer there" in browser.get("/connections").body
    disconnect(browser, app)
    assert not is_alive(tokens["access_token"])


def test_disconnecting_what_is_not_connected_changes_nothing(
    deployment: Deployment, app: App, browser: Browser
) -> None:
    deployment.tokens(app, browser)
    page = browser.get("/connections")
    (form,) = page.forms
    before = deployment.snapshot()
    assert browser.submit(page, form, client_id="unknown").status == 303
    assert deployment.snapshot() == before
    assert browser.submit(page, form, client_id="").status == 400


def test_the_page_takes_five_requests_however_many_connections(
    deployment: Deployment, app: App, browser: Browser
) -> None:
    for name in ("One", "Two", "Three"):
        deployment.tokens(deployment.add_app(name=name), browser)
    with count_requests() as requests:
        browser.get("/connections")
    assert requests == {"UpdateItem": 1, "Query": 1, "BatchGetItem": 3}


def test_names_with_markup_are_text(deployment: Deployment, browser: Browser) -> None:
    deployment.tokens(deployment.add_app(name="<b>bold</b>"), browser)
    assert "<b>" not in browser.get("/connections").body


def test_the_navigation_shows_where_one_is(browser: Browser) -> None:
    assert '<a href="/connections" aria-current="page">' in browser.get("/connections").body


def test_who_signs_in_first_goes_on_to_the_page(deployment: Deployment) -> None:
    deployment.add_account()
    stranger = Browser("/prod")
    form = stranger.get(stranger.get("/prod/connections").location)
    signed_in = stranger.submit(form, email=EMAIL, password=PASSWORD)
    assert signed_in.location == "/prod/connections"
    assert "No application is connected" in stranger.get(signed_in.location).body


@pytest.mark.parametrize("client_id", ["x" * 2000, "\u20ac" * 900])
def test_an_id_that_no_client_can_have_is_fine(
    deployment: Deployment, app: App, browser: Browser, client_id: str
) -> None:
    deployment.tokens(app, browser)
    page = browser.get("/connections")
    with count_requests() as requests:
        assert browser.submit(page, client_id=client_id).status == 303
    assert "Query" not in requests
