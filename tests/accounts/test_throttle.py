"""Guessing passwords gets slower and slower, and tells nothing about which accounts exist."""

import pytest

from chalicelib.accounts import throttle
from chalicelib.models.session import Throttle
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
    assert requests == {"GetItem": 2}


def test_one_typo_a_day_never_adds_up_for_an_address(app: App, time: Time) -> None:
    for _ in range(60):
        assert attempt(app).status == 422
        assert attempt(app, password=PASSWORD).status == 303
        time.passes(86400 // 2)


def test_an_address_waits_a_minute_at_the_most(app: App, time: Time) -> None:
    for number in range(60):
        while (answer := attempt(app, f"user{number}@example.org")).status == 429:
            time.passes(int(answer.headers["retry-after"]))
    assert wait(app, "somebody@example.org") <= 60


def test_failures_of_an_address_fade(app: App, time: Time) -> None:
    for number in range(49):
        attempt(app, f"user{number}@example.org")
    time.passes(30 * 60)
    for number in range(30):
        assert attempt(app, f"other{number}@example.org").status == 422


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("", "unknown", False),
    ],
)
def test_an_ipv6_subscriber_has_one_counter(one: str, other: str, same: bool) -> None:
    assert (throttle._network(one) == throttle._network(other)) is same


def test_people_behind_one_address_do_not_disturb_each_other(
    app: App, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another failure from the address is counted between our reading and our writing."""
    count = throttle.Limit.count
    others = [throttle.ADDRESS.find("192.0.2.1") for _ in range(1)]

    def interrupted(limit: throttle.Limit, row: Throttle) -> None:
        if limit is throttle.ADDRESS and others:
            count(limit, others.pop())
        count(limit, row)

    monkeypatch.setattr(throttle.Limit, "count", interrupted)
    assert attempt(app).status == 422
    assert throttle.ADDRESS.find("192.0.2.1").failures == 2
    assert attempt(app, password=PASSWORD).status == 303
