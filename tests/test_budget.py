"""How many requests to DynamoDB each operation takes, on a warm function (docs/architecture.md)."""

import pytest

from chalicelib.authorizer.decision import Unauthorized
from tests.conftest import Time
from tests.harness import DEVICE_CODE, App, Browser, Deployment, authorize, count_requests

GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials", DEVICE_CODE)


@pytest.fixture
def app(deployment: Deployment) -> App:
    deployment.add_account()
    app = deployment.add_app(grant_types=GRANT_TYPES)
    app.token(grant_type="client_credentials")  # Warms the function: it knows the client now.
    return app


def test_a_valid_token_takes_one_request(app: App) -> None:
    token = app.token(grant_type="client_credentials").json["access_token"]
    with count_requests() as requests:
        authorize(token)
    assert requests == {"GetItem": 1}


def test_an_expired_token_takes_one_request(app: App, time: Time) -> None:
    token = app.token(grant_type="client_credentials").json["access_token"]
    time.passes(2592000)
    with count_requests() as requests, pytest.raises(Unauthorized):
        authorize(token)
    assert requests == {"GetItem": 1}


def test_a_revoked_token_takes_one_request(app: App) -> None:
    token = app.token(grant_type="client_credentials").json["access_token"]
    app.post("/oauth2/revoke", token=token)
    with count_requests() as requests, pytest.raises(Unauthorized):
        authorize(token)
    assert requests == {"GetItem": 1}


@pytest.mark.parametrize(
    "garbage", ["", "x", "oat_", "oat_" + "A" * 35, "oat_" + "A" * 37, "oac_" + "A" * 36, "oat_" + "é" * 36]
)
def test_garbage_takes_none(deployment: Deployment, garbage: str) -> None:
    with count_requests() as requests, pytest.raises(Unauthorized):
        authorize(garbage)
    assert requests.total() == 0


def test_redeeming_a_code_takes_two(deployment: Deployment, app: App) -> None:
    code = deployment.code(app)
    with count_requests() as requests:
        assert app.exchange(code).status == 200
    assert requests == {"GetItem": 1, "PutItem": 1}


def test_refreshing_takes_two_and_a_retry_one(deployment: Deployment, app: App) -> None:
    refresh_token = deployment.tokens(app)["refresh_token"]
    with count_requests() as requests:
        assert app.refresh(refresh_token).status == 200
    assert requests == {"GetItem": 1, "PutItem": 1}
    with count_requests() as requests:
        assert app.refresh(refresh_token).status == 200
    assert requests == {"GetItem": 1}


def test_revoking_takes_two_by_whichever_token(deployment: Deployment, app: App) -> None:
    tokens = deployment.tokens(app)
    with count_requests() as requests:
        assert app.post("/oauth2/revoke", token=tokens["access_token"]).status == 200
    assert requests == {"GetItem": 1, "PutItem": 1}
    with count_requests() as requests:
        assert app.post("/oauth2/revoke", token=tokens["refresh_token"]).status == 200
    assert requests == {"GetItem": 1, "PutItem": 1}


def test_starting_a_device_takes_one(app: App) -> None:
    with count_requests() as requests:
        assert app.start_device().status == 200
    assert requests == {"TransactWriteItems": 1}


def test_a_poll_takes_two_whatever_comes_of_it(deployment: Deployment, app: App, time: Time) -> None:
    started = app.start_device().json
    for expected in ("authorization_pending", "slow_down"):
        with count_requests() as requests:
            assert app.poll(started["device_code"]).json["error"] == expected
        assert requests == {"GetItem": 1, "PutItem": 1}
    deployment.decide(started["user_code"])
    with count_requests() as requests:
        assert app.poll(started["device_code"]).status == 200
    assert requests == {"GetItem": 1, "PutItem": 1}


def test_a_poll_that_is_told_something_again_takes_one(deployment: Deployment, app: App, time: Time) -> None:
    allowed, denied, forgotten = (app.start_device().json for _ in range(3))
    browser = deployment.signed_in_browser()
    deployment.decide(allowed["user_code"], browser)
    deployment.decide(denied["user_code"], browser, decision="deny")
    app.poll(allowed["device_code"])
    with count_requests() as requests:
        assert app.poll(allowed["device_code"]).status == 200
        assert app.poll(denied["device_code"]).json["error"] == "access_denied"
    assert requests == {"GetItem": 2}
    time.passes(600)
    app.token(grant_type="client_credentials")  # Warms the function again.
    with count_requests() as requests:
        assert app.poll(forgotten["device_code"]).json["error"] == "expired_token"
    assert requests == {"GetItem": 1}


def test_client_credentials_take_one(app: App) -> None:
    with count_requests() as requests:
        assert app.token(grant_type="client_credentials").status == 200
    assert requests == {"PutItem": 1}


def test_a_cold_function_reads_the_client_as_well(deployment: Deployment) -> None:
    app = deployment.add_app(grant_types=GRANT_TYPES)
    with count_requests() as requests:
        assert app.token(grant_type="client_credentials").status == 200
    assert requests == {"GetItem": 1, "PutItem": 1}


def test_the_authorization_page_takes_none_before_sign_in_and_two_after(
    deployment: Deployment, app: App
) -> None:
    with count_requests() as requests:
        assert Browser().get(app.authorization_url()).status == 200
    assert requests.total() == 0
    browser = deployment.signed_in_browser()
    with count_requests() as requests:
        assert browser.get(app.authorization_url()).status == 200
    assert requests == {"UpdateItem": 1, "BatchGetItem": 1}


def test_allowing_takes_four(deployment: Deployment, app: App) -> None:
    browser = deployment.signed_in_browser()
    page = browser.get(app.authorization_url())
    with count_requests() as requests:
        assert browser.submit(page, decision="allow").status == 303
    assert requests == {"UpdateItem": 1, "BatchGetItem": 1, "TransactWriteItems": 1, "PutItem": 1}


def test_an_unknown_client_is_remembered_as_a_known_one_is(deployment: Deployment) -> None:
    unknown = App("unknown", "secret")
    for expected in (1, 0):
        with count_requests() as requests:
            assert unknown.token(grant_type="client_credentials").status == 401
        assert requests.total() == expected
