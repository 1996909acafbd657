"""The device authorization grant (RFC 8628), from the device's side: it asks, waits, and is told once."""

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib import clock
from chalicelib.accounts import accounts
from chalicelib.models.grant import Grant
from chalicelib.models.session import UserCode
from chalicelib.oauth import revocation, user_codes
from tests.conftest import Time
from tests.endpoints.test_authorization_code import mutated
from tests.expect import assert_error
from tests.faults import answer_gets_lost, meanwhile
from tests.harness import (
    DEVICE_CODE,
    EMAIL,
    HOST,
    Answer,
    App,
    Browser,
    Deployment,
    authorize,
    basic,
    is_alive,
    post,
)

ENDPOINT = "/oauth2/device_authorization"
TOO_LATE = 60 + clock.SKEW
"""Seconds after which no clock lets a device repeat its last poll."""


@pytest.fixture
def television(deployment: Deployment) -> App:
    deployment.add_account()
    return deployment.add_app(
        name="Television", public=True, grant_types=(DEVICE_CODE, "refresh_token"), redirect_uris=()
    )


@pytest.fixture
def browser(deployment: Deployment, television: App) -> Browser:
    return deployment.signed_in_browser()


@pytest.fixture
def started(television: App) -> Any:
    return television.start_device().json


@pytest.fixture
def allowed(deployment: Deployment, browser: Browser, started: Any) -> Any:
    deployment.decide(started["user_code"], browser)
    return started


def test_a_device_is_told_two_codes_and_where_to_go(started: Any) -> None:
    assert set(started) == {
        "device_code",
        "user_code",
        "verification_uri",
        "verification_uri_complete",
        "expires_in",
        "interval",
    }
    assert started["device_code"].startswith("odc_")
    assert len(started["device_code"]) == 40
    left, _, right = started["user_code"].partition("-")
    assert len(left) == len(right) == 4
    assert set(left + right) <= set("BCDFGHJKLMNPQRSTVWXZ")
    assert started["verification_uri"] == f"https://{HOST}/device"
    assert started["verification_uri_complete"] == f"https://{HOST}/device?user_code={started['user_code']}"
    assert (started["expires_in"], started["interval"]) == (600, 5)


def test_nobody_keeps_the_answer(television: App) -> None:
    assert television.start_device().headers["cache-control"] == "no-store"


def test_each_device_is_told_other_codes(television: App) -> None:
    answers = [television.start_device().json for _ in range(20)]
    for name in ("device_code", "user_code"):
        assert len({answer[name] for answer in answers}) == 20


def test_it_waits_until_somebody_decides_and_then_gets_tokens(
    deployment: Deployment, browser: Browser, television: App, started: Any, time: Time
) -> None:
    assert_error(television.poll(started["device_code"]), "authorization_pending")
    deployment.decide(started["user_code"], browser)
    time.passes(5)
    tokens = television.poll(started["device_code"]).json
    assert set(tokens) == {"access_token", "token_type", "expires_in", "scope", "refresh_token"}
    assert (tokens["token_type"], tokens["scope"], tokens["expires_in"]) == ("Bearer", "read", 2592000)
    account = accounts.find_by_email(EMAIL)
    assert account
    assert authorize(tokens["access_token"])["context"]["user_id"] == account.user_id


def test_its_refresh_token_works_like_any_other(television: App, allowed: Any) -> None:
    first = television.poll(allowed["device_code"]).json
    second = television.refresh(first["refresh_token"]).json
    assert is_alive(second["access_token"])
    assert television.refresh(second["refresh_token"]).status == 200


def test_without_that_grant_type_it_gets_no_refresh_token(
    deployment: Deployment, browser: Browser, time: Time
) -> None:
    app = deployment.add_app(public=True, grant_types=(DEVICE_CODE,), redirect_uris=())
    started = app.start_device().json
    deployment.decide(started["user_code"], browser)
    tokens = app.poll(started["device_code"]).json
    assert set(tokens) == {"access_token", "token_type", "expires_in", "scope"}
    assert app.poll(started["device_code"]).json == tokens


@pytest.mark.parametrize("how", ["body", "header"])
def test_a_device_with_a_secret_has_to_prove_it(deployment: Deployment, how: str) -> None:
    app = deployment.add_app(grant_types=(DEVICE_CODE,), redirect_uris=())
    assert_error(app.start_device(client_secret=None), "invalid_client", 401)
    assert_error(app.start_device(client_secret="wrong"), "invalid_client", 401)
    if how == "body":
        assert app.start_device().status == 200
    else:
        assert post(ENDPOINT, {}, basic(app.client_id, app.client_secret or "")).status == 200


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"client_id": None}, "invalid_request"),
        ({"scope": "unknown"}, "invalid_scope"),
        ({"scope": "read  write"}, "invalid_scope"),
        ({"scope": "\x00"}, "invalid_request"),
    ],
    ids=str,
)
def test_a_request_that_does_not_work_stores_nothing(
    deployment: Deployment, television: App, parameters: dict[str, str | None], error: str
) -> None:
    before = deployment.snapshot()
    assert_error(television.start_device(**parameters), error)
    assert deployment.snapshot() == before


def test_empty_and_unknown_parameters_do_not_count(television: App) -> None:
    assert television.start_device(scope="", client_secret="", unheard_of="é\x00" * 2000).status == 200


def test_a_repeated_parameter_is_refused(television: App) -> None:
    pairs = [("client_id", television.client_id), ("scope", "read"), ("scope", "read")]
    assert_error(post(ENDPOINT, pairs), "invalid_request")


def test_more_than_the_application_is_registered_for_is_refused(deployment: Deployment) -> None:
    app = deployment.add_app(public=True, grant_types=(DEVICE_CODE,), redirect_uris=(), scope="read")
    assert_error(app.start_device(scope="read write"), "invalid_scope")


def test_an_application_of_another_kind_cannot_start_a_device(deployment: Deployment) -> None:
    app = deployment.add_app()
    assert_error(app.start_device(), "unauthorized_client")
    assert_error(app.poll("odc_" + "A" * 36), "unauthorized_client")


def test_a_code_lives_for_ten_minutes(
    deployment: Deployment, browser: Browser, television: App, time: Time
) -> None:
    young, old = television.start_device().json, television.start_device().json
    time.passes(599)
    assert_error(television.poll(young["device_code"]), "authorization_pending")
    deployment.decide(young["user_code"], browser)
    assert television.poll(young["device_code"]).status == 200
    time.passes(1)
    assert_error(television.poll(old["device_code"]), "expired_token")


def test_a_code_that_was_allowed_in_time_but_not_fetched_is_over_as_well(
    television: App, time: Time, allowed: Any
) -> None:
    time.passes(600)
    assert_error(television.poll(allowed["device_code"]), "expired_token")


def test_the_lifetime_can_be_set(
    television: App, time: Time, change_setting: Callable[[str, object], None]
) -> None:
    change_setting("device_code_lifetime", 60)
    started = television.start_device().json
    assert started["expires_in"] == 60
    time.passes(60)
    assert_error(television.poll(started["device_code"]), "expired_token")


def test_a_denial_is_told(deployment: Deployment, browser: Browser, television: App, started: Any) -> None:
    deployment.decide(started["user_code"], browser, decision="deny")
    for _ in range(2):
        assert_error(television.poll(started["device_code"]), "access_denied")


def test_polling_at_the_interval_goes_on(television: App, time: Time, started: Any) -> None:
    for _ in range(5):
        assert_error(television.poll(started["device_code"]), "authorization_pending")
        time.passes(5)


def test_the_network_may_bring_two_polls_closer_together(television: App, time: Time, started: Any) -> None:
    television.poll(started["device_code"])
    time.passes(4)
    assert_error(television.poll(started["device_code"]), "authorization_pending")


def test_polling_too_fast_makes_the_interval_longer_each_time(
    television: App, time: Time, started: Any
) -> None:
    television.poll(started["device_code"])
    for wait in (3, 8, 13):
        time.passes(wait)
        assert_error(television.poll(started["device_code"]), "slow_down")
    time.passes(18)
    assert_error(television.poll(started["device_code"]), "slow_down")
    time.passes(25)
    assert_error(television.poll(started["device_code"]), "authorization_pending")


def test_who_polls_too_fast_gets_the_tokens_all_the_same(
    deployment: Deployment, browser: Browser, television: App, started: Any, time: Time
) -> None:
    television.poll(started["device_code"])
    deployment.decide(started["user_code"], browser)
    assert television.poll(started["device_code"]).status == 200


def test_two_polls_at_once_are_one_too_many(television: App, time: Time, started: Any) -> None:
    faster: list[Answer] = []
    with meanwhile("PutItem", lambda: faster.append(television.poll(started["device_code"]))):
        slower = television.poll(started["device_code"])
    assert_error(faster[0], "authorization_pending")
    assert_error(slower, "slow_down")


def test_a_poll_while_somebody_allows_changes_nothing_about_it(
    deployment: Deployment, browser: Browser, television: App, started: Any
) -> None:
    with meanwhile("TransactWriteItems", lambda: television.poll(started["device_code"])):
        assert deployment.decide(started["user_code"], browser).status == 303
    assert television.poll(started["device_code"]).status == 200


def test_somebody_who_allows_while_the_device_polls_is_noticed(
    deployment: Deployment, browser: Browser, television: App, started: Any
) -> None:
    with meanwhile("PutItem", lambda: deployment.decide(started["user_code"], browser)):
        assert television.poll(started["device_code"]).status == 200


def test_two_polls_at_once_get_one_set_of_tokens(television: App, time: Time, allowed: Any) -> None:
    faster: list[Answer] = []
    with meanwhile("PutItem", lambda: faster.append(television.poll(allowed["device_code"]))):
        slower = television.poll(allowed["device_code"])
    assert (faster[0].status, slower.status) == (200, 200)
    assert slower.json == faster[0].json
    (grant,) = (grant for grant in Grant.scan() if grant.device_code)
    assert len(grant.access_tokens) == 1


def test_a_device_that_never_saw_the_answer_is_told_the_same(
    television: App, time: Time, allowed: Any
) -> None:
    lost = television.poll(allowed["device_code"]).json
    time.passes(TOO_LATE - 1)
    again = television.poll(allowed["device_code"]).json
    assert again == lost | {"expires_in": lost["expires_in"] - TOO_LATE + 1}
    assert television.refresh(again["refresh_token"]).status == 200


def test_a_write_whose_answer_got_lost_counts_once(television: App, allowed: Any) -> None:
    with answer_gets_lost("PutItem") as lost:
        answer = television.poll(allowed["device_code"])
    assert lost == ["PutItem"]
    assert is_alive(answer.json["access_token"])


def test_a_start_whose_answer_got_lost_counts_once(deployment: Deployment, television: App) -> None:
    with answer_gets_lost("TransactWriteItems") as lost:
        answer = television.start_device()
    assert lost == ["TransactWriteItems"]
    assert_error(television.poll(answer.json["device_code"]), "authorization_pending")
    assert len(deployment.snapshot()["grants"]) == 1


def test_a_code_used_again_too_late_revokes_what_it_yielded(
    television: App, time: Time, allowed: Any
) -> None:
    tokens = television.poll(allowed["device_code"]).json
    time.passes(TOO_LATE)
    assert_error(television.poll(allowed["device_code"]), "invalid_grant")
    assert not is_alive(tokens["access_token"])
    assert_error(television.refresh(tokens["refresh_token"]), "invalid_grant")


def test_a_code_used_again_after_the_refresh_token_was_used_revokes_the_grant(
    television: App, time: Time, allowed: Any
) -> None:
    tokens = television.poll(allowed["device_code"]).json
    current = television.refresh(tokens["refresh_token"]).json
    assert_error(television.poll(allowed["device_code"]), "invalid_grant")
    assert not is_alive(current["access_token"])


def test_without_a_retry_window_a_code_works_once_and_no_more(
    television: App, allowed: Any, change_setting: Callable[[str, object], None]
) -> None:
    change_setting("refresh_retry_window", 0)
    tokens = television.poll(allowed["device_code"]).json
    assert_error(television.poll(allowed["device_code"]), "invalid_grant")
    assert not is_alive(tokens["access_token"])


def test_a_token_that_the_device_gave_back_is_not_told_again(television: App, allowed: Any) -> None:
    tokens = television.poll(allowed["device_code"]).json
    television.post("/oauth2/revoke", token=tokens["access_token"])
    assert_error(television.poll(allowed["device_code"]), "invalid_grant")
    assert television.refresh(tokens["refresh_token"]).status == 200


def test_a_poll_without_a_code_is_refused(television: App) -> None:
    assert_error(television.token(grant_type=DEVICE_CODE), "invalid_request")
    assert_error(television.poll(""), "invalid_request")


def test_a_poll_without_the_secret_is_refused(deployment: Deployment, browser: Browser) -> None:
    app = deployment.add_app(grant_types=(DEVICE_CODE,), redirect_uris=())
    started = app.start_device().json
    deployment.decide(started["user_code"], browser)
    for secret in (None, "wrong"):
        assert_error(app.poll(started["device_code"], client_secret=secret), "invalid_client", 401)
    assert app.poll(started["device_code"]).status == 200


def test_another_application_consumes_and_revokes_nothing(
    deployment: Deployment, television: App, allowed: Any, time: Time
) -> None:
    thief = deployment.add_app(public=True, grant_types=(DEVICE_CODE,), redirect_uris=())
    assert_error(thief.poll(allowed["device_code"]), "invalid_grant")
    tokens = television.poll(allowed["device_code"]).json
    time.passes(TOO_LATE)
    assert_error(thief.poll(allowed["device_code"]), "invalid_grant")
    assert is_alive(tokens["access_token"])


@pytest.mark.parametrize("position", [-1, 12, 20])
def test_a_guess_at_a_code_consumes_and_revokes_nothing(
    television: App, allowed: Any, time: Time, position: int
) -> None:
    guess = mutated(allowed["device_code"], position)
    assert_error(television.poll(guess), "invalid_grant")
    tokens = television.poll(allowed["device_code"]).json
    time.passes(TOO_LATE)
    assert_error(television.poll(guess), "invalid_grant")
    assert is_alive(tokens["access_token"])


@pytest.mark.parametrize(
    "code", ["x", "odc_", "odc_" + "A" * 36, "oac_" + "A" * 36, "odc_" + "é" * 36, "BCDF-GHJK"]
)
def test_what_was_never_a_device_code(television: App, code: str) -> None:
    assert_error(television.poll(code), "invalid_grant")


def test_a_device_code_is_no_other_credential_and_the_reverse(
    deployment: Deployment, browser: Browser, allowed: Any
) -> None:
    app = deployment.add_app(may_introspect=True, grant_types=("authorization_code", DEVICE_CODE))
    code = deployment.code(app, browser)
    device_code = app.start_device().json["device_code"]
    assert_error(app.poll("odc_" + code[4:]), "invalid_grant")
    assert_error(app.exchange("oac_" + device_code[4:]), "invalid_grant")
    assert not is_alive("oat_" + device_code[4:])
    assert app.post("/oauth2/introspect", token=device_code).json == {"active": False}
    assert app.post("/oauth2/revoke", token=device_code).json == {}
    assert_error(app.poll(device_code), "authorization_pending")


@pytest.mark.parametrize("how", ["disconnected", "disabled", "new password"])
def test_what_was_taken_back_before_the_device_came_yields_nothing(
    television: App, allowed: Any, how: str
) -> None:
    account = accounts.find_by_email(EMAIL)
    assert account
    if how == "disconnected":
        assert list(revocation.revoke_grants_of_user(account.user_id, how, television.client_id))
    elif how == "disabled":
        accounts.disable(account)
    else:
        accounts.set_password(account, "another password")
    assert_error(television.poll(allowed["device_code"]), "access_denied")


def test_a_device_that_was_revoked_stays_revoked_as_it_was(
    deployment: Deployment, television: App, allowed: Any, time: Time
) -> None:
    tokens = television.poll(allowed["device_code"]).json
    television.post("/oauth2/revoke", token=tokens["refresh_token"])
    before = deployment.snapshot()
    for _ in range(2):
        assert_error(television.poll(allowed["device_code"]), "invalid_grant")
        time.passes(TOO_LATE)
    assert deployment.snapshot() == before
    assert not is_alive(tokens["access_token"])


def test_revoking_all_of_an_application_ends_its_devices(
    deployment: Deployment, television: App, allowed: Any
) -> None:
    tokens = television.poll(allowed["device_code"]).json
    assert len(list(revocation.revoke_grants_of_client(deployment.client(television), "test"))) == 1
    assert not is_alive(tokens["access_token"])


def test_a_device_that_waits_is_nothing_that_was_granted(
    deployment: Deployment, television: App, started: Any
) -> None:
    assert not list(revocation.revoke_grants_of_client(deployment.client(television), "test"))


def test_a_user_code_that_is_taken_is_drawn_anew(
    deployment: Deployment, browser: Browser, television: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = iter(["BBBBBBBB", "BBBBBBBB", "CCCCCCCC"])
    monkeypatch.setattr(user_codes, "new", lambda: next(drawn))
    first, second = television.start_device().json, television.start_device().json
    assert (first["user_code"], second["user_code"]) == ("BBBB-BBBB", "CCCC-CCCC")
    deployment.decide(first["user_code"], browser)
    assert television.poll(first["device_code"]).status == 200
    assert_error(television.poll(second["device_code"]), "authorization_pending")
    assert len([grant for grant in Grant.scan() if grant.device_code]) == 2


def test_a_user_code_that_is_taken_again_and_again_is_no_code(
    deployment: Deployment, television: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_codes, "new", lambda: "BBBBBBBB")
    television.start_device()
    before = deployment.snapshot()
    assert_error(television.start_device(), "temporarily_unavailable", 503)
    assert deployment.snapshot() == before


def test_neither_code_is_stored_in_the_clear(
    deployment: Deployment, browser: Browser, television: App, started: Any
) -> None:
    deployment.decide(started["user_code"], browser)
    tokens = television.poll(started["device_code"]).json
    stored = str(deployment.snapshot())
    for secret in (started["device_code"][12:], tokens["access_token"][12:], tokens["refresh_token"][12:]):
        assert secret not in stored
    assert started["user_code"] not in stored
    assert started["user_code"].replace("-", "") not in stored


def test_all_that_is_stored_expires(television: App, time: Time, started: Any) -> None:
    (pointer,) = UserCode.scan()
    grant = Grant.find(pointer.grant_id)
    assert grant
    assert pointer.expires_at == grant.expires_at == time.now + 600
