"""Clocks that differ by two minutes, either way: nothing is lost by that, and nothing lives longer than that.

Each function has a clock of its own. The one that issues runs with the right time, the one that is
asked next with another, and the other way round.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from chalicelib.settings import settings
from tests.conftest import Time
from tests.endpoints.test_client_assertion import Signer, signer
from tests.harness import DEVICE_CODE, PASSWORD, App, Browser, Deployment, is_alive
from tests.mails import Mailbox

__all__ = ["signer"]

SKEW = 120
"""Seconds."""

either_way = pytest.mark.parametrize("skew", [SKEW, -SKEW], ids=["fast", "slow"])


class Clocks:
    """The right time, and functions whose clock is not."""

    def __init__(self, time: Time) -> None:
        self._time = time

    def passes(self, seconds: int) -> None:
        """Let time pass, for all clocks."""
        self._time.passes(seconds)

    @contextmanager
    def off_by(self, seconds: int) -> Iterator[None]:
        """Let the function that is asked in the block have another time."""
        self._time.passes(seconds)
        yield
        self._time.passes(-seconds)


@pytest.fixture
def clocks(time: Time) -> Clocks:
    return Clocks(time)


@pytest.fixture
def app(deployment: Deployment) -> App:
    deployment.add_account()
    return deployment.add_app(
        grant_types=("authorization_code", "refresh_token", "client_credentials", DEVICE_CODE),
        may_introspect=True,
    )


def lasts(clocks: Clocks, skew: int, lifetime: int, is_valid: Callable[[], bool]) -> None:
    """Check that what was issued just now is valid at once, and ends in time, but for the skew.

    Args:
        clocks: all.
        skew: by which the function is off that is asked, in seconds.
        lifetime: of what was issued, in seconds.
        is_valid: asks. It changes nothing.
    """
    with clocks.off_by(skew):
        assert is_valid()
    clocks.passes(lifetime - SKEW - 1)
    with clocks.off_by(skew):
        assert is_valid()
    clocks.passes(1 + SKEW + SKEW)
    with clocks.off_by(skew):
        assert not is_valid()


@either_way
def test_an_access_token(deployment: Deployment, app: App, clocks: Clocks, skew: int) -> None:
    token = deployment.tokens(app)["access_token"]
    lasts(clocks, skew, settings.access_token_lifetime, lambda: is_alive(token))


@either_way
def test_what_introspection_says(deployment: Deployment, app: App, clocks: Clocks, skew: int) -> None:
    token = deployment.tokens(app)["access_token"]
    lasts(
        clocks,
        skew,
        settings.access_token_lifetime,
        lambda: bool(app.post("/oauth2/introspect", token=token).json["active"]),
    )


@either_way
def test_a_code_that_was_issued_just_now(deployment: Deployment, app: App, clocks: Clocks, skew: int) -> None:
    """Applications redeem codes within seconds."""
    code = deployment.code(app)
    with clocks.off_by(skew):
        assert app.exchange(code).status == 200


@either_way
def test_a_code_that_is_over(deployment: Deployment, app: App, clocks: Clocks, skew: int) -> None:
    code = deployment.code(app)
    clocks.passes(settings.authorization_code_lifetime + 2 * SKEW)
    with clocks.off_by(skew):
        assert app.exchange(code).status == 400


@either_way
def test_a_refresh_token(deployment: Deployment, app: App, clocks: Clocks, skew: int) -> None:
    first = deployment.tokens(app)
    with clocks.off_by(skew):
        second = app.refresh(first["refresh_token"]).json
        assert second["expires_in"] == settings.access_token_lifetime
    third = app.refresh(second["refresh_token"]).json
    assert all(is_alive(tokens["access_token"]) for tokens in (first, second, third))
    clocks.passes(settings.refresh_token_idle_lifetime + SKEW)
    with clocks.off_by(skew):
        assert app.refresh(third["refresh_token"]).status == 400


@either_way
def test_a_refresh_that_is_repeated(deployment: Deployment, app: App, clocks: Clocks, skew: int) -> None:
    """The client saw no answer, and asks another function at once."""
    refresh_token = deployment.tokens(app)["refresh_token"]
    first = app.refresh(refresh_token).json
    with clocks.off_by(skew):
        again = app.refresh(refresh_token)
    assert (again.status, again.json.get("access_token")) == (200, first["access_token"])
    assert is_alive(first["access_token"])


@either_way
def test_a_refresh_token_that_is_reused_too_late(
    deployment: Deployment, app: App, clocks: Clocks, skew: int
) -> None:
    first = deployment.tokens(app)
    second = app.refresh(first["refresh_token"]).json
    clocks.passes(settings.refresh_retry_window + 2 * SKEW)
    with clocks.off_by(skew):
        assert app.refresh(first["refresh_token"]).json["error"] == "invalid_grant"
    assert not is_alive(second["access_token"])


@either_way
def test_a_session(deployment: Deployment, app: App, clocks: Clocks, skew: int) -> None:
    browser = deployment.signed_in_browser()
    with clocks.off_by(skew):
        assert browser.get("/account").status == 200
    for _ in range(settings.session_lifetime // 3600):
        clocks.passes(3600)
        with clocks.off_by(skew):
            browser.get("/account")
    clocks.passes(SKEW)
    with clocks.off_by(skew):
        assert browser.get("/account").status == 303


@either_way
def test_an_idle_session(deployment: Deployment, app: App, clocks: Clocks, skew: int) -> None:
    browser = deployment.signed_in_browser()
    with clocks.off_by(skew):
        assert browser.get("/account").status == 200
    clocks.passes(settings.session_idle_lifetime - SKEW - 1)
    assert browser.get("/account").status == 200
    clocks.passes(settings.session_idle_lifetime + SKEW)
    with clocks.off_by(skew):
        assert browser.get("/account").status == 303


@either_way
def test_a_device(deployment: Deployment, app: App, clocks: Clocks, skew: int) -> None:
    browser = deployment.signed_in_browser()
    device = app.start_device().json
    with clocks.off_by(skew):
        assert app.poll(device["device_code"]).json["error"] == "authorization_pending"
    clocks.passes(5)
    assert app.poll(device["device_code"]).json["error"] == "authorization_pending"
    with clocks.off_by(skew):
        deployment.decide(device["user_code"], browser)
    tokens = app.poll(device["device_code"]).json
    with clocks.off_by(skew):
        assert app.poll(device["device_code"]).json["access_token"] == tokens["access_token"]


@either_way
def test_a_device_that_nobody_allowed(deployment: Deployment, app: App, clocks: Clocks, skew: int) -> None:
    device = app.start_device().json
    clocks.passes(settings.device_code_lifetime + SKEW)
    with clocks.off_by(skew):
        assert app.poll(device["device_code"]).json["error"] == "expired_token"


@either_way
def test_an_assertion_of_a_client_whose_clock_is_right(signer: Signer, clocks: Clocks, skew: int) -> None:
    assertion = signer.assertion(iat=signer.now, nbf=signer.now, exp=signer.now + 300)
    with clocks.off_by(skew):
        assert signer.send(assertion).status == 200
    assert signer.send(assertion).status == 401, "it counts once"


@either_way
def test_an_assertion_counts_once_for_as_long_as_any_clock_takes_it(
    deployment: Deployment, signer: Signer, clocks: Clocks, skew: int
) -> None:
    assertion = signer.assertion(exp=signer.now + 300)
    assert signer.send(assertion).status == 200
    (spent,) = [row for row in deployment.snapshot()["sessions"] if row["key"]["S"].startswith("assertion#")]
    clocks.passes(int(spent["expires_at"]["N"]) - signer.now)  # DynamoDB may delete it from now on.
    fresh = signer.assertion(exp=signer.now + 300)
    with clocks.off_by(skew):
        assert signer.send(fresh).status == 401


@either_way
def test_a_mailed_code(deployment: Deployment, mailbox: Mailbox, clocks: Clocks, skew: int) -> None:
    def ask(email: str) -> tuple[Browser, Any]:
        browser = Browser()
        return browser, browser.get(browser.submit(browser.get("/sign-up"), email=email).location)

    browser, page = ask("first@example.org")
    with clocks.off_by(skew):
        assert browser.submit(page, code=mailbox.code, new_password=PASSWORD).status == 303
    browser, page = ask("second@example.org")
    clocks.passes(900 + SKEW)
    with clocks.off_by(skew):
        assert browser.submit(page, code=mailbox.code, new_password=PASSWORD).status == 422


@either_way
def test_what_a_client_is_remembered_as(app: App, clocks: Clocks, skew: int) -> None:
    """A function's own clock may be set, too."""
    assert app.token(grant_type="client_credentials").status == 200
    with clocks.off_by(skew):
        assert app.token(grant_type="client_credentials").status == 200
    assert app.token(grant_type="client_credentials").status == 200
