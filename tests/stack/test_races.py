"""What holds however requests interleave.

Each race has 16 threads and `RACE_ROUNDS` rounds, 200 by default; theft and disabling a fifth of that.
`make test ARGS=tests/stack RACE_ROUNDS=500` takes nine minutes.

Every test of a race judges the same report: the race is run once.
"""

import pytest

from tests.stack.conftest import FEWER_ROUNDS, ROUNDS, Report, RunRace

THREADS = 16


@pytest.fixture(scope="module")
def redemption(run_race: RunRace) -> Report:
    """One code, presented by everybody at once."""
    return run_race("redemption", ROUNDS)


def test_a_code_is_redeemed_once(redemption: Report) -> None:
    assert redemption.answers == {"200": ROUNDS, "400 invalid_grant": (THREADS - 1) * ROUNDS}
    assert redemption.always("redemptions") == 1


def test_a_code_presented_again_revokes_what_it_yielded(redemption: Report) -> None:
    assert redemption.always("access tokens alive") == 0
    assert redemption.always("refresh tokens alive") == 0


@pytest.fixture(scope="module")
def refresh(run_race: RunRace) -> Report:
    """One refresh token, used by all threads of an honest application at once."""
    return run_race("refresh", ROUNDS)


def test_refreshing_at_once_never_costs_an_honest_client_its_grant(refresh: Report) -> None:
    assert refresh.answers == {"200": THREADS * ROUNDS}
    assert refresh.always("access tokens alive") == 1
    assert refresh.always("further refresh") == ["200"]


def test_refreshing_at_once_leaves_one_chain(refresh: Report) -> None:
    assert refresh.always("refresh tokens") == 1
    assert refresh.always("access tokens") == 1


def test_a_refresh_token_that_comes_late_revokes_the_grant(refresh: Report) -> None:
    assert refresh.always("late replay") == "400 invalid_grant"
    assert refresh.always("access tokens alive after it") == 0
    assert refresh.always("refresh tokens alive after it") == 0


@pytest.fixture(scope="module")
def device(run_race: RunRace) -> Report:
    """One device code that was allowed, polled with by all threads of a device at once."""
    return run_race("device", ROUNDS)


def test_a_device_code_yields_one_set_of_tokens(device: Report) -> None:
    assert device.answers == {"200": THREADS * ROUNDS}
    assert device.always("access tokens") == 1
    assert device.always("refresh tokens") == 1
    assert device.always("access tokens alive") == 1
    assert device.always("further refresh") == ["200"]


def test_a_device_code_that_comes_late_revokes_the_grant(device: Report) -> None:
    assert device.always("late replay") == "400 invalid_grant"
    assert device.always("access tokens alive after it") == 0
    assert device.always("refresh tokens alive after it") == 0


@pytest.fixture(scope="module")
def theft(run_race: RunRace) -> Report:
    """The current refresh token and one from long before, used at once."""
    return run_race("theft", FEWER_ROUNDS)


def test_a_stolen_refresh_token_yields_nothing(theft: Report) -> None:
    assert set(theft.answers) <= {"200", "400 invalid_grant"}
    assert theft.always("thefts that paid") == 0


def test_a_stolen_refresh_token_ends_the_grant_even_while_it_is_refreshed(theft: Report) -> None:
    assert theft.always("access tokens alive") == 0
    assert theft.always("refresh tokens alive") == 0


def test_refreshing_during_a_theft_leaves_one_chain(theft: Report) -> None:
    assert theft.always("more than one chain") is False


@pytest.fixture(scope="module")
def disabling(run_race: RunRace) -> Report:
    """An account is disabled while authorizations in its name go on."""
    return run_race("disabling", FEWER_ROUNDS)


def test_no_access_token_survives_the_disabling_of_its_account(disabling: Report) -> None:
    assert disabling.answers["200"] >= FEWER_ROUNDS, "too few tokens were issued to prove anything"
    assert disabling.always("access tokens alive") == 0


def test_a_disabled_account_authorizes_nothing_any_more(disabling: Report) -> None:
    assert set(disabling.answers) <= {"200", "400 invalid_grant"}
    assert disabling.always("authorizations afterwards") == 0


@pytest.fixture(scope="module")
def assertion(run_race: RunRace) -> Report:
    """One assertion of `private_key_jwt`, presented by everybody at once."""
    return run_race("assertion", ROUNDS)


def test_a_client_assertion_counts_once(assertion: Report) -> None:
    assert assertion.answers == {"200": ROUNDS, "401 invalid_client": (THREADS - 1) * ROUNDS}
    assert assertion.always("authentications") == 1
