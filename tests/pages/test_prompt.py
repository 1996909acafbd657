"""`prompt`, remembered consent, incremental scopes and response modes."""

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib.accounts import accounts
from chalicelib.oauth import clients, registration
from tests.conftest import Time
from tests.harness import (
    CALLBACK,
    EMAIL,
    HOST,
    PASSWORD,
    Answer,
    App,
    Browser,
    Deployment,
    count_requests,
    is_alive,
)

CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.fixture
def app(deployment: Deployment) -> App:
    deployment.add_account()
    return deployment.add_app()


@pytest.fixture
def browser(deployment: Deployment, app: App) -> Browser:
    return deployment.signed_in_browser()


def agree(app: App, browser: Browser, **parameters: str | None) -> Answer:
    page = browser.get(app.authorization_url(**parameters))
    return browser.submit(page, decision="allow")


def asks(answer: Answer) -> bool:
    return answer.status == 200 and ("decision", "allow") in answer.form.buttons


def test_what_was_allowed_once_is_not_asked_again(app: App, browser: Browser) -> None:
    agree(app, browser, scope="read")
    again = browser.get(app.authorization_url(scope="read"))
    assert app.exchange(again.redirect_params["code"]).status == 200


def test_a_remembered_consent_takes_three_requests(app: App, browser: Browser) -> None:
    agree(app, browser)
    with count_requests() as requests:
        browser.get(app.authorization_url())
    assert requests == {"UpdateItem": 1, "BatchGetItem": 1, "TransactWriteItems": 1}


def test_a_remembered_consent_is_never_for_a_wider_scope(app: App, browser: Browser) -> None:
    agree(app, browser, scope="read")
    assert asks(browser.get(app.authorization_url(scope="read write")))
    assert asks(browser.get(app.authorization_url(scope="write")))


def test_scopes_can_be_asked_for_one_after_the_other(app: App, browser: Browser) -> None:
    agree(app, browser, scope="read")
    agree(app, browser, scope="write")
    both = browser.get(app.authorization_url(scope="read write"))
    assert app.exchange(both.redirect_params["code"]).json["scope"] == "read write"


def test_a_token_has_the_scope_that_was_asked_for_and_not_all_that_was_ever_allowed(
    app: App, browser: Browser
) -> None:
    agree(app, browser, scope="read write")
    narrow = browser.get(app.authorization_url(scope="read"))
    assert app.exchange(narrow.redirect_params["code"]).json["scope"] == "read"


def test_another_application_is_asked_for_itself(deployment: Deployment, app: App, browser: Browser) -> None:
    agree(app, browser)
    assert asks(browser.get(deployment.add_app(name="Other").authorization_url()))


def test_a_denial_is_not_remembered_as_consent(app: App, browser: Browser) -> None:
    browser.submit(browser.get(app.authorization_url()), decision="deny")
    assert asks(browser.get(app.authorization_url()))


def test_a_public_client_is_never_allowed_silently(deployment: Deployment, browser: Browser) -> None:
    native = deployment.add_app(name="Native", public=True)
    pkce = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    agree(native, browser, **pkce)
    assert asks(browser.get(native.authorization_url(**pkce)))
    silent = browser.get(native.authorization_url(prompt="none", **pkce))
    assert silent.redirect_params["error"] == "consent_required"


def test_a_new_password_forgets_what_was_allowed(deployment: Deployment, app: App, browser: Browser) -> None:
    agree(app, browser)
    account = accounts.find_by_email(EMAIL)
    assert account
    accounts.set_password(account, "another password")
    again = deployment.signed_in_browser(password="another password")
    assert asks(again.get(app.authorization_url()))


def test_disabling_a_client_forgets_what_it_was_allowed(
    deployment: Deployment, app: App, browser: Browser, time: Time
) -> None:
    agree(app, browser)
    registration.disable(deployment.client(app))
    registration.enable(deployment.client(app))
    clients.forget()
    assert asks(browser.get(app.authorization_url()))


def test_prompt_consent_asks_again(app: App, browser: Browser) -> None:
    agree(app, browser)
    assert asks(browser.get(app.authorization_url(prompt="consent")))


def test_prompt_login_asks_for_the_password_and_then_goes_on(app: App, browser: Browser) -> None:
    agree(app, browser)
    page = browser.get(app.authorization_url(prompt="login", state="s"))
    assert "password" in page.form.fields
    back = browser.submit(page, email=EMAIL, password=PASSWORD)
    done = browser.get(back.location)
    assert done.redirect_params["state"] == "s"
    assert "code" in done.redirect_params


def test_prompt_login_and_consent_ask_for_both(app: App, browser: Browser) -> None:
    agree(app, browser)
    page = browser.get(app.authorization_url(prompt="login consent"))
    back = browser.submit(page, email=EMAIL, password=PASSWORD)
    assert asks(browser.get(back.location))


def test_prompt_none_never_shows_a_page(app: App, browser: Browser) -> None:
    url = app.authorization_url(prompt="none", state="s")
    stranger = Browser().get(url)
    assert stranger.redirect_params["error"] == "login_required"
    assert stranger.redirect_params["state"] == "s"
    assert browser.get(url).redirect_params["error"] == "consent_required"
    agree(app, browser)
    assert "code" in browser.get(url).redirect_params


@pytest.mark.parametrize("prompt", ["none login", "select_account", "NONE", "login,consent"])
def test_a_prompt_that_does_not_exist_is_refused(app: App, browser: Browser, prompt: str) -> None:
    assert browser.get(app.authorization_url(prompt=prompt)).redirect_params["error"] == "invalid_request"


def test_form_post_hands_the_code_over_in_a_form(app: App, browser: Browser) -> None:
    page = agree(app, browser, response_mode="form_post", state='"<s>')
    assert page.status == 200
    assert page.form.action == CALLBACK
    assert page.form.method == "post"
    assert page.form.fields["state"] == '"<s>'
    assert page.form.fields["iss"] == f"https://{HOST}"
    assert app.exchange(page.form.fields["code"]).status == 200


def test_form_post_may_run_our_one_script(app: App, browser: Browser) -> None:
    page = agree(app, browser, response_mode="form_post")
    assert "script-src 'self';" in page.headers["content-security-policy"]
    assert '<script src="/static/form_post.js"></script>' in page.body
    assert "script-src 'none';" in browser.get("/oauth2/authorize").headers["content-security-policy"]


def test_form_post_hands_errors_over_too(app: App, browser: Browser) -> None:
    page = browser.get(app.authorization_url(response_mode="form_post", scope="unknown"))
    assert page.form.fields["error"] == "invalid_scope"
    denied = browser.submit(browser.get(app.authorization_url(response_mode="form_post")), decision="deny")
    assert denied.form.fields["error"] == "access_denied"


def test_form_post_needs_somebody_who_takes_a_form(deployment: Deployment, browser: Browser) -> None:
    native = deployment.add_app(name="Native", public=True, redirect_uris=("com.example.app:/cb",))
    answer = browser.get(native.authorization_url(response_mode="form_post"))
    assert answer.redirect_params["error"] == "invalid_request"


@pytest.mark.parametrize("mode", ["fragment", "web_message", "query.jwt"])
def test_another_response_mode_is_refused(app: App, browser: Browser, mode: str) -> None:
    answer = browser.get(app.authorization_url(response_mode=mode))
    assert answer.redirect_params["error"] == "invalid_request"
    assert not urlsplit(answer.location).fragment


def test_query_is_the_default_and_can_be_named(app: App, browser: Browser) -> None:
    assert "code" in agree(app, browser, response_mode="query").redirect_params


def test_a_setting_requires_pkce_of_all(
    app: App, browser: Browser, change_setting: Callable[[str, object], None]
) -> None:
    change_setting("require_pkce", True)
    answer = browser.get(app.authorization_url())
    assert answer.redirect_params["error"] == "invalid_request"
    assert asks(browser.get(app.authorization_url(code_challenge=CHALLENGE, code_challenge_method="S256")))


def test_signing_in_keeps_the_request_as_it_was(app: App) -> None:
    parameters = {"scope": "read write", "state": "a&b=c d+é%", "code_challenge": CHALLENGE}
    url = app.authorization_url(code_challenge_method="S256", **parameters)
    browser = Browser()
    back = browser.submit(browser.get(url), email=EMAIL, password=PASSWORD)
    assert parse_qs(urlsplit(back.location).query) == parse_qs(urlsplit(url).query)


def test_the_account_may_not_change_between_the_page_and_the_decision(
    deployment: Deployment, app: App, browser: Browser
) -> None:
    page = browser.get(app.authorization_url())
    account = accounts.find_by_email(EMAIL)
    assert account
    accounts.disable(account)
    answer = browser.submit(page, decision="allow")
    assert "password" in answer.form.fields


def test_silent_authorization_yields_tokens_that_live(app: App, browser: Browser) -> None:
    agree(app, browser)
    code = browser.get(app.authorization_url(prompt="none")).redirect_params["code"]
    assert is_alive(app.exchange(code).json["access_token"])


def test_what_was_forgotten_does_not_come_back_with_the_next_consent(
    deployment: Deployment, app: App, browser: Browser, time: Time
) -> None:
    agree(app, browser, scope="read write")
    time.passes(1)
    registration.disable(deployment.client(app))
    registration.enable(deployment.client(app))
    clients.forget()
    time.passes(1)
    agree(app, browser, scope="read")
    assert "code" in browser.get(app.authorization_url(scope="read")).redirect_params
    assert asks(browser.get(app.authorization_url(scope="write")))
