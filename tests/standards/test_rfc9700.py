"""The Security Best Current Practice: what no other test holds."""

import re

import pytest
from chalice.app import Chalice

import app as application
from tests.harness import EMAIL, PASSWORD, App, Browser, Deployment, authorize, event, send

LINK = re.compile(r'\b(?:href|src|srcset|action|data|poster)="([^"]*)"')


@pytest.fixture
def app(deployment: Deployment) -> App:
    deployment.add_account()
    return deployment.add_app(grant_types=("authorization_code", "client_credentials"))


def test_pages_link_to_nothing_but_this_server(app: App) -> None:
    """Section 4.2.4: no third party sees the URL of the page."""
    browser = Browser()
    sign_in = browser.get(app.authorization_url(state="secret"))
    consent = browser.get(browser.submit(sign_in, email=EMAIL, password=PASSWORD).location)
    for page in (sign_in, consent, browser.get("/oauth2/authorize")):
        links = LINK.findall(page.body)
        assert links
        assert all(re.match(r"/(?!/)|#|data:,$", link) for link in links), links


def test_the_authorization_endpoint_answers_to_no_other_origin(app: App) -> None:
    """Section 2.6: no CORS."""
    path, _, _ = app.authorization_url().partition("?")
    api: Chalice = application.app
    assert not any(entry.cors for entry in api.routes[path].values())
    for method in ("GET", "POST", "OPTIONS"):
        answer = send(event(method, path, headers={"Origin": "https://app.example.com"}))
        assert not any(name.startswith("access-control-") for name in answer.headers)


def test_a_client_does_not_choose_its_id_and_is_never_taken_for_a_user(
    deployment: Deployment, app: App
) -> None:
    """Section 4.15.1."""
    user = deployment.tokens(app)["access_token"]
    itself = app.token(grant_type="client_credentials").json["access_token"]
    assert app.client_id != deployment.add_app().client_id
    assert authorize(user)["context"]["user_id"]
    assert authorize(itself)["context"]["user_id"] == ""
    assert authorize(itself)["principalId"] == app.client_id
