"""The account page: a new password, what stays connected with it, and signing out everywhere."""

from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest

from chalicelib.accounts import accounts, passwords
from chalicelib.accounts.sessions import start
from chalicelib.models.grant import Grant
from chalicelib.oauth import revocation
from tests.conftest import Time
from tests.expect import assert_error_page
from tests.faults import FAULTS, meanwhile, storage_fails
from tests.harness import EMAIL, PASSWORD, Answer, Browser, Deployment, count_requests, is_alive
from tests.mails import Mailbox

NEW_PASSWORD = "another password"
COOKIE = "__Host-session"
FREE = 5


@pytest.fixture
def browser(deployment: Deployment) -> Browser:
    """Return a browser in which the owner of the account is signed in."""
    deployment.add_account()
    return deployment.signed_in_browser()


def change(browser: Browser, current: str = PASSWORD, new: str = NEW_PASSWORD, /, **fields: str) -> Answer:
    page = browser.get("/account")
    (form,) = [form for form in page.forms if form.action.endswith("/account/password")]
    return browser.submit(page, form, current_password=current, new_password=new, **fields)


def sign_out_everywhere(browser: Browser) -> Answer:
    page = browser.get("/account")
    (form,) = [form for form in page.forms if form.action.endswith("/sign-out-everywhere")]
    return browser.submit(page, form)


def can_sign_in(password: str) -> bool:
    browser = Browser()
    return browser.submit(browser.get("/sign-in"), email=EMAIL, password=password).status == 303


def is_signed_in(browser: Browser) -> bool:
    return browser.get("/account").status == 200


def throttles(deployment: Deployment) -> list[Any]:
    rows: list[Any] = deployment.snapshot()["sessions"]
    return [row for row in rows if row["key"]["S"].startswith("throttle#")]


# What it shows


def test_it_shows_whose_it_is_and_since_when(browser: Browser) -> None:
    page = browser.get("/account")
    assert EMAIL in page.body
    assert "Member since" in page.body
    assert '<a href="/account" aria-current="page">' in page.body


def test_it_lists_what_is_connected_with_no_box_ticked(deployment: Deployment, browser: Browser) -> None:
    app = deployment.add_app(name="Maps & More")
    deployment.tokens(app, browser)
    page = browser.get("/account")
    assert "Maps &amp; More" in page.body
    assert f'name="keep:{app.client_id}"' in page.body
    assert not any(name.startswith("keep:") for form in page.forms for name in form.fields)


def signed_in_without_a_password() -> Browser:
    browser = Browser()
    browser.cookies[COOKIE] = start(accounts.add(EMAIL, None), "password")
    return browser


def test_an_account_without_a_password_sets_one_by_mail(deployment: Deployment, mailbox: Mailbox) -> None:
    browser = signed_in_without_a_password()
    page = browser.get("/account")
    assert "current_password" not in page.body
    (link,) = [part for part in page.body.split('"') if part.startswith("/forgotten-password?")]
    sent = browser.submit(browser.get(link), email=EMAIL)
    done = browser.submit(browser.get(sent.location), code=mailbox.code, new_password=NEW_PASSWORD)
    assert done.location == "/account"
    assert "current_password" in browser.get(done.location).body
    assert can_sign_in(NEW_PASSWORD)


def test_without_mail_nobody_is_sent_where_there_is_nothing(deployment: Deployment) -> None:
    page = signed_in_without_a_password().get("/account")
    assert "Only those who run" in page.body
    assert "/forgotten-password" not in page.body


def test_no_password_is_the_current_one_of_an_account_without(deployment: Deployment) -> None:
    browser = signed_in_without_a_password()
    page = browser.get("/account")
    form = page.forms[0]
    form.action = "/account/password"
    answer = browser.submit(page, form, current_password="", new_password=NEW_PASSWORD)
    assert answer.status == 422
    assert not can_sign_in(NEW_PASSWORD)


# A new password


def test_only_the_new_password_counts(browser: Browser) -> None:
    done = change(browser)
    assert done.location == "/account"
    assert "Your password is changed" in browser.get(done.location).body
    assert can_sign_in(NEW_PASSWORD)
    assert not can_sign_in(PASSWORD)


def test_other_browsers_are_signed_out_and_this_one_goes_on_with_a_new_cookie(
    deployment: Deployment, browser: Browser
) -> None:
    other = deployment.signed_in_browser()
    before = browser.cookies[COOKIE]
    change(browser)
    assert is_signed_in(browser)
    assert not is_signed_in(other)
    assert browser.cookies[COOKIE] != before
    other.cookies[COOKIE] = before
    assert not is_signed_in(other)


def test_applications_are_disconnected_unless_they_are_ticked(
    deployment: Deployment, browser: Browser
) -> None:
    kept, gone = deployment.add_app(name="Kept"), deployment.add_app(name="Gone")
    kept_token = deployment.tokens(kept, browser)["access_token"]
    gone_token = deployment.tokens(gone, browser)["access_token"]
    change(browser, **{f"keep:{kept.client_id}": "keep"})
    assert is_alive(kept_token)
    assert not is_alive(gone_token)
    assert "code" in browser.get(kept.authorization_url()).redirect_params  # Not asked again.
    assert browser.get(gone.authorization_url()).form.buttons


def test_an_application_that_was_connected_meanwhile_is_disconnected(
    deployment: Deployment, browser: Browser
) -> None:
    app = deployment.add_app()
    page = browser.get("/account")
    token = deployment.tokens(app, browser)["access_token"]
    form = page.forms[0]
    assert browser.submit(page, form, current_password=PASSWORD, new_password=NEW_PASSWORD).status == 303
    assert not is_alive(token)


def test_ticking_somebody_elses_application_keeps_nothing(deployment: Deployment, browser: Browser) -> None:
    deployment.add_account("other@example.org")
    theirs, mine = deployment.add_app(), deployment.add_app()
    deployment.tokens(theirs, deployment.signed_in_browser("other@example.org"))
    token = deployment.tokens(mine, browser)["access_token"]
    change(browser, **{f"keep:{theirs.client_id}": "keep"})
    assert not is_alive(token)


def test_sessions_end_before_anything_is_revoked(deployment: Deployment, browser: Browser) -> None:
    """Whoever is signed in elsewhere cannot connect an application that revoking has passed by."""
    app = deployment.add_app()
    deployment.tokens(deployment.add_app(), browser)
    thief = deployment.signed_in_browser()
    page = thief.get(app.authorization_url())
    answers: list[Answer] = []
    with meanwhile("DeleteItem", lambda: answers.append(thief.submit(page, decision="allow"))):
        change(browser)
    assert "password" in answers[0].form.fields


def test_a_wrong_current_password_changes_nothing(deployment: Deployment, browser: Browser) -> None:
    app = deployment.add_app()
    token = deployment.tokens(app, browser)["access_token"]
    before = deployment.snapshot()["users"]
    answer = change(browser, "wrong-canary", **{f"keep:{app.client_id}": "keep"})
    assert answer.status == 422
    assert 'aria-describedby="current_password-problem" aria-invalid="true"' in answer.body
    assert "wrong-canary" not in answer.body
    assert f"keep:{app.client_id}" in answer.forms[0].fields  # Ticked as before.
    assert deployment.snapshot()["users"] == before
    assert is_alive(token)
    assert is_signed_in(browser)


@pytest.mark.parametrize("password", ["", "1234567", "x" * 1001])
def test_an_unacceptable_new_password_tries_nothing(
    deployment: Deployment, browser: Browser, password: str
) -> None:
    before = deployment.snapshot()["users"]
    answer = change(browser, "a guess", password)
    assert answer.status == 422
    assert 'aria-describedby="new_password-hint new_password-problem" aria-invalid="true"' in answer.body
    assert deployment.snapshot()["users"] == before
    assert throttles(deployment) == []


def test_guessing_the_current_password_is_throttled_as_signing_in_is(browser: Browser, time: Time) -> None:
    for _ in range(FREE):
        assert change(browser, "a guess").status == 422
    answer = change(browser)
    assert (answer.status, answer.headers["retry-after"]) == (429, "1")
    assert 'role="alert"' in answer.body
    assert not can_sign_in(PASSWORD)
    time.passes(1)
    assert change(browser).status == 303
    assert can_sign_in(NEW_PASSWORD)


def test_a_guess_counts_for_the_account_and_for_the_network(deployment: Deployment, browser: Browser) -> None:
    change(browser, "a guess")
    assert [row["failures"] for row in throttles(deployment)] == [{"N": "1"}, {"N": "1"}]


def test_a_guess_costs_one_hash_whatever_the_account(deployment: Deployment, browser: Browser) -> None:
    with mock.patch.object(passwords, "_hasher", mock.Mock(wraps=passwords._hasher)) as hasher:
        change(browser, "a guess")
    assert (hasher.verify.call_count, hasher.hash.call_count) == (1, 0)


def test_of_two_changes_at_once_one_counts(browser: Browser) -> None:
    other = Browser()
    other.cookies = dict(browser.cookies)
    with meanwhile("TransactWriteItems", lambda: change(other, PASSWORD, "the faster one")):
        assert_error_page(change(browser, PASSWORD, "the slower one"), 409)
    assert can_sign_in("the faster one")
    assert not can_sign_in("the slower one")


@pytest.mark.parametrize("fault", FAULTS)
def test_failing_storage_changes_nothing(deployment: Deployment, browser: Browser, fault: str) -> None:
    before = deployment.snapshot()["users"]
    with storage_fails(FAULTS[fault], "TransactWriteItems"):
        answer = change(browser)
    assert_error_page(answer, 503)
    assert answer.set_cookies == []
    assert deployment.snapshot()["users"] == before
    assert is_signed_in(browser)


def test_if_revoking_fails_the_person_is_told_and_shown_what_is_still_connected(
    deployment: Deployment, browser: Browser
) -> None:
    deployment.tokens(deployment.add_app(name="Left behind"), browser)
    page = browser.get("/account")
    with storage_fails(FAULTS["unavailable"], "DeleteItem"):
        done = browser.submit(page, page.forms[0], current_password=PASSWORD, new_password=NEW_PASSWORD)
    assert done.location == "/connections"
    shown = browser.get(done.location).body
    assert "not all applications could be disconnected" in shown
    assert "Left behind" in shown


def test_what_was_left_to_revoke_is_when_somebody_signs_in_and_what_came_since_stays(
    deployment: Deployment, browser: Browser
) -> None:
    before, kept, since, again = (deployment.add_app(name=name) for name in ("B", "K", "S", "A"))
    old = [deployment.tokens(app, browser)["access_token"] for app in (before, again)]
    old_kept = deployment.tokens(kept, browser)["access_token"]
    with storage_fails(FAULTS["unavailable"], "DeleteItem"):
        change(browser, **{f"keep:{kept.client_id}": "keep"})
    assert all(is_alive(token) for token in (*old, old_kept))
    new = [deployment.tokens(app, browser)["access_token"] for app in (since, again, kept)]
    assert sign_out_everywhere(browser).status == 303  # Another epoch.
    assert can_sign_in(NEW_PASSWORD)
    assert not any(is_alive(token) for token in old)
    assert all(is_alive(token) for token in (*new, old_kept))
    signed_in = deployment.signed_in_browser(password=NEW_PASSWORD)
    for app in (since, again, kept):
        assert "code" in signed_in.get(app.authorization_url()).redirect_params  # Not asked again.
    assert signed_in.get(before.authorization_url()).form.buttons


def test_a_second_password_does_not_keep_what_should_have_ended_with_the_first(
    deployment: Deployment, browser: Browser
) -> None:
    app, other = deployment.add_app(), deployment.add_app()
    stolen = deployment.tokens(app, browser)["access_token"]
    with storage_fails(FAULTS["unavailable"], "DeleteItem"):
        change(browser)
    mine, lost = (deployment.tokens(one, browser)["access_token"] for one in (app, other))
    change(browser, NEW_PASSWORD, "yet another password", **{f"keep:{app.client_id}": "keep"})
    assert not is_alive(stolen)
    assert is_alive(mine)
    assert not is_alive(lost)


def test_a_grant_that_is_not_found_is_revoked_in_case_it_is_about_to_be_there(
    deployment: Deployment, browser: Browser
) -> None:
    token = deployment.tokens(deployment.add_app(), browser)["access_token"]
    with mock.patch.object(Grant, "batch_get", return_value=iter(())):
        change(browser)
    assert not is_alive(token)


def test_what_is_long_gone_costs_no_write(deployment: Deployment, browser: Browser, time: Time) -> None:
    token = deployment.tokens(deployment.add_app(), browser)["access_token"]
    Grant(token[4:12]).delete()  # As DynamoDB does in time.
    time.passes(revocation.TRANSACTION_ENDS)
    browser = deployment.signed_in_browser()
    with count_requests() as requests:
        change(browser)
    assert requests["UpdateItem"] == 2  # The session's use, twice.


def test_what_ended_before_is_passed_by_together(deployment: Deployment, browser: Browser) -> None:
    app = deployment.add_app()
    for _ in range(9):
        code = deployment.code(app, browser)
        app.exchange(code)
        assert app.exchange(code).status == 400  # A replay: the grant is revoked.
    alive = deployment.tokens(app, browser)["access_token"]
    with count_requests() as requests:
        change(browser)
    assert not is_alive(alive)
    # The session's use, twice, and the one grant that was alive.
    assert requests["UpdateItem"] == 3
    assert requests["BatchGetItem"] <= 7


def test_once_it_is_revoked_nothing_is_looked_for_again(deployment: Deployment, browser: Browser) -> None:
    with storage_fails(FAULTS["unavailable"], "DeleteItem"):
        deployment.tokens(deployment.add_app(), browser)
        change(browser)
    assert can_sign_in(NEW_PASSWORD)
    with count_requests() as requests:
        assert can_sign_in(NEW_PASSWORD)
    assert "BatchGetItem" not in requests


# Signing out everywhere


def test_every_browser_is_signed_out_and_applications_stay(deployment: Deployment, browser: Browser) -> None:
    token = deployment.tokens(deployment.add_app(), browser)["access_token"]
    other = deployment.signed_in_browser()
    done = sign_out_everywhere(browser)
    assert "signed out in every browser" in browser.get(done.location).body
    assert browser.cookies[COOKIE].startswith("obn_")
    assert not is_signed_in(browser)
    assert not is_signed_in(other)
    assert is_alive(token)
    assert can_sign_in(PASSWORD)


def test_signing_out_everywhere_takes_one_write_and_one_for_the_trail(
    deployment: Deployment, browser: Browser
) -> None:
    page = browser.get("/account")
    form = page.forms[-1]
    with count_requests() as requests:
        assert browser.submit(page, form).status == 303
    assert requests == {"UpdateItem": 1, "BatchGetItem": 1, "PutItem": 2}


def test_the_page_works_below_a_stage(deployment: Deployment) -> None:
    deployment.add_account()
    browser = deployment.signed_in_browser(stage="/prod")
    page = browser.get("/prod/account")
    done = browser.submit(page, page.forms[0], current_password=PASSWORD, new_password=NEW_PASSWORD)
    assert done.location == "/prod/account"


def test_where_nobody_signs_in_with_a_password_there_is_none_to_change(
    browser: Browser, change_setting: Callable[[str, object], None]
) -> None:
    page = browser.get("/account")
    (form,) = [form for form in page.forms if "new_password" in form.fields]
    change_setting("local_accounts", False)
    assert "Password" not in browser.get("/account").body
    answer = browser.submit(page, form, current_password=PASSWORD, new_password="another password")
    assert answer.status == 404
    change_setting("local_accounts", True)
    assert browser.submit(page, form, current_password=PASSWORD, new_password="yet another").status == 303
