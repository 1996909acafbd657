"""Refusals that must not be told apart by time either: `test_same_work.py` is exact, this one measures.

What it would notice, and how often it is wrong, is in docs/security.md.
"""

import random
from collections.abc import Callable
from itertools import permutations
from statistics import median

import pytest

from chalicelib.accounts import accounts, passwords, throttle
from tests.attacks.timing import SURPRISING, measure, surprise, takes_longer
from tests.harness import PASSWORD, Browser, Deployment, post

WRONG = "x" * len(PASSWORD)
ACCOUNT_ROUNDS, CLIENT_ROUNDS, CODE_ROUNDS = 50, 300, 100


@pytest.fixture
def sign_ins(shipped_hashing: None, deployment: Deployment) -> dict[str, Callable[[], object]]:
    """Return the ways not to sign in, each with a request that is never throttled."""
    deployment.add_account("known123@example.org")
    accounts.disable(deployment.add_account("disabled@example.org"))
    browser = Browser()
    page = browser.get("/sign-in")

    def refused(email: str, password: str) -> Callable[[], object]:
        def send() -> object:
            for limit, name in ((throttle.ACCOUNT, email), (throttle.ADDRESS, "192.0.2.1")):
                limit.forget(name)
            answer = browser.submit(page, email=email, password=password)
            assert answer.status == 422
            return answer

        return send

    return {
        "wrong password": refused("known123@example.org", WRONG),
        "unknown account": refused("unknown1@example.org", WRONG),
        "disabled account": refused("disabled@example.org", PASSWORD),
    }


def assert_alike(taken: dict[str, list[float]], tolerance: float) -> None:
    """Check that no kind takes longer than another one, but for a part of the time that they take."""
    for (one, these), (other, those) in permutations(taken.items(), 2):
        assert not takes_longer(these, those, by=tolerance * median(those)), (one, other)


def test_unknown_account_wrong_password_and_disabled_account_take_the_same_time(
    sign_ins: dict[str, Callable[[], object]],
) -> None:
    """Reading the row of an account takes half a millisecond, a hash forty times as long."""
    assert_alike(measure(sign_ins, ACCOUNT_ROUNDS), tolerance=0.1)


def test_it_would_notice_if_the_hashing_were_skipped(
    sign_ins: dict[str, Callable[[], object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    verify = passwords.verify_password
    monkeypatch.setattr(passwords, "verify_password", lambda hashed, typed: hashed and verify(hashed, typed))
    del sign_ins["disabled account"]
    with pytest.raises(AssertionError, match="unknown account"):
        assert_alike(measure(sign_ins, 40), tolerance=0.1)


def test_unknown_client_and_wrong_secret_take_the_same_time(deployment: Deployment) -> None:
    app = deployment.add_app()

    def refused(client_id: str) -> Callable[[], object]:
        def send() -> object:
            fields = {"grant_type": "client_credentials", "client_id": client_id}
            answer = post("/oauth2/token", fields | {"client_secret": "ocs_" + "0" * 36})
            assert answer.status == 401
            return answer

        send()
        return send

    kinds = {"wrong secret": refused(app.client_id), "unknown client": refused("0123456789abcdef")}
    assert_alike(measure(kinds, CLIENT_ROUNDS), tolerance=0.25)


def test_codes_that_are_unknown_and_somebody_elses_take_the_same_time(deployment: Deployment) -> None:
    """What is unknown has no row that would have to be read: that is the tolerance."""
    deployment.add_account()
    app, thief = deployment.add_app(), deployment.add_app(name="Thief")
    code = deployment.code(app)
    kinds = {
        "somebody else's": lambda: thief.exchange(code),
        "a guess": lambda: thief.exchange(code[:12] + "0" * 28),
        "unknown": lambda: thief.exchange(code[:4] + "0" * 36),
    }
    assert_alike(measure(kinds, CODE_ROUNDS), tolerance=0.4)


def test_the_statistic_is_right_about_what_is_known() -> None:
    """No difference is rarely surprising, a small one among much noise is with enough rounds."""
    generator = random.Random(6819)  # noqa: S311
    noise = [[generator.expovariate(1) for _ in range(100)] for _ in range(2000)]
    found = [surprise(one, other) for one, other in zip(noise[::2], noise[1::2], strict=True)]
    assert max(map(abs, found)) < SURPRISING
    assert abs(median(found)) < 0.2
    assert 0.9 < (sum(value**2 for value in found) / len(found)) ** 0.5 < 1.1
    assert surprise([value + 1.5 for value in noise[0]], noise[1]) > SURPRISING
    assert surprise([1.0] * 40, [1.0] * 40) == 0
