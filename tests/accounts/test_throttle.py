"""Guessing passwords gets slower and slower, and tells nothing about which accounts exist."""

import pytest

from tests.conftest import Time
from tests.harness import EMAIL, PASSWORD, Answer, App, Browser, Deployment, count_requests

FREE = 5


@pytest.fixture
def app(deployment: Deployment) -> App:
    deployment.add_account()
    return deployment.add_app()


def attempt(app: App, email: str = EMAIL, password: str = "wrong password") -> Answer:
    browser = Browser()
    return browser.submit(browser.get(app.authorization_url()), email=email, password=password)


def wait(app: App, email: str = EMAIL) -> int:
    """Return how many seconds the next attempt has to wait."""
    answer = attempt(app, email, PASSWORD)
    assert answer.status == 429
    return int(answer.headers["retry-after"])


def test_a_few_failures_are_free(app: App, time: Time) -> None:
    for _ in range(FREE - 1):
        assert attempt(app).status == 422
    assert attempt(app, password=PASSWORD).status == 303


def test_after_them_even_the_right_password_has_to_wait(app: App, time: Time) -> None:
    for _ in range(FREE):
        attempt(app)
    assert wait(app) == 1
    time.passes(1)
    assert attempt(app, password=PASSWORD).status == 303


def test_each_wait_is_twice_as_long_up_to_a_quarter_of_an_hour(app: App, time: Time) -> None:
    for _ in range(FREE):
        attempt(app)
    waits = []
    for _ in range(12):
        waits.append(wait(app))
        time.passes(waits[-1])
        assert attempt(app).status == 422
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]


def test_success_starts_anew(app: App, time: Time) -> None:
    for _ in range(FREE - 1):
        attempt(app)
    attempt(app, password=PASSWORD)
    for _ in range(FREE - 1):
        assert attempt(app).status == 422


def test_a_day_without_failures_starts_anew(app: App, time: Time) -> None:
    for _ in range(FREE):
        attempt(app)
    time.passes(86400)
    assert attempt(app).status == 422
    assert attempt(app, password=PASSWORD).status == 303


def test_accounts_that_do_not_exist_are_throttled_alike(app: App, time: Time) -> None:
    known = [attempt(app, EMAIL) for _ in range(FREE + 1)]
    unknown = [attempt(app, "nobody@example.org") for _ in range(FREE + 1)]
    assert [answer.status for answer in known] == [answer.status for answer in unknown]
    assert known[-1].headers["retry-after"] == unknown[-1].headers["retry-after"]


def test_spelling_the_address_otherwise_does_not_help(app: App, time: Time) -> None:
    for email in (EMAIL, EMAIL.upper(), f" {EMAIL}", EMAIL.title(), EMAIL):
        attempt(app, email)
    assert wait(app) == 1


def test_one_account_does_not_slow_down_another(deployment: Deployment, app: App, time: Time) -> None:
    deployment.add_account("other@example.org")
    for _ in range(FREE + 1):
        attempt(app)
    assert attempt(app, "other@example.org", PASSWORD).status == 303


def test_one_address_may_not_try_many_accounts(app: App, time: Time) -> None:
    for number in range(50):
        attempt(app, f"user{number}@example.org")
    assert wait(app, "somebody@example.org") == 1


def test_a_throttled_attempt_costs_no_password_hash(app: App, time: Time) -> None:
    for _ in range(FREE):
        attempt(app)
    browser = Browser()
    page = browser.get(app.authorization_url())
    with count_requests() as requests:
        assert browser.submit(page, email=EMAIL, password=PASSWORD).status == 429
    assert requests == {"GetItem": 2, "PutItem": 1}
