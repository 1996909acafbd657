"""Signing in: the form, the cookie, and what strangers can make of both."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from chalicelib.accounts import accounts
from tests.expect import assert_error_page
from tests.faults import FAULTS, storage_fails
from tests.harness import EMAIL, FORM, PASSWORD, Answer, App, Browser, Deployment, event, send

COOKIE = "__Host-session"


@pytest.fixture
def app(deployment: Deployment) -> App:
    deployment.add_account()
    return deployment.add_app()


@pytest.fixture
def browser() -> Browser:
    return Browser()


@pytest.fixture
def form(app: App, browser: Browser) -> Answer:
    """Return the sign-in page that the browser shows."""
    return browser.get(app.authorization_url())


def sessions(deployment: Deployment) -> list[Any]:
    return [row for row in deployment.snapshot()["sessions"] if row["key"]["S"].startswith("browser#")]


# The form


def test_the_form_has_an_email_and_a_password_field(form: Answer) -> None:
    assert form.form.method == "post"
    assert {"email", "password"} <= set(form.form.fields)
    assert 'type="password"' in form.body


def test_every_field_has_a_label(form: Answer) -> None:
    assert 'for="email"' in form.body
    assert 'for="password"' in form.body


@pytest.mark.parametrize("email", [EMAIL, EMAIL.upper(), f" {EMAIL} "])
def test_signing_in_leads_back_to_the_request(app: App, browser: Browser, form: Answer, email: str) -> None:
    back = browser.submit(form, email=email, password=PASSWORD)
    assert back.status == 303
    assert back.headers["cache-control"] == "no-store"
    assert browser.get(back.location).form.buttons == [("decision", "allow"), ("decision", "deny")]


@pytest.mark.parametrize("password", ["", "wrong password", PASSWORD + " ", PASSWORD.upper(), "x" * 1001])
def test_a_wrong_password_signs_nobody_in(
    deployment: Deployment, app: App, browser: Browser, form: Answer, password: str
) -> None:
    answer = browser.submit(form, email=EMAIL, password=password)
    assert answer.status == 422
    assert "location" not in answer.headers
    assert sessions(deployment) == []
    assert "password" in browser.get(app.authorization_url()).form.fields


def test_the_password_is_not_shown_again(browser: Browser, form: Answer) -> None:
    answer = browser.submit(form, email=EMAIL, password="wrong-canary")
    assert "wrong-canary" not in answer.body
    assert answer.form.fields["email"] == EMAIL


def test_the_page_after_a_wrong_password_works(browser: Browser, form: Answer) -> None:
    answer = browser.submit(form, email=EMAIL, password="wrong")
    assert browser.submit(answer, email=EMAIL, password=PASSWORD).status == 303


def test_markup_in_an_email_address_is_text(browser: Browser, form: Answer) -> None:
    answer = browser.submit(form, email='"><script>x</script>', password="wrong")
    assert "<script" not in answer.body
    assert answer.form.fields["email"] == '"><script>x</script>'


def test_nobody_learns_which_accounts_there_are(
    deployment: Deployment, browser: Browser, form: Answer
) -> None:
    deployment.add_account("disabled@example.org")
    account = accounts.find_by_email("disabled@example.org")
    assert account
    accounts.disable(account)
    accounts.add("unset@example.org", None)
    answers = []
    for email, password in (
        (EMAIL, "wrong password"),
        ("unknown@example.org", PASSWORD),
        ("disabled@example.org", PASSWORD),
        ("disabled@example.org", "wrong password"),
        ("unset@example.org", PASSWORD),
        ("no address", PASSWORD),
    ):
        answer = browser.submit(form, email=email, password=password)
        answers.append((answer.status, answer.headers, answer.body.replace(email, EMAIL)))
    assert answers[0][0] == 422
    assert all(answer == answers[0] for answer in answers)


# Where it leads

ELSEWHERE = (
    "",
    "https://evil.example/",
    "HTTPS://evil.example/",
    "//evil.example/",
    "///evil.example/",
    "/\\evil.example/",
    "\\\\evil.example/",
    "\\/evil.example/",
    "/\t/evil.example/",
    "\t//evil.example/",
    " //evil.example/",
    "/ /evil.example/",
    "/\n/evil.example/",
    "/\r\nSet-Cookie: a=b",
    "http:evil.example",
    "javascript:alert(1)",
    "evil.example",
    "@evil.example",
    "?next=//evil.example",
    "/oauth2\\..\\..//evil.example",
    "/ü",
)


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_signing_in_never_leads_elsewhere(
    deployment: Deployment, browser: Browser, form: Answer, elsewhere: str
) -> None:
    fields = {"email": EMAIL, "password": PASSWORD, "continue": elsewhere}
    answer = browser.submit(form, **fields)
    assert_error_page(answer)
    assert answer.set_cookies == []
    assert sessions(deployment) == []


def test_a_form_without_a_target_is_refused(deployment: Deployment, browser: Browser, form: Answer) -> None:
    fields = form.form.fields | {"email": EMAIL, "password": PASSWORD}
    del fields["continue"]
    assert_error_page(browser._go("POST", "/sign-in", urlencode(fields)))
    assert sessions(deployment) == []


# Forgery


@pytest.mark.parametrize("csrf_token", ["", "x", "0" * 64, "ü"])
def test_a_form_without_the_browsers_csrf_token_signs_nobody_in(
    deployment: Deployment, browser: Browser, form: Answer, csrf_token: str
) -> None:
    answer = browser.submit(form, email=EMAIL, password=PASSWORD, csrf_token=csrf_token)
    assert answer.status == 403
    assert sessions(deployment) == []


def test_the_csrf_token_of_another_browser_signs_nobody_in(
    deployment: Deployment, app: App, browser: Browser, form: Answer
) -> None:
    theirs = Browser().get(app.authorization_url()).form.fields["csrf_token"]
    answer = browser.submit(form, email=EMAIL, password=PASSWORD, csrf_token=theirs)
    assert answer.status == 403
    assert sessions(deployment) == []


def test_a_browser_without_cookies_signs_nobody_in(
    deployment: Deployment, browser: Browser, form: Answer
) -> None:
    browser.cookies.clear()
    assert browser.submit(form, email=EMAIL, password=PASSWORD).status == 403
    assert sessions(deployment) == []


def test_the_page_after_a_forged_form_works(browser: Browser, form: Answer) -> None:
    again = browser.submit(form, email=EMAIL, password=PASSWORD, csrf_token="")
    assert browser.submit(again, email=EMAIL, password=PASSWORD).status == 303


# The cookie


def test_the_cookie_is_bound_to_this_host_and_hidden_from_scripts(browser: Browser, form: Answer) -> None:
    signed_in = browser.submit(form, email=EMAIL, password=PASSWORD)
    for answer in (form, signed_in):
        (cookie,) = answer.set_cookies
        attributes = cookie.split("; ")
        assert attributes[0].startswith(f"{COOKIE}=")
        assert set(attributes[1:]) == {"Path=/", "HttpOnly", "SameSite=Lax", "Secure"}


def test_on_plain_http_at_home_the_cookie_is_a_plain_one(app: App) -> None:
    sent = event("GET", "/oauth2/authorize", query=dict(_pairs(app)), headers={"Host": "localhost:8000"})
    del sent["requestContext"]["domainName"]
    (cookie,) = send(sent).set_cookies
    assert cookie.startswith("session=")
    assert set(cookie.split("; ")[1:]) == {"Path=/", "HttpOnly", "SameSite=Lax"}


def _pairs(app: App) -> list[tuple[str, str]]:
    return [("client_id", app.client_id), ("redirect_uri", app.redirect_uri), ("response_type", "code")]


def test_signing_in_rotates_the_cookie(browser: Browser, form: Answer) -> None:
    before = browser.cookies[COOKIE]
    browser.submit(form, email=EMAIL, password=PASSWORD)
    assert browser.cookies[COOKIE] != before


def test_the_cookie_from_before_is_signed_in_nowhere(app: App, browser: Browser, form: Answer) -> None:
    before = dict(browser.cookies)
    browser.submit(form, email=EMAIL, password=PASSWORD)
    attacker = Browser()
    attacker.cookies = before
    assert "password" in attacker.get(app.authorization_url()).form.fields


def test_signing_in_again_rotates_the_cookie_again(app: App, browser: Browser, form: Answer) -> None:
    browser.submit(form, email=EMAIL, password=PASSWORD)
    first = browser.cookies[COOKIE]
    fields = {"csrf_token": _csrf(app, browser), "continue": "/", "email": EMAIL, "password": PASSWORD}
    assert browser._go("POST", "/sign-in", urlencode(fields)).status == 303
    assert browser.cookies[COOKIE] != first


def _csrf(app: App, browser: Browser) -> str:
    return browser.get(app.authorization_url()).form.fields["csrf_token"]


@pytest.mark.parametrize("value", ["obs_" + "0" * 36, "obn_" + "0" * 36, "x", "", "obs_" + "0" * 35 + "ü"])
def test_a_made_up_cookie_signs_nobody_in(app: App, value: str) -> None:
    browser = Browser()
    browser.cookies = {COOKIE: value}
    assert "password" in browser.get(app.authorization_url()).form.fields


def test_the_plain_cookie_does_not_count_on_https(app: App, browser: Browser, form: Answer) -> None:
    browser.submit(form, email=EMAIL, password=PASSWORD)
    browser.cookies = {"session": browser.cookies[COOKIE]}
    assert "password" in browser.get(app.authorization_url()).form.fields


@pytest.mark.parametrize(
    "header", ["", ";", "=", "\x00", "a=b=c; d", f"{COOKIE}", f'{COOKIE}="', "ü=ü", "a[]=b"]
)
def test_a_malformed_cookie_header_is_no_cookie(app: App, header: str) -> None:
    sent = event("GET", "/oauth2/authorize", query=dict(_pairs(app)), headers={"Cookie": header})
    answer = send(sent)
    assert answer.status == 200
    assert len(answer.set_cookies) == 1


def test_two_people_in_two_browsers_stay_apart(deployment: Deployment, app: App) -> None:
    deployment.add_account("other@example.org", "other password")
    mine = deployment.signed_in_browser()
    theirs = deployment.signed_in_browser("other@example.org", "other password")
    assert EMAIL in mine.get(app.authorization_url()).body
    assert "other@example.org" in theirs.get(app.authorization_url()).body


# Requests that are no form, and failing storage


@pytest.mark.parametrize("body", [b"\xff", b"continue=%ff", b"x" * 70_000, b"continue=/&continue=/"])
def test_a_malformed_form_is_an_error_page(deployment: Deployment, body: bytes) -> None:
    assert_error_page(send(event("POST", "/sign-in", headers={"Content-Type": FORM}, body=body)))


@pytest.mark.parametrize("operation", ["GetItem", "PutItem"])
@pytest.mark.parametrize("fault", FAULTS)
def test_failing_storage_signs_nobody_in(
    deployment: Deployment, browser: Browser, form: Answer, fault: str, operation: str
) -> None:
    with storage_fails(FAULTS[fault], operation):
        answer = browser.submit(form, email=EMAIL, password=PASSWORD)
    assert_error_page(answer, 503)
    assert int(answer.headers["retry-after"]) > 0
    assert answer.set_cookies == []
    assert sessions(deployment) == []
    assert browser.submit(form, email=EMAIL, password=PASSWORD).status == 303


def test_no_page_reveals_the_session(app: App, browser: Browser, form: Answer) -> None:
    browser.submit(form, email=EMAIL, password=PASSWORD)
    assert browser.cookies[COOKIE] not in browser.get(app.authorization_url()).body
    assert not re.search("ob[sn]_", browser.get(app.authorization_url()).body)


ChangeSetting = Callable[[str, object], None]


def test_the_platforms_name_is_on_the_page(app: App, change_setting: ChangeSetting) -> None:
    change_setting("platform_name", "Maps & More")
    assert "Maps &amp; More" in Browser().get(app.authorization_url()).body
