"""What the consent page says of who asks, and what a user may leave out."""

import pytest

from chalicelib.accounts import accounts, connections
from chalicelib.models.client import Client
from tests.conftest import Time
from tests.expect import assert_error_redirect
from tests.faults import meanwhile
from tests.harness import CALLBACK, EMAIL, Answer, App, Browser, Deployment, count_requests


@pytest.fixture
def browser(deployment: Deployment) -> Browser:
    deployment.add_account()
    return deployment.signed_in_browser()


@pytest.fixture
def app(deployment: Deployment) -> App:
    return deployment.add_app(grant_types=("authorization_code", "refresh_token"))


def describe(deployment: Deployment, app: App, **attributes: str) -> None:
    client = deployment.client(app)
    for name, value in attributes.items():
        setattr(client, name, value)
    client.write()
    assert Client.find(app.client_id)


# Who asks


def test_a_verified_application_is_called_so(app: App, browser: Browser) -> None:
    page = browser.get(app.authorization_url())
    assert "Verified by Community Maps" in page.body
    assert "Not verified" not in page.body


def test_an_unverified_application_comes_with_a_warning(deployment: Deployment, browser: Browser) -> None:
    app = deployment.add_app(verified=False)
    assert "Not verified by Community Maps" in browser.get(app.authorization_url()).body


def test_the_homepage_is_shown_by_its_host(deployment: Deployment, app: App, browser: Browser) -> None:
    describe(deployment, app, client_uri="https://editor.example/about", description="Draws maps.")
    page = browser.get(app.authorization_url())
    assert '<a href="https://editor.example/about" rel="noreferrer noopener"' in page.body
    assert ">editor.example</a>" in page.body
    assert "Draws maps." in page.body


# What for


def ticked(page: Answer) -> set[str]:
    return {name for name in page.form.fields if name.startswith("allow:")}


def test_what_goes_beyond_the_default_can_be_unticked(app: App, browser: Browser) -> None:
    page = browser.get(app.authorization_url(scope="read write"))
    assert ticked(page) == {"allow:write"}
    del page.form.fields["allow:write"]
    code = browser.submit(page, decision="allow").redirect_params["code"]
    assert app.exchange(code).json["scope"] == "read"


def test_what_stays_ticked_is_granted(app: App, browser: Browser) -> None:
    page = browser.get(app.authorization_url(scope="read write"))
    code = browser.submit(page, decision="allow").redirect_params["code"]
    assert app.exchange(code).json["scope"] == "read write"


@pytest.mark.parametrize("scope", ["read", "write"])
def test_a_single_scope_is_all_or_nothing(app: App, browser: Browser, scope: str) -> None:
    page = browser.get(app.authorization_url(scope=scope))
    assert ticked(page) == set()
    code = browser.submit(page, decision="allow").redirect_params["code"]
    assert app.exchange(code).json["scope"] == scope


def test_a_box_can_add_nothing_that_was_not_asked_for(app: App, browser: Browser) -> None:
    page = browser.get(app.authorization_url(scope="read"))
    code = browser.submit(page, decision="allow", **{"allow:write": "allow"}).redirect_params["code"]
    assert app.exchange(code).json["scope"] == "read"


def test_what_was_unticked_is_asked_for_again(app: App, browser: Browser) -> None:
    page = browser.get(app.authorization_url(scope="read write"))
    del page.form.fields["allow:write"]
    browser.submit(page, decision="allow")
    assert ticked(browser.get(app.authorization_url(scope="read write"))) == {"allow:write"}
    assert browser.get(app.authorization_url(scope="read")).status == 303


def test_what_was_unticked_cannot_be_had_by_refreshing(app: App, browser: Browser) -> None:
    page = browser.get(app.authorization_url(scope="read write"))
    del page.form.fields["allow:write"]
    tokens = app.exchange(browser.submit(page, decision="allow").redirect_params["code"]).json
    assert app.refresh(tokens["refresh_token"], scope="read write").json["error"] == "invalid_scope"


@pytest.fixture
def all_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chalicelib.oauth.scopes.optional", lambda scope: set(scope.split(" ")))


@pytest.mark.usefixtures("all_optional")
def test_who_unticks_everything_is_asked_again(deployment: Deployment, app: App, browser: Browser) -> None:
    page = browser.get(app.authorization_url(scope="read write"))
    before = deployment.snapshot()
    again = browser.submit(page, decision="allow", **{"allow:read": "", "allow:write": ""})
    assert again.status == 400
    assert "tick at least one" in again.body
    assert deployment.snapshot() == before


# Where to


def test_an_unverified_application_gets_no_redirect_that_no_user_has_seen(deployment: Deployment) -> None:
    app = deployment.add_app(verified=False)
    page = Browser().get(app.authorization_url(response_type="nothing", state="s"))
    assert page.status == 400
    assert f'<a href="{CALLBACK}?error=unsupported_response_type' in page.body
    assert "Go back to app.example.com" in page.body


def test_a_verified_application_does(app: App) -> None:
    answer = Browser().get(app.authorization_url(response_type="nothing"))
    assert_error_redirect(answer, CALLBACK, "unsupported_response_type")


def test_an_unverified_application_is_told_what_the_user_decided(
    deployment: Deployment, browser: Browser
) -> None:
    app = deployment.add_app(verified=False)
    denied = browser.submit(browser.get(app.authorization_url()), decision="deny")
    assert_error_redirect(denied, CALLBACK, "access_denied")


def test_an_unverified_application_may_ask_silently(deployment: Deployment) -> None:
    app = deployment.add_app(verified=False)
    assert_error_redirect(Browser().get(app.authorization_url(prompt="none")), CALLBACK, "login_required")


def test_a_client_that_was_made_anew_under_its_old_id_has_no_consent(
    deployment: Deployment, app: App, browser: Browser
) -> None:
    browser.submit(browser.get(app.authorization_url()), decision="allow")
    assert browser.get(app.authorization_url()).status == 303
    client = deployment.client(app)
    client.created_at += 3600
    client.write()
    from chalicelib.oauth import clients

    clients.forget()
    assert browser.get(app.authorization_url()).status == 200


def test_the_consent_page_takes_two_requests(app: App, browser: Browser) -> None:
    browser.get(app.authorization_url())
    with count_requests() as requests:
        browser.get(app.authorization_url())
    assert requests == {"UpdateItem": 1, "BatchGetItem": 1}


def test_what_is_unticked_later_is_forgotten(app: App, browser: Browser) -> None:
    browser.submit(browser.get(app.authorization_url(scope="read write")), decision="allow")
    page = browser.get(app.authorization_url(scope="read write", prompt="consent"))
    del page.form.fields["allow:write"]
    browser.submit(page, decision="allow")
    assert ticked(browser.get(app.authorization_url(scope="read write"))) == {"allow:write"}
    assert browser.get(app.authorization_url(scope="read")).status == 303


def test_a_client_that_may_refresh_only_since_then_gets_no_refresh_token(
    deployment: Deployment, browser: Browser, time: Time
) -> None:
    """The user was told another end, and their pointer to the grant lasts until then."""
    app = deployment.add_app()
    code = deployment.code(app, deployment.signed_in_browser())
    client = deployment.client(app)
    client.grant_types = ["authorization_code", "refresh_token"]
    client.write()
    time.passes(6)
    answer = app.exchange(code)
    assert answer.status == 200
    assert "refresh_token" not in answer.json


def test_disconnecting_while_a_remembered_consent_is_used_wins(app: App, browser: Browser) -> None:
    browser.submit(browser.get(app.authorization_url()), decision="allow")
    account = accounts.find_by_email(EMAIL)
    assert account

    def disconnect() -> None:
        connections.disconnect(account.user_id, app.client_id)

    with meanwhile("TransactWriteItems", disconnect):
        answer = browser.get(app.authorization_url())
    assert "code=" not in answer.headers.get("location", "")
    assert browser.get("/connections").forms == []
