"""The sign-in form, when it is shown again."""

import pytest

from tests.harness import EMAIL, App, Browser, Deployment


@pytest.fixture
def app(deployment: Deployment) -> App:
    deployment.add_account()
    return deployment.add_app(name="Waiting application")


def test_after_a_wrong_password_the_form_still_leads_to_the_application(app: App) -> None:
    """With a remembered consent, signing in redirects there at once; browsers ask the page's policy."""
    browser = Browser()
    first = browser.get(app.authorization_url(state="s"))
    again = browser.submit(first, email=EMAIL, password="wrong password")
    for page in (first, again):
        assert "form-action 'self' https://app.example.com;" in page.headers["content-security-policy"]
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
    assert "form-action 'self';" in again.headers["content-security-policy"]
