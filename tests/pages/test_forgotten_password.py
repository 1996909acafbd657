"""A new password by mail: for who has the address, telling nobody else whether there is an account."""

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.accounts import accounts
from tests.conftest import Time
from tests.expect import assert_error_page
from tests.faults import FAULTS, storage_fails
from tests.harness import EMAIL, PASSWORD, Answer, App, Browser, Deployment, count_requests, is_alive
from tests.mails import Mailbox

NEW_PASSWORD = "another password"
PATH = "/forgotten-password"
UNKNOWN, DISABLED, UNSET = "unknown@example.org", "disabled@example.org", "unset@example.org"


@pytest.fixture(autouse=True)
def _account(deployment: Deployment, mailbox: Mailbox) -> None:
    deployment.add_account()


@pytest.fixture
def browser() -> Browser:
    return Browser()


def ask(browser: Browser, email: str = EMAIL, path: str = PATH) -> Answer:
    """Ask for a code, and return the page on which it is typed."""
    answer = browser.submit(browser.get(path), email=email)
    return browser.get(answer.location)


def reset(browser: Browser, mailbox: Mailbox, password: str = NEW_PASSWORD) -> Answer:
    """Go all the way."""
    return browser.submit(ask(browser), code=mailbox.code, new_password=password)


def can_sign_in(password: str, email: str = EMAIL) -> bool:
    browser = Browser()
    return browser.submit(browser.get("/sign-in"), email=email, password=password).status == 303


# The whole way


def test_the_code_from_the_mail_sets_a_new_password_and_signs_in(browser: Browser, mailbox: Mailbox) -> None:
    done = reset(browser, mailbox)
    page = browser.get(done.location)
    assert "Your new password is set" in page.body
    assert EMAIL in browser.get("/account").body
    assert can_sign_in(NEW_PASSWORD)
    assert not can_sign_in(PASSWORD)


def test_the_sign_in_page_leads_there_and_back_to_the_application(
    deployment: Deployment, browser: Browser, mailbox: Mailbox
) -> None:
    app = deployment.add_app()
    sign_in = browser.get(app.authorization_url(state="some state"))
    (link,) = [part for part in sign_in.body.split('"') if part.startswith(f"{PATH}?")]
    page = ask(browser, path=link.replace("&amp;", "&"))
    done = browser.submit(page, code=mailbox.code, new_password=NEW_PASSWORD)
    answer = browser.submit(browser.get(done.location), decision="allow")
    assert answer.redirect_params["state"] == "some state"


def test_who_knew_the_old_password_loses_everything(
    deployment: Deployment, browser: Browser, mailbox: Mailbox
) -> None:
    thief = deployment.signed_in_browser()
    app = deployment.add_app()
    token = deployment.tokens(app, thief)["access_token"]
    reset(browser, mailbox)
    assert not is_alive(token)
    assert "/sign-in" in thief.get("/account").location
    assert browser.get(app.authorization_url()).form.buttons  # Asked again.


def test_who_was_locked_out_by_somebody_elses_guesses_gets_in(
    deployment: Deployment, browser: Browser, mailbox: Mailbox, time: Time
) -> None:
    for _ in range(8):
        assert not can_sign_in("a guess")
    assert not can_sign_in(PASSWORD)
    reset(browser, mailbox)
    assert can_sign_in(NEW_PASSWORD)


def test_an_account_without_a_password_gets_one(browser: Browser, mailbox: Mailbox) -> None:
    accounts.add(UNSET, None)
    page = ask(browser, UNSET)
    assert browser.submit(page, code=mailbox.code, new_password=NEW_PASSWORD).status == 303
    assert can_sign_in(NEW_PASSWORD, UNSET)


def test_a_code_works_once(deployment: Deployment, browser: Browser, mailbox: Mailbox) -> None:
    page, cookies = ask(browser), dict(browser.cookies)
    assert browser.submit(page, code=mailbox.code, new_password=NEW_PASSWORD).status == 303
    thief = Browser()
    thief.cookies, thief.url = cookies, f"{PATH}/confirm"
    before = deployment.snapshot()
    assert thief.submit(page, code=mailbox.code, new_password="a third password").status == 422
    assert deployment.snapshot() == before


# What nobody learns


def answers_to(email: str) -> list[Any]:
    """Return all that a stranger sees of asking for a code, and of typing wrong ones."""
    browser = Browser()
    first = browser.submit(browser.get(PATH), email=email)
    page = browser.get(first.location)
    seen = [first, page]
    seen += [browser.submit(page, code="BBBB-BBBB", new_password=NEW_PASSWORD) for _ in range(6)]
    token = page.form.fields["csrf_token"]
    return [
        (answer.status, answer.headers, answer.body.replace(email, EMAIL).replace(token, "csrf"))
        for answer in seen
    ]


def test_nobody_learns_from_the_answers_which_accounts_there_are(deployment: Deployment) -> None:
    accounts.disable(deployment.add_account(DISABLED))
    accounts.add(UNSET, None)
    expected = answers_to(EMAIL)
    assert [answers_to(email) for email in (UNKNOWN, DISABLED, UNSET)] == [expected] * 3


def test_the_work_is_the_same_whatever_account_there_is(deployment: Deployment, mailbox: Mailbox) -> None:
    accounts.disable(deployment.add_account(DISABLED))
    work = []
    for email in (EMAIL, UNKNOWN, DISABLED):
        browser = Browser()
        page = browser.get(PATH)
        with count_requests() as asking:
            browser.submit(page, email=email)
        page = browser.get(f"{PATH}/confirm")
        with count_requests() as guessing:
            browser.submit(page, code="BBBB-BBBB", new_password=NEW_PASSWORD)
        work.append((asking, guessing))
    assert work == [({"GetItem": 5, "PutItem": 3}, {"GetItem": 1, "PutItem": 1})] * 3
    assert [mail["To"] for mail in mailbox.mails] == [EMAIL, UNKNOWN, DISABLED]


def test_the_mail_says_why_there_is_no_code(
    deployment: Deployment, browser: Browser, mailbox: Mailbox
) -> None:
    accounts.disable(deployment.add_account(DISABLED))
    for email, reason in ((UNKNOWN, "There is no account"), (DISABLED, "The account is disabled")):
        ask(browser, email)
        assert reason in mailbox.last.get_content()
        with pytest.raises(ValueError, match="not enough values"):
            _ = mailbox.code


def test_an_account_that_was_disabled_meanwhile_stays_out(
    deployment: Deployment, browser: Browser, mailbox: Mailbox
) -> None:
    page = ask(browser)
    account = accounts.find_by_email(EMAIL)
    assert account
    accounts.disable(account)
    before = deployment.snapshot()["users"]
    answer = browser.submit(page, code=mailbox.code, new_password=NEW_PASSWORD)
    assert (answer.status, answer.form.action) == (422, PATH)
    assert answer.set_cookies == []
    assert deployment.snapshot()["users"] == before


# Mails are throttled


def test_a_fourth_mail_has_to_wait_and_each_further_one_longer(
    browser: Browser, mailbox: Mailbox, time: Time
) -> None:
    for _ in range(3):
        ask(browser)
    waits = []
    for _ in range(8):
        answer = browser.submit(browser.get(PATH), email=EMAIL)
        assert answer.status == 429
        assert 'role="alert"' in answer.body
        waits.append(int(answer.headers["retry-after"]))
        time.passes(waits[-1])
        ask(browser)
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert len(mailbox.mails) == 11


@pytest.mark.parametrize("email", [EMAIL.upper(), f" {EMAIL}", EMAIL.replace("@", "+x@")])
def test_spelling_the_address_otherwise_gets_no_more_mails(
    browser: Browser, mailbox: Mailbox, time: Time, email: str
) -> None:
    for _ in range(3):
        ask(browser)
    assert browser.submit(browser.get(PATH), email=email).status == 429


def test_signing_up_and_passwords_share_the_limit(browser: Browser, mailbox: Mailbox, time: Time) -> None:
    for _ in range(3):
        ask(browser)
    assert browser.submit(browser.get("/sign-up"), email=EMAIL).status == 429
    assert browser.submit(browser.get("/sign-up"), email=UNKNOWN).status == 303


def test_unknown_addresses_are_throttled_alike(browser: Browser, mailbox: Mailbox, time: Time) -> None:
    answers = []
    for email in (EMAIL, UNKNOWN):
        for _ in range(3):
            ask(browser, email)
        answer = browser.submit(browser.get(PATH), email=email)
        answers.append((answer.status, answer.headers, answer.body.replace(email, EMAIL)))
    assert answers[0] == answers[1]


def test_one_network_may_not_have_us_mail_the_world(browser: Browser, mailbox: Mailbox, time: Time) -> None:
    for number in range(30):
        ask(browser, f"somebody{number}@example.org")
    before = len(mailbox.mails)
    answer = browser.submit(browser.get(PATH), email="one.more@example.org")
    assert (answer.status, len(mailbox.mails)) == (429, before)


def test_a_throttled_request_writes_nothing(
    deployment: Deployment, browser: Browser, mailbox: Mailbox, time: Time
) -> None:
    for _ in range(3):
        ask(browser)
    page, before = browser.get(PATH), deployment.snapshot()
    browser.submit(page, email=EMAIL)
    assert deployment.snapshot() == before


# What is refused, and what fails


def test_without_the_csrf_token_nothing_is_sent_or_written(
    deployment: Deployment, browser: Browser, mailbox: Mailbox
) -> None:
    page, before = browser.get(PATH), deployment.snapshot()
    assert browser.submit(page, email=EMAIL, csrf_token="x").status == 403
    assert (deployment.snapshot(), mailbox.mails) == (before, [])
    page = ask(browser)
    before = deployment.snapshot()
    assert browser.submit(page, code=mailbox.code, new_password=NEW_PASSWORD, csrf_token="").status == 403
    assert deployment.snapshot() == before


@pytest.mark.parametrize("path", [PATH, f"{PATH}/confirm"])
def test_without_mail_it_is_not_there(
    browser: Browser, change_setting: Callable[[str, object], None], path: str
) -> None:
    page = browser.get(PATH)
    change_setting("mail", "")
    assert_error_page(browser.get(path), 404)
    page.form.action = path
    assert_error_page(browser.submit(page, email=EMAIL), 404)
    assert PATH not in browser.get("/sign-in").body


@pytest.mark.parametrize("fault", FAULTS)
def test_failing_storage_changes_nothing_and_the_code_still_works(
    deployment: Deployment, browser: Browser, mailbox: Mailbox, fault: str
) -> None:
    page = ask(browser)
    before = deployment.snapshot()["users"]
    with storage_fails(FAULTS[fault], "TransactWriteItems"):
        assert_error_page(browser.submit(page, code=mailbox.code, new_password=NEW_PASSWORD), 503)
    assert deployment.snapshot()["users"] == before
    assert browser.submit(page, code=mailbox.code, new_password=NEW_PASSWORD).status == 303


@pytest.mark.parametrize("operation", ["Query", "UpdateItem", "DeleteItem"])
def test_if_revoking_fails_the_person_is_told_and_shown_what_is_still_connected(
    deployment: Deployment, browser: Browser, mailbox: Mailbox, operation: str
) -> None:
    app: App = deployment.add_app(name="Left behind")
    deployment.tokens(app, deployment.signed_in_browser())
    page = ask(browser, path=f"{PATH}?continue=/account")
    with storage_fails(FAULTS["unavailable"], operation):
        done = browser.submit(page, code=mailbox.code, new_password=NEW_PASSWORD)
    assert done.location == "/connections"
    assert "not all applications could be disconnected" in browser.get(done.location).body
    assert can_sign_in(NEW_PASSWORD)
