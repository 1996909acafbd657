"""The sign-in form, when it is shown again."""

import pytest

from tests.harness import EMAIL, PASSWORD, App, Browser, Deployment


@pytest.fixture
def app(deployment: Deployment) -> App:
    deployment.add_account()
    return deployment.add_app(name="Waiting application")


def test_after_a_wrong_password_the_form_still_leads_to_the_application(app: App) -> None:
    """With a remembered consent, signing in redirects there at once."""
    browser = Browser()
    first = browser.get(app.authorization_url(state="s"))
    again = browser.submit(first, email=EMAIL, password="wrong password")
    for page in (first, again):
        assert "form-action" not in page.headers["content-security-policy"]
        assert "Waiting application" in page.body


def test_after_a_wrong_password_the_address_need_not_be_typed_again(app: App) -> None:
    browser = Browser()
    again = browser.submit(browser.get(app.authorization_url()), email=EMAIL, password="wrong password")
    assert again.form.fields["email"] == EMAIL
    assert not again.form.fields["password"]


def test_a_form_that_leads_elsewhere_permits_nothing(app: App) -> None:
    browser = Browser()
    page = browser.get(app.authorization_url())
    page.form.fields["continue"] = "/elsewhere?client_id=x"
    again = browser.submit(page, email=EMAIL, password="wrong password")
    assert "form-action 'self'" in again.headers["content-security-policy"]


@pytest.mark.parametrize("state", ["x" * 4096, "=" * 4000, "a/" * 1000], ids=len)
def test_a_long_request_survives_signing_in(app: App, state: str) -> None:
    browser = Browser()
    back = browser.submit(browser.get(app.authorization_url(state=state)), email=EMAIL, password=PASSWORD)
    answer = browser.submit(browser.get(back.location), decision="allow")
    assert answer.redirect_params["state"] == state


@pytest.mark.parametrize("password", ["with\u00a0space", "👩\u200d🚒 fire!", "tab\tulator", "ünïcödé pass"])
def test_a_password_is_whatever_somebody_typed(deployment: Deployment, app: App, password: str) -> None:
    deployment.add_account("typist@example.org", password)
    browser = Browser()
    page = browser.get(app.authorization_url())
    assert browser.submit(page, email="typist@example.org", password=password).status == 303


def test_a_surprise_is_a_page_without_details(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    def surprise(*_: object) -> None:
        raise RuntimeError("detail")

    monkeypatch.setattr("chalicelib.oauth.authorization.read_request", surprise)
    answer = Browser().get(app.authorization_url())
    assert answer.status == 500
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "detail" not in answer.body


@pytest.mark.parametrize(
    "neighbour", ['prefs={"a":1}', "a=b c", "é=1", "foo", "path=/x", "a@b=1", "", "=", "session=other"]
)
def test_other_cookies_do_not_keep_anybody_out(app: App, neighbour: str) -> None:
    browser = Browser()
    page = browser.get(app.authorization_url())
    name, _, value = neighbour.partition("=")
    browser.cookies = {name: value} | browser.cookies
    back = browser.submit(page, email=EMAIL, password=PASSWORD)
    assert back.status == 303
    browser.cookies = {name: value} | browser.cookies
    assert ("decision", "allow") in browser.get(back.location).form.buttons
