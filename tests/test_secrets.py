"""Nothing that opens a door is stored, logged or shown where it does not belong."""

import logging
import re
from urllib.parse import unquote_plus

import pytest

from tests.conftest import Log
from tests.harness import DEVICE_CODE, EMAIL, PASSWORD, Answer, Browser, Deployment, is_alive
from tests.mails import Mailbox

GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials", DEVICE_CODE)


def secrets_of_a_walk(deployment: Deployment, mailbox: Mailbox) -> dict[str, str]:
    """Go through the flows, some of them wrongly, and return every credential that there was."""
    deployment.add_account()
    by_mail = secrets_by_mail(mailbox)
    app = deployment.add_app(grant_types=GRANT_TYPES, may_introspect=True)
    browser = Browser()
    page = browser.get(app.authorization_url())
    anonymous = browser.cookies["__Host-session"]
    browser.submit(page, email=EMAIL, password="the wrong password")
    browser.submit(page, email=EMAIL, password=PASSWORD)
    code = deployment.code(app, browser, state="some state")
    tokens = app.exchange(code).json
    refreshed = app.refresh(tokens["refresh_token"]).json
    assert is_alive(refreshed["access_token"])
    app.post("/oauth2/introspect", token=refreshed["access_token"])
    app.token(grant_type="client_credentials", client_secret="ocs_wrong")
    device = app.start_device().json
    app.poll(device["device_code"])
    deployment.decide(device["user_code"], browser)
    connected = app.poll(device["device_code"]).json
    assert is_alive(connected["access_token"])
    app.exchange(code)
    assert not is_alive(refreshed["access_token"])
    return {
        "client secret": app.client_secret or "",
        "password": PASSWORD,
        "wrong password": "the wrong password",
        "code": code,
        "access token": tokens["access_token"],
        "refresh token": tokens["refresh_token"],
        "second access token": refreshed["access_token"],
        "second refresh token": refreshed["refresh_token"],
        "device code": device["device_code"],
        "user code": device["user_code"],
        "user code without its dash": device["user_code"].replace("-", ""),
        "access token of the device": connected["access_token"],
        "refresh token of the device": connected["refresh_token"],
        "session": browser.cookies["__Host-session"],
        "cookie before signing in": anonymous,
        "csrf token": page.form.fields["csrf_token"],
        **by_mail,
    }


def secrets_by_mail(mailbox: Mailbox) -> dict[str, str]:
    """Sign up, forget the password and change it, each wrongly at first."""
    known: dict[str, str] = {}
    for path in ("/sign-up", "/forgotten-password"):
        browser = Browser()
        page = browser.get(browser.submit(browser.get(path), email="new@example.org").location)
        known[f"cookie of {path}"] = browser.cookies["__Host-session"]
        known[f"code of {path}"] = mailbox.code
        known[f"wrong code of {path}"] = "BBBB-BBBB"
        known[f"password of {path}"] = f"the password of {path}"
        for code in ("BBBB-BBBB", mailbox.code):
            browser.submit(page, code=code, new_password=known[f"password of {path}"])
        known[f"session of {path}"] = browser.cookies["__Host-session"]
    account = browser.get("/account")
    for current in ("the wrong current password", known["password of /forgotten-password"]):
        fields = {"current_password": current, "new_password": "the changed password"}
        answer = browser.submit(account, account.forms[0], **fields)
    assert answer.status == 303
    known |= {f"{name}, undashed": code.replace("-", "") for name, code in known.items()}
    return known | {"new": "the changed password", "wrong": "the wrong current password"}


def test_no_credential_is_stored_in_the_clear(deployment: Deployment, mailbox: Mailbox) -> None:
    walked = secrets_of_a_walk(deployment, mailbox)
    trail = str(deployment.trail())
    assert "code.replayed" in trail
    assert "@" not in trail
    stored = str(deployment.snapshot()) + trail
    assert EMAIL in stored
    for name, secret in walked.items():
        assert secret not in stored, name
        if len(secret) == 40:  # Not even the part that is secret.
            assert secret[12:] not in stored, name


def test_no_credential_is_logged(
    deployment: Deployment, mailbox: Mailbox, caplog: pytest.LogCaptureFixture, log: Log
) -> None:
    with caplog.at_level(logging.INFO):
        walked = secrets_of_a_walk(deployment, mailbox)
    assert log.events("code.replayed")
    assert log.events("sign_in.failed")
    logged = caplog.text + log.text
    for name, secret in walked.items():
        assert secret not in logged, name
        if len(secret) == 40:
            assert secret[12:] not in logged, name
    assert "@" not in logged  # Nor an e-mail address.


def test_no_credential_is_in_a_url_that_we_build(
    deployment: Deployment, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls: list[str] = []
    go = Browser._go

    def note(browser: Browser, method: str, url: str, body: str | None = None) -> Answer:
        answer = go(browser, method, url, body)
        urls.extend(
            [answer.headers.get("location", ""), *re.findall(r'(?:href|action)="([^"]*)', answer.body)]
        )
        return answer

    monkeypatch.setattr(Browser, "_go", note)
    walked = secrets_by_mail(mailbox)
    assert "/forgotten-password/confirm?continue=%2Fconnections" in urls
    for name, secret in walked.items():
        assert not any(secret in unquote_plus(url) for url in urls), name


@pytest.mark.usefixtures("shipped_hashing")
def test_passwords_are_hashed_with_argon2id(deployment: Deployment) -> None:
    account = deployment.add_account()
    assert account.password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
