"""Signing up: who shows that an address is theirs gets an account, and nobody learns who has one."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from chalicelib.accounts import accounts
from chalicelib.settings import settings
from tests.conftest import Log, Time
from tests.expect import assert_error_page
from tests.faults import FAULTS, meanwhile, storage_fails
from tests.harness import EMAIL, PASSWORD, Answer, Browser, Deployment, count_requests
from tests.mails import Mailbox

NEW = "new@example.org"
COOKIE = "__Host-session"
ATTEMPTS = 5


@pytest.fixture(autouse=True)
def _mail(deployment: Deployment, mailbox: Mailbox) -> None:
    """Let people sign up."""


@pytest.fixture
def browser() -> Browser:
    return Browser()


def ask(browser: Browser, email: str = NEW, path: str = "/sign-up") -> Answer:
    """Ask for a code, and return the page on which it is typed."""
    answer = browser.submit(browser.get(path), email=email)
    return browser.get(answer.location)


def other_code(code: str) -> str:
    return ("C" if code[0] == "B" else "B") + code[1:]


def codes(deployment: Deployment) -> list[Any]:
    rows: list[Any] = deployment.snapshot()["sessions"]
    return [row for row in rows if row["key"]["S"].startswith("mailed-code#")]


# The whole way


def test_the_code_from_the_mail_and_a_password_make_an_account(browser: Browser, mailbox: Mailbox) -> None:
    page = ask(browser)
    assert NEW in page.body
    done = browser.submit(page, code=mailbox.code, new_password=PASSWORD)
    assert done.location == "/connections"
    assert "Your account is ready" in browser.get(done.location).body
    assert accounts.find_by_email(NEW)
    assert Browser().get("/sign-in").status == 200
    again = Browser()
    assert again.submit(again.get("/sign-in"), email=NEW, password=PASSWORD).status == 303


def test_it_leads_on_to_the_application_that_is_waiting(
    deployment: Deployment, browser: Browser, mailbox: Mailbox
) -> None:
    app = deployment.add_app(name="Waiting application")
    sign_in = browser.get(app.authorization_url(state="some state"))
    (link,) = [part for part in sign_in.body.split('"') if part.startswith("/sign-up?")]
    page = ask(browser, path=link.replace("&amp;", "&"))
    assert "form-action" not in page.headers["content-security-policy"]
    done = browser.submit(page, code=mailbox.code, new_password=PASSWORD)
    consent = browser.get(done.location)
    answer = browser.submit(consent, decision="allow")
    assert answer.redirect_params["state"] == "some state"
    assert app.exchange(answer.redirect_params["code"]).status == 200


def test_it_works_below_a_stage(mailbox: Mailbox) -> None:
    browser = Browser("/prod")
    page = ask(browser, path="/prod/sign-up")
    assert page.form.action == "/prod/sign-up/confirm"
    assert browser.submit(page, code=mailbox.code, new_password=PASSWORD).location == "/prod/connections"


@pytest.mark.parametrize("form", ["{}", "  {}  ", "{}\t"])
@pytest.mark.parametrize("change", [str.upper, str.lower, lambda code: code.replace("-", ""), str.title])
def test_a_code_is_typed_as_people_type(
    browser: Browser, mailbox: Mailbox, change: Callable[[str], str], form: str
) -> None:
    page = ask(browser)
    if form.endswith("\t"):
        form = form.strip()
    typed = form.format(change(mailbox.code))
    assert browser.submit(page, code=typed, new_password=PASSWORD).status == 303


def test_signing_up_rotates_the_cookie(browser: Browser, mailbox: Mailbox) -> None:
    page = ask(browser)
    before = browser.cookies[COOKIE]
    browser.submit(page, code=mailbox.code, new_password=PASSWORD)
    assert browser.cookies[COOKIE] != before
    browser.cookies[COOKIE] = before
    assert "/sign-in" in browser.get("/connections").location


# What nobody learns


def answers_to(email: str) -> list[Any]:
    """Return all that a stranger sees of signing up with an address, and of five wrong codes."""
    browser = Browser()
    first = browser.submit(browser.get("/sign-up"), email=email)
    page = browser.get(first.location)
    seen = [first, page]
    seen += [browser.submit(page, code="BBBB-BBBB", new_password=PASSWORD) for _ in range(ATTEMPTS + 1)]
    token = page.form.fields["csrf_token"]
    return [
        (answer.status, answer.headers, answer.body.replace(email, NEW).replace(token, "csrf"))
        for answer in seen
    ]


def test_nobody_learns_from_the_answers_which_accounts_there_are(deployment: Deployment) -> None:
    deployment.add_account()
    accounts.disable(deployment.add_account("disabled@example.org"))
    expected = answers_to(NEW)
    assert answers_to(EMAIL) == expected
    assert answers_to("disabled@example.org") == expected


def test_the_work_is_the_same_for_an_address_that_has_an_account(
    deployment: Deployment, mailbox: Mailbox
) -> None:
    deployment.add_account()
    work = []
    for email in (NEW, EMAIL):
        browser = Browser()
        page = browser.get("/sign-up")
        with count_requests() as requests:
            browser.submit(page, email=email)
        work.append(requests)
    assert work[0] == work[1] == {"GetItem": 5, "PutItem": 3}
    assert [mail["To"] for mail in mailbox.mails] == [NEW, EMAIL]


def test_who_has_an_account_is_told_by_mail_alone(
    deployment: Deployment, browser: Browser, mailbox: Mailbox
) -> None:
    deployment.add_account()
    before = deployment.snapshot()["users"]
    page = ask(browser, EMAIL.upper())
    assert mailbox.last["To"] == EMAIL
    assert "There is an account already" in mailbox.last.get_content()
    assert "BCDF-GHJK" not in mailbox.last.get_content()
    assert browser.submit(page, code="BCDF-GHJK", new_password="another password").status == 422
    assert deployment.snapshot()["users"] == before


# The code


def test_a_wrong_code_is_told_at_its_field_with_the_attempts_that_are_left(
    browser: Browser, mailbox: Mailbox
) -> None:
    page = ask(browser)
    answer = browser.submit(page, code=other_code(mailbox.code), new_password=PASSWORD)
    assert answer.status == 422
    assert "4 more times" in answer.body
    assert 'aria-describedby="code-hint code-problem" aria-invalid="true"' in answer.body
    assert PASSWORD not in answer.body
    assert browser.submit(answer, code=mailbox.code, new_password=PASSWORD).status == 303


def test_after_five_wrong_codes_the_right_one_is_worth_nothing(
    deployment: Deployment, browser: Browser, mailbox: Mailbox
) -> None:
    page = ask(browser)
    code = mailbox.code
    answers = [
        browser.submit(page, code=other_code(code), new_password=PASSWORD).body for _ in range(ATTEMPTS)
    ]
    assert "1 more times" in answers[3]
    assert "mistyped too often" in answers[4]
    answer = browser.submit(page, code=code, new_password=PASSWORD)
    assert answer.status == 422
    assert "mistyped too often" in answer.body
    assert answer.form.action == "/sign-up"
    assert accounts.find_by_email(NEW) is None


def test_an_attempt_is_counted_before_the_code_is_compared(
    deployment: Deployment, browser: Browser, mailbox: Mailbox
) -> None:
    """Of two at once, one counts and the other one tries nothing."""
    page = ask(browser)
    code = mailbox.code
    with meanwhile("PutItem", lambda: browser.submit(page, code=other_code(code), new_password=PASSWORD)):
        assert_error_page(browser.submit(page, code=code, new_password=PASSWORD), 409)
    assert accounts.find_by_email(NEW) is None
    assert codes(deployment)[0]["failures"] == {"N": "1"}


@pytest.mark.parametrize("typed", ["", "BCDF", "BCDF-GHJKL", "AEIO-UY12", "1234-5678", "ßßßß-ßßßß"])
def test_what_can_be_no_code_does_not_count(
    deployment: Deployment, browser: Browser, mailbox: Mailbox, typed: str
) -> None:
    page = ask(browser)
    before = deployment.snapshot()
    answer = browser.submit(page, code=typed, new_password=PASSWORD)
    assert answer.status == 422
    assert "This is no code" in answer.body
    assert deployment.snapshot() == before


def test_a_code_works_once(deployment: Deployment, browser: Browser, mailbox: Mailbox) -> None:
    page = ask(browser)
    cookie = browser.cookies[COOKIE]
    assert browser.submit(page, code=mailbox.code, new_password=PASSWORD).status == 303
    assert codes(deployment) == []
    browser.cookies[COOKIE] = cookie
    before = deployment.snapshot()
    assert browser.submit(page, code=mailbox.code, new_password="another password").status == 422
    assert deployment.snapshot() == before


def test_a_code_is_over_after_a_quarter_of_an_hour(browser: Browser, mailbox: Mailbox, time: Time) -> None:
    page = ask(browser)
    time.passes(900)
    answer = browser.submit(page, code=mailbox.code, new_password=PASSWORD)
    assert (answer.status, answer.form.action) == (422, "/sign-up")
    assert browser.get("/sign-up/confirm").location.startswith("/sign-up?")


def test_a_code_works_until_then(browser: Browser, mailbox: Mailbox, time: Time) -> None:
    page = ask(browser)
    time.passes(899)
    assert browser.submit(page, code=mailbox.code, new_password=PASSWORD).status == 303


def test_a_code_works_in_no_other_browser(browser: Browser, mailbox: Mailbox) -> None:
    ask(browser)
    code = mailbox.code
    attacker = Browser()
    page = ask(attacker, "attacker@example.org")
    answer = attacker.submit(page, code=code, new_password=PASSWORD, email=NEW)
    assert answer.status == 422
    assert accounts.find_by_email(NEW) is None


def test_a_code_for_signing_up_sets_no_password(
    deployment: Deployment, browser: Browser, mailbox: Mailbox
) -> None:
    ask(browser)
    deployment.add_account(NEW)
    page = browser.get("/sign-up/confirm")
    page.form.action = "/forgotten-password/confirm"
    assert browser.submit(page, code=mailbox.code, new_password="another password").status == 422


def test_only_the_last_code_works(browser: Browser, mailbox: Mailbox) -> None:
    ask(browser)
    first = mailbox.code
    page = ask(browser)
    assert browser.submit(page, code=first, new_password=PASSWORD).status == 422
    assert browser.submit(page, code=mailbox.code, new_password=PASSWORD).status == 303


def test_the_address_in_the_form_is_for_show(browser: Browser, mailbox: Mailbox) -> None:
    page = ask(browser)
    browser.submit(page, code=mailbox.code, new_password=PASSWORD, email="victim@example.org")
    assert accounts.find_by_email("victim@example.org") is None
    assert accounts.find_by_email(NEW)


@pytest.mark.parametrize("password", ["", "1234567", "x" * 1001])
def test_an_unacceptable_password_costs_no_attempt(
    deployment: Deployment, browser: Browser, mailbox: Mailbox, password: str
) -> None:
    page = ask(browser)
    before = deployment.snapshot()
    answer = browser.submit(page, code=mailbox.code, new_password=password)
    assert answer.status == 422
    assert 'aria-describedby="new_password-hint new_password-problem" aria-invalid="true"' in answer.body
    assert deployment.snapshot() == before
    assert browser.submit(answer, new_password=PASSWORD).status == 303


def test_a_password_is_whatever_somebody_typed(browser: Browser, mailbox: Mailbox) -> None:
    password = "tab\tulator \u00a0 👩\u200d🚒"
    assert browser.submit(ask(browser), code=mailbox.code, new_password=password).status == 303
    again = Browser()
    assert again.submit(again.get("/sign-in"), email=NEW, password=password).status == 303


def test_an_account_that_was_made_meanwhile_stays_as_it_is(
    deployment: Deployment, browser: Browser, mailbox: Mailbox
) -> None:
    page = ask(browser)
    deployment.add_account(NEW, "the faster one")
    answer = browser.submit(page, code=mailbox.code, new_password="the slower one")
    assert answer.status == 409
    assert "There is an account with this e-mail address by now" in answer.body
    assert browser.submit(answer, email=NEW, password="the faster one").status == 303


def test_of_two_who_send_the_code_at_once_one_gets_the_account(browser: Browser, mailbox: Mailbox) -> None:
    page = ask(browser)
    code = mailbox.code
    other = Browser()
    other.cookies, other.url = dict(browser.cookies), browser.url
    with meanwhile(
        "TransactWriteItems", lambda: other.submit(page, code=code, new_password="the faster one")
    ):
        assert browser.submit(page, code=code, new_password="the slower one").status == 409
    again = Browser()
    assert again.submit(again.get("/sign-in"), email=NEW, password="the faster one").status == 303


def test_a_code_cannot_be_found_by_trying_with_a_copy_of_the_table(
    deployment: Deployment, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same code in two browsers is stored as two things, neither of them a plain digest."""
    monkeypatch.setattr("chalicelib.accounts.mailed_codes.ALPHABET", "B")
    browsers = Browser(), Browser()
    for browser in browsers:
        ask(browser)
    stored = {row["code_mac"]["S"] for row in codes(deployment)}
    assert len(stored) == 2
    assert not stored & {sha256(code.encode()).hexdigest() for code in ("BBBBBBBB", "BBBB-BBBB")}


# What is refused


@pytest.mark.parametrize(
    "email",
    [
        "",
        "no address",
        "a@b, c@d.example",
        "a,b@c.example",
        "<a@b.example>",
        '"a"@b.example',
        "a@b@c",
        "ü@b.ü",
    ],
)
def test_an_address_that_mail_cannot_be_sent_to_is_refused(
    deployment: Deployment, browser: Browser, mailbox: Mailbox, email: str
) -> None:
    before = deployment.snapshot()
    answer = browser.submit(browser.get("/sign-up"), email=email)
    assert answer.status == 422
    assert 'aria-describedby="email-problem" aria-invalid="true"' in answer.body
    assert deployment.snapshot() == before
    assert mailbox.mails == []


def test_without_the_csrf_token_nothing_is_sent_or_written(
    deployment: Deployment, browser: Browser, mailbox: Mailbox
) -> None:
    page, before = browser.get("/sign-up"), deployment.snapshot()
    assert browser.submit(page, email=NEW, csrf_token="x").status == 403
    assert (deployment.snapshot(), mailbox.mails) == (before, [])
    page = ask(browser)
    before = deployment.snapshot()
    assert browser.submit(page, code=mailbox.code, new_password=PASSWORD, csrf_token="x").status == 403
    assert deployment.snapshot() == before


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "/\\evil.example/"])
def test_it_never_leads_elsewhere(browser: Browser, mailbox: Mailbox, elsewhere: str) -> None:
    assert_error_page(browser.get(f"/sign-up?continue={quote(elsewhere, safe='')}"))
    assert_error_page(browser.get(f"/sign-up/confirm?continue={quote(elsewhere, safe='')}"))
    page = browser.get("/sign-up")
    assert_error_page(browser.submit(page, email=NEW, **{"continue": elsewhere}))
    assert mailbox.mails == []
    page = ask(browser)
    answer = browser.submit(page, code=mailbox.code, new_password=PASSWORD, **{"continue": elsewhere})
    assert_error_page(answer)
    assert accounts.find_by_email(NEW) is None


def test_a_browser_that_asked_for_no_code_is_asked_for_its_address(browser: Browser) -> None:
    answer = browser.get("/sign-up/confirm?continue=/account")
    assert urlsplit(answer.location).path == "/sign-up"
    assert parse_qs(urlsplit(answer.location).query) == {"continue": ["/account"]}


@pytest.mark.parametrize("path", ["/sign-up", "/sign-up/confirm"])
def test_it_is_there_only_if_the_operator_says_so(
    browser: Browser, change_setting: Callable[[str, object], None], path: str
) -> None:
    page = browser.get("/sign-up")
    change_setting("sign_up", False)
    assert_error_page(browser.get(path), 404)
    page.form.action = path
    assert_error_page(browser.submit(page, email=NEW), 404)
    assert "/sign-up" not in browser.get("/sign-in").body


# What fails


def test_no_mail_no_code(
    deployment: Deployment,
    browser: Browser,
    change_setting: Callable[[str, object], None],
    log: Log,
) -> None:
    change_setting("mail", "file:/dev/null/mail.txt")
    answer = browser.submit(browser.get("/sign-up"), email=NEW)
    assert_error_page(answer, 503)
    assert int(answer.headers["retry-after"]) > 0
    assert codes(deployment) == []
    assert log.event("mail.failed")["reason"] == "FileExistsError"
    assert NEW not in log.text


@pytest.mark.parametrize("operation", ["GetItem", "PutItem", "TransactWriteItems"])
@pytest.mark.parametrize("fault", FAULTS)
def test_failing_storage_makes_no_half_account(
    deployment: Deployment, browser: Browser, mailbox: Mailbox, fault: str, operation: str
) -> None:
    page = ask(browser)
    before = deployment.snapshot()
    with storage_fails(FAULTS[fault], operation):
        answer = browser.submit(page, code=mailbox.code, new_password=PASSWORD)
    assert_error_page(answer, 503)
    assert answer.set_cookies == []
    assert deployment.snapshot()["users"] == before["users"]
    assert browser.submit(page, code=mailbox.code, new_password=PASSWORD).status == 303


def test_the_mail_says_what_it_is_for_and_has_no_link(browser: Browser, mailbox: Mailbox) -> None:
    ask(browser)
    mail = mailbox.last
    assert (mail["From"], mail["To"]) == (settings.mail_from, NEW)
    assert settings.platform_name in mail["Subject"]
    text = mail.get_content()
    assert "15 minutes" in text
    assert "://" not in text
