"""The reference page, step by step, in its own words."""

import re

import pytest

from tests.harness import CALLBACK, EMAIL, HOST, PASSWORD, Browser, Deployment, authorize, post


def test_the_page_works_to_the_letter(deployment: Deployment) -> None:
    deployment.add_account()
    app = deployment.add_app(scope="read")
    browser = Browser()

    sign_in = browser.get(
        f"/oauth2/authorize/?client_id={app.client_id}&redirect_url={CALLBACK}&response_type=token"
    )
    back = browser.submit(sign_in, email=EMAIL, password=PASSWORD)
    consent = browser.get(back.location)
    assert "Example" in consent.body
    assert EMAIL in consent.body
    assert consent.form.buttons == [("decision", "allow"), ("decision", "deny")]
    redirect = browser.submit(consent, decision="allow")
    assert redirect.location.startswith(f"{CALLBACK}?code=")

    answer = post(
        "/oauth2/access_token",
        {
            "grant_type": "authorization_code",
            "code": redirect.redirect_params["code"],
            "redirect_uri": CALLBACK,
            "client_id": app.client_id,
            "client_secret": app.client_secret or "",
        },
    )
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json) == {"access_token", "token_type", "expires_in", "scope"}
    assert re.fullmatch("[0-9A-Za-z_]{40}", answer.json["access_token"])
    assert answer.json["token_type"] == "Bearer"
    assert answer.json["expires_in"] == 2592000
    assert answer.json["scope"] == "read"

    decision = authorize(answer.json["access_token"])
    assert decision["policyDocument"]["Statement"][0]["Effect"] == "Allow"


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("stage", ["", "/prod", "/base/path"])
def test_every_link_holds_under_any_prefix(deployment: Deployment, slash: str, stage: str) -> None:
    deployment.add_account()
    app = deployment.add_app()
    browser = Browser(stage)
    url = stage + app.authorization_url().replace("authorize", "authorize" + slash)
    sign_in = browser.get(url)
    assert f'href="{stage}/static/style.css?v=' in sign_in.body
    consent = browser.get(browser.submit(sign_in, email=EMAIL, password=PASSWORD).location)
    redirect = browser.submit(consent, decision="allow")
    assert redirect.redirect_params["iss"] == f"https://{HOST}{stage}"
    assert app.exchange(redirect.redirect_params["code"]).status == 200


def test_an_application_that_lists_refresh_token_gets_one(deployment: Deployment) -> None:
    deployment.add_account()
    app = deployment.add_app(grant_types=("authorization_code", "refresh_token"))
    tokens = deployment.tokens(app)
    assert set(tokens) == {"access_token", "token_type", "expires_in", "scope", "refresh_token"}
    assert len(tokens["refresh_token"]) == 40
