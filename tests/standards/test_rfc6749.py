"""The OAuth 2.0 Authorization Framework: what no other test holds."""

import math
import re

import pytest

from chalicelib.oauth.credentials import ALPHABET, GRANT_ID_LENGTH
from tests.harness import FORM, App, Browser, Deployment, event, send

GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials")
STATES = ["0", " ", "a&b=c d+é%", "%2B+", '"<>\\', "https://app.example.com/?a=b#c", "x" * 4096]
ALLOWED = re.compile(r"[\x20-\x21\x23-\x5B\x5D-\x7E]+")
"""What `error` and `error_description` may have."""
BEFORE_THE_SECRET = len("oat_") + GRANT_ID_LENGTH


@pytest.fixture
def app(deployment: Deployment) -> App:
    deployment.add_account()
    return deployment.add_app(grant_types=GRANT_TYPES)


@pytest.fixture
def browser(deployment: Deployment, app: App) -> Browser:
    return deployment.signed_in_browser()


def test_credentials_in_the_request_uri_do_not_count(app: App) -> None:
    """Section 2.3.1: in the body or in the header, never in the URI."""
    credentials = {"client_id": app.client_id, "client_secret": app.client_secret or ""}
    headers, body = {"Content-Type": FORM}, "grant_type=client_credentials"
    sent = event("POST", "/oauth2/token", query=credentials, headers=headers, body=body)
    assert send(sent).json["error"] == "invalid_request"


def test_empty_and_unknown_parameters_of_an_authorization_request_do_not_count(
    app: App, browser: Browser
) -> None:
    """Section 3.1."""
    page = browser.get(app.authorization_url(scope="", state="", prompt="", unheard_of="x"))
    redirect = browser.submit(page, decision="allow")
    assert set(redirect.redirect_params) == {"code", "iss"}
    assert app.exchange(redirect.redirect_params["code"]).json["scope"] == "read"


@pytest.mark.parametrize("state", STATES, ids=lambda state: state[:10])
def test_state_comes_back_exactly_as_it_was(app: App, browser: Browser, state: str) -> None:
    """Sections 4.1.2 and 4.1.2.1."""
    page = browser.get(app.authorization_url(state=state))
    for decision in ("deny", "allow"):
        assert browser.submit(page, decision=decision).redirect_params["state"] == state
    refused = browser.get(app.authorization_url(state=state, scope="unknown"))
    assert refused.redirect_params["state"] == state


@pytest.mark.parametrize(
    "changes",
    [
        {"response_type": None},
        {"response_type": '"'},
        {"scope": '"'},
        {"scope": "é"},
        {"prompt": "\\"},
        {"code_challenge": "é"},
        {"response_mode": '"'},
        {"state": "a\tb"},
    ],
    ids=str,
)
def test_an_error_keeps_to_the_characters_that_it_may_have(
    app: App, browser: Browser, changes: dict[str, str | None]
) -> None:
    """Section 4.1.2.1."""
    members = browser.get(app.authorization_url(**changes)).redirect_params
    assert ALLOWED.fullmatch(members["error"])
    assert ALLOWED.fullmatch(members["error_description"])


def test_nobody_keeps_an_answer_of_the_token_endpoint(app: App, deployment: Deployment) -> None:
    """Section 5.1."""
    issued = app.exchange(deployment.code(app))
    refreshed = app.refresh(issued.json["refresh_token"])
    refused = app.refresh("x")
    assert [answer.status for answer in (issued, refreshed, refused)] == [200, 200, 400]
    for answer in (issued, refreshed, refused):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["pragma"] == "no-cache"


@pytest.mark.parametrize("response_mode", ["query", "form_post"])
def test_nobody_keeps_an_authorization_response(app: App, browser: Browser, response_mode: str) -> None:
    """Section 5.1: nor any other response that holds credentials."""
    page = browser.get(app.authorization_url(response_mode=response_mode))
    assert browser.submit(page, decision="allow").headers["cache-control"] == "no-store"


def test_guessing_a_credential_takes_more_than_160_bits(app: App, deployment: Deployment) -> None:
    """Section 10.10."""
    browser = deployment.signed_in_browser()
    issued = []
    for _ in range(2):
        code = deployment.code(app, browser)
        tokens = app.exchange(code).json
        rotated = app.refresh(tokens["refresh_token"]).json
        issued += [code, tokens["access_token"], tokens["refresh_token"]]
        issued += [rotated["access_token"], rotated["refresh_token"]]
        issued += [deployment.add_app().client_secret or ""]
    secrets = [credential[BEFORE_THE_SECRET:] for credential in issued]
    assert len(set(secrets)) == len(secrets)
    for secret in secrets:
        assert set(secret) <= set(ALPHABET)
        assert len(secret) * math.log2(len(ALPHABET)) > 160


def test_sizes_are_those_that_are_documented(app: App, deployment: Deployment) -> None:
    """Sections 2.2, 4.1.2 and 5.1: in the introduction of docs/standards.md."""
    code = deployment.code(app)
    tokens = app.exchange(code).json
    credentials = [code, tokens["access_token"], tokens["refresh_token"], app.client_secret or ""]
    assert [len(credential) for credential in credentials] == [40] * 4
    assert len(app.client_id) == 16
