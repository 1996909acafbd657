"""Connecting a device (RFC 8628), from the person's side: the code, the question, the answer."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.accounts import accounts, devices
from chalicelib.models.grant import Grant
from chalicelib.models.user import Account
from chalicelib.oauth import clients, device_authorization, registration
from chalicelib.oauth.device_authorization import NotPending
from tests.conftest import Time
from tests.expect import assert_error
from tests.faults import FAULTS, meanwhile, storage_fails
from tests.harness import DEVICE_CODE, EMAIL, PASSWORD, Answer, App, Browser, Deployment, count_requests

FREE = 5


@pytest.fixture
def television(deployment: Deployment) -> App:
    deployment.add_account()
    return deployment.add_app(
        name="Television", public=True, verified=False, grant_types=(DEVICE_CODE,), redirect_uris=()
    )


@pytest.fixture
def browser(deployment: Deployment, television: App) -> Browser:
    return deployment.signed_in_browser()


@pytest.fixture
def started(television: App) -> Any:
    return television.start_device(scope="read write").json


def somebody() -> Account:
    account = accounts.find_by_email(EMAIL)
    assert account
    return account


def type_code(browser: Browser, user_code: str) -> Answer:
    return browser.submit(browser.get("/device"), user_code=user_code)


def assert_form_again(answer: Answer, text: str, status: int = 422) -> None:
    """Check that the form for the code came again, with what is wrong tied to its field."""
    assert answer.status == status, answer
    assert text in answer.body
    assert 'id="user_code-problem"' in answer.body
    assert 'aria-describedby="user_code-hint user_code-problem" aria-invalid="true"' in answer.body


def test_the_page_says_who_asks_for_what_and_shows_the_code_again(browser: Browser, started: Any) -> None:
    page = type_code(browser, started["user_code"])
    assert page.status == 200
    for text in ("Television", EMAIL, "See your maps", "Add, change", "Not verified", started["user_code"]):
        assert text in page.body
    assert "Only go on if you started this" in page.body
    assert page.form.buttons == [("decision", "allow"), ("decision", "deny")]


def test_nobody_is_sent_to_an_application(browser: Browser, started: Any) -> None:
    page = type_code(browser, started["user_code"])
    assert "go back to" not in page.body
    assert "form-action 'self'" in page.headers["content-security-policy"]


def test_after_the_decision_the_person_goes_back_to_the_device(browser: Browser, started: Any) -> None:
    answer = browser.submit(type_code(browser, started["user_code"]), decision="allow")
    assert answer.location == "/device/done"
    page = browser.get(answer.location)
    assert "You can go back to your device" in page.body
    assert "may use your account now" in page.body


def test_a_denial_gives_the_device_nothing(television: App, browser: Browser, started: Any) -> None:
    answer = browser.submit(type_code(browser, started["user_code"]), decision="deny")
    assert "You denied the request" in browser.get(answer.location).body
    assert_error(television.poll(started["device_code"]), "access_denied")


def test_the_page_at_the_end_says_by_itself_nothing_about_a_decision(browser: Browser) -> None:
    page = browser.get("/device/done")
    assert "may use your account now" not in page.body
    assert "denied" not in page.body


@pytest.mark.parametrize("typing", [str.lower, str.upper, str.title])
@pytest.mark.parametrize("separator", ["", "-", " ", " - ", ".", "\u2011", "\u2013"])
def test_a_code_is_typed_as_people_type(
    browser: Browser, started: Any, typing: Callable[[str], str], separator: str
) -> None:
    typed = typing(f" {started['user_code'].replace('-', separator)} ")
    page = type_code(browser, typed)
    assert page.status == 200
    assert page.form.fields["user_code"] == started["user_code"]


@pytest.mark.parametrize("typed", ["", "x", "BCDF-GHJ", "BCDF-GHJKL", "AEIO-UYAE", "1234-5678", "ÀCDF-GHJK"])
def test_what_is_no_code_is_told_and_counts_as_no_guess(browser: Browser, typed: str) -> None:
    for _ in range(FREE + 1):
        assert_form_again(type_code(browser, typed), "This is no code")


def test_a_code_that_no_device_has_is_told(deployment: Deployment, browser: Browser) -> None:
    answer = type_code(browser, "BCDF-GHJK")
    assert_form_again(answer, "There is no such code")
    assert answer.form.fields["user_code"] == "BCDF-GHJK"


@pytest.mark.parametrize("link", ["{}", "{}&x=1"])
def test_a_link_fills_the_form_in_and_does_no_more(
    deployment: Deployment, television: App, browser: Browser, started: Any, link: str
) -> None:
    before = deployment.snapshot()["grants"]
    page = browser.get(link.format(started["verification_uri_complete"]))
    assert page.form.fields["user_code"] == started["user_code"]
    assert "Television" not in page.body
    assert deployment.snapshot()["grants"] == before


def test_a_link_with_markup_is_text(browser: Browser) -> None:
    page = browser.get("/device?user_code=%22%3E%3Cscript%3E")
    assert "<script" not in page.body
    assert page.form.fields["user_code"] == '"><script>'


def test_who_is_not_signed_in_keeps_the_code_of_the_link(
    deployment: Deployment, television: App, started: Any
) -> None:
    stranger = Browser()
    answer = stranger.get(started["verification_uri_complete"])
    sign_in = stranger.get(answer.location)
    signed_in = stranger.submit(sign_in, email=EMAIL, password=PASSWORD)
    assert stranger.get(signed_in.location).form.fields["user_code"] == started["user_code"]


def test_no_url_of_a_redirect_has_the_code_that_somebody_typed(browser: Browser, started: Any) -> None:
    page = type_code(browser, started["user_code"])
    assert started["user_code"] not in page.form.action
    assert started["user_code"] not in browser.submit(page, decision="allow").location


def test_what_is_optional_can_be_left_out(television: App, browser: Browser, started: Any) -> None:
    page = type_code(browser, started["user_code"])
    assert page.form.fields.pop("allow:write") == "allow"
    browser.submit(page, decision="allow")
    assert television.poll(started["device_code"]).json["scope"] == "read"


def test_what_is_left_ticked_is_granted_and_no_more(television: App, browser: Browser, started: Any) -> None:
    page = type_code(browser, started["user_code"])
    browser.submit(page, decision="allow", **{"allow:admin": "allow"})
    assert television.poll(started["device_code"]).json["scope"] == "read write"


def test_nothing_ticked_is_no_consent(
    deployment: Deployment, browser: Browser, change_setting: Callable[[str, object], None]
) -> None:
    change_setting("scopes", {"read": "Read", "write": "Write", "admin": "Everything"})
    app = deployment.add_app(public=True, grant_types=(DEVICE_CODE,), redirect_uris=(), scope="write admin")
    started = app.start_device(scope="write admin").json
    page = type_code(browser, started["user_code"])
    for scope in ("write", "admin"):
        del page.form.fields[f"allow:{scope}"]
    answer = browser.submit(page, decision="allow")
    assert answer.status == 400
    assert "tick at least one" in answer.body
    assert_error(app.poll(started["device_code"]), "authorization_pending")


@pytest.mark.parametrize("decision", ["", "maybe", "ALLOW"])
def test_no_decision_is_no_consent(television: App, browser: Browser, started: Any, decision: str) -> None:
    answer = browser.submit(type_code(browser, started["user_code"]), decision=decision)
    assert answer.status == 400
    assert started["user_code"] in answer.body
    assert_error(television.poll(started["device_code"]), "authorization_pending")


def test_a_device_is_asked_for_each_time_and_teaches_other_flows_nothing(
    deployment: Deployment, browser: Browser
) -> None:
    app = deployment.add_app(grant_types=(DEVICE_CODE, "authorization_code"))
    for _ in range(2):
        page = type_code(browser, app.start_device().json["user_code"])
        assert browser.submit(page, decision="allow").location == "/device/done"
    assert browser.get(app.authorization_url()).status == 200
    assert not [row for row in deployment.snapshot()["users"] if row["kind"] == {"S": "consent"}]


def test_what_was_agreed_to_elsewhere_does_not_save_the_question(
    deployment: Deployment, browser: Browser
) -> None:
    app = deployment.add_app(grant_types=(DEVICE_CODE, "authorization_code"))
    deployment.code(app, browser)
    page = type_code(browser, app.start_device().json["user_code"])
    assert page.form.buttons == [("decision", "allow"), ("decision", "deny")]


def test_a_connected_device_is_among_the_connections(
    deployment: Deployment, television: App, browser: Browser, started: Any
) -> None:
    assert "Television" not in browser.get("/connections").body
    deployment.decide(started["user_code"], browser)
    assert "Television" in browser.get("/connections").body


def test_a_code_that_is_over_is_told(browser: Browser, started: Any, time: Time) -> None:
    page = type_code(browser, started["user_code"])
    time.passes(600)
    assert_form_again(type_code(browser, started["user_code"]), "This code is over")
    assert_form_again(browser.submit(page, decision="allow"), "This code is over")
    assert_form_again(browser.submit(page, decision="deny"), "This code is over")


@pytest.mark.parametrize("first", ["allow", "deny"])
@pytest.mark.parametrize("second", ["allow", "deny"])
def test_a_code_is_decided_about_once(
    deployment: Deployment, television: App, browser: Browser, started: Any, first: str, second: str
) -> None:
    deployment.add_account("other@example.org")
    other = deployment.signed_in_browser("other@example.org")
    pages = [(someone, type_code(someone, started["user_code"])) for someone in (browser, other)]
    browser.submit(pages[0][1], decision=first)
    before = deployment.snapshot()["grants"]
    assert_form_again(other.submit(pages[1][1], decision=second), "This code was used already")
    assert_form_again(type_code(other, started["user_code"]), "This code was used already")
    assert deployment.snapshot()["grants"] == before


def test_who_allows_while_somebody_else_denies_is_too_late(
    deployment: Deployment, television: App, browser: Browser, started: Any
) -> None:
    deployment.add_account("other@example.org")
    other = deployment.signed_in_browser("other@example.org")
    page = type_code(browser, started["user_code"])

    def deny() -> None:
        deployment.decide(started["user_code"], other, decision="deny")

    with meanwhile("TransactWriteItems", deny):
        assert_form_again(browser.submit(page, decision="allow"), "This code was used already")
    assert_error(television.poll(started["device_code"]), "access_denied")


def test_who_denies_while_somebody_else_allows_is_too_late(
    deployment: Deployment, television: App, browser: Browser, started: Any
) -> None:
    """Below the page, whose throttle writes first."""
    asked = device_authorization.read_request(started["device_code"][4:12])

    def allow() -> None:
        deployment.decide(started["user_code"], browser)

    with meanwhile("PutItem", allow), pytest.raises(NotPending):
        device_authorization.deny(asked, somebody())
    assert television.poll(started["device_code"]).status == 200


def test_what_the_storage_has_forgotten_is_over(television: App, browser: Browser, started: Any) -> None:
    """Its rows are deleted some time after they are over, one before the other."""
    page = type_code(browser, started["user_code"])
    asked = device_authorization.read_request(started["device_code"][4:12])
    grant = Grant(asked.grant_id)
    with meanwhile("PutItem", grant.delete), pytest.raises(NotPending, match="over"):
        device_authorization.deny(asked, somebody())
    assert_form_again(browser.submit(page, decision="allow"), "This code is over")
    assert_form_again(type_code(browser, started["user_code"]), "This code is over")


def test_an_application_that_may_not_run_on_devices_any_longer_cannot_be_allowed(
    deployment: Deployment, television: App, browser: Browser, started: Any
) -> None:
    client = deployment.client(television)
    client.grant_types = ["client_credentials"]
    client.write()
    clients.forget()
    assert_form_again(type_code(browser, started["user_code"]), "may not connect any longer")


def test_an_application_that_was_disabled_cannot_be_allowed(
    deployment: Deployment, television: App, browser: Browser, started: Any
) -> None:
    page = type_code(browser, started["user_code"])
    registration.disable(deployment.client(television))
    clients.forget()
    before = deployment.snapshot()["grants"]
    assert_form_again(type_code(browser, started["user_code"]), "may not connect any longer")
    assert_form_again(browser.submit(page, decision="allow"), "may not connect any longer")
    assert deployment.snapshot()["grants"] == before


def test_who_was_signed_out_meanwhile_decides_nothing(
    deployment: Deployment, television: App, browser: Browser, started: Any
) -> None:
    page = type_code(browser, started["user_code"])
    stranger = Browser()
    stranger.get("/sign-in")
    answer = stranger.submit(page, decision="allow")
    assert answer.location == "/sign-in?continue=%2Fdevice"
    assert_error(television.poll(started["device_code"]), "authorization_pending")


@pytest.mark.parametrize("change", ["disable", "set_password"])
def test_an_account_that_changes_at_the_very_moment_grants_nothing(
    television: App, browser: Browser, started: Any, change: str
) -> None:
    page = type_code(browser, started["user_code"])
    account = accounts.find_by_email(EMAIL)
    assert account

    def happens() -> None:
        if change == "disable":
            accounts.disable(account)
        else:
            accounts.set_password(account, "another password")

    with meanwhile("TransactWriteItems", happens):
        answer = browser.submit(page, decision="allow")
    assert browser.get(answer.location).location == "/sign-in?continue=%2Fdevice"
    assert_error(television.poll(started["device_code"]), "authorization_pending")


def test_guessing_codes_gets_slow(browser: Browser, started: Any, time: Time) -> None:
    for _ in range(FREE):
        assert type_code(browser, "BCDF-GHJK").status == 422
    answer = type_code(browser, started["user_code"])
    assert_form_again(answer, "too many attempts", 429)
    assert answer.headers["retry-after"] == "1"
    time.passes(1)
    assert type_code(browser, started["user_code"]).status == 200


def test_a_decision_is_a_guess_as_well(browser: Browser, started: Any, time: Time) -> None:
    page = type_code(browser, started["user_code"])
    for _ in range(FREE):
        assert browser.submit(page, decision="allow", user_code="BCDF-GHJK").status == 422
    assert browser.submit(page, decision="allow").status == 429


def test_a_right_code_between_the_guesses_does_not_start_anew(
    television: App, browser: Browser, started: Any, time: Time
) -> None:
    for _ in range(FREE):
        assert type_code(browser, started["user_code"]).status == 200
        assert type_code(browser, "BCDF-GHJK").status == 422
    assert type_code(browser, started["user_code"]).status == 429


def test_right_codes_are_no_guesses(browser: Browser, started: Any) -> None:
    for _ in range(FREE * 2):
        assert type_code(browser, started["user_code"]).status == 200


def test_one_address_may_not_guess_for_many_accounts(
    deployment: Deployment, browser: Browser, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "PER_ADDRESS", replace(devices.PER_ADDRESS, free=FREE))
    for _ in range(FREE):
        assert type_code(browser, "BCDF-GHJK").status == 422
    deployment.add_account("other@example.org")
    answer = type_code(deployment.signed_in_browser("other@example.org"), "BCDF-GHJK")
    assert_form_again(answer, "too many attempts", 429)


def test_guessing_codes_does_not_keep_anybody_from_signing_in(
    deployment: Deployment, browser: Browser, time: Time
) -> None:
    for _ in range(FREE + 1):
        type_code(browser, "BCDF-GHJK")
    deployment.signed_in_browser()


def test_the_form_takes_two_requests(browser: Browser) -> None:
    with count_requests() as requests:
        assert browser.get("/device").status == 200
    assert requests == {"UpdateItem": 1, "BatchGetItem": 1}


@pytest.mark.parametrize("fault", ["throttled", "unreachable"])
def test_failing_storage_is_a_page_that_says_so_and_changes_nothing(
    deployment: Deployment, television: App, browser: Browser, started: Any, fault: str
) -> None:
    page = type_code(browser, started["user_code"])
    before = deployment.snapshot()["grants"]
    with storage_fails(FAULTS[fault]):
        assert browser.submit(page, decision="allow").status == 503
        assert browser.get("/device").status == 503
    with storage_fails(FAULTS[fault], "TransactWriteItems"):
        assert browser.submit(page, decision="allow").status == 503
    assert deployment.snapshot()["grants"] == before
    assert browser.submit(page, decision="allow").status == 303


@pytest.mark.parametrize("stage", ["", "/prod", "/base/path"])
def test_every_link_holds_under_any_prefix(
    deployment: Deployment, television: App, started: Any, stage: str
) -> None:
    browser = deployment.signed_in_browser(stage=stage)
    page = browser.submit(browser.get(stage + "/device"), user_code=started["user_code"])
    assert page.form.action == f"{stage}/device/decision"
    answer = browser.submit(page, decision="allow")
    assert answer.location == f"{stage}/device/done"
    assert f'href="{stage}/connections"' in browser.get(answer.location).body
