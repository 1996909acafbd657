"""The audit trail: who did what, never at the price of a request, and never without limit."""

import pytest

from chalicelib.models.audit import AuditRecord
from chalicelib.settings import settings
from tests.conftest import Log, Time
from tests.faults import FAULTS, storage_fails
from tests.harness import EMAIL, App, Browser, Deployment, count_requests
from tests.pages import test_applications as applications


@pytest.fixture
def app(deployment: Deployment) -> App:
    deployment.add_account()
    return deployment.add_app(grant_types=("authorization_code", "refresh_token"))


def audited(deployment: Deployment, name: str) -> list[dict[str, object]]:
    return [record for record in deployment.trail() if record["event"] == name]


def test_a_consent_is_recorded_with_who_gave_it_to_whom(deployment: Deployment, app: App) -> None:
    tokens = deployment.tokens(app)
    (given,) = audited(deployment, "consent.given")
    assert given["client_id"] == app.client_id
    assert given["actor"] == given["user_id"]
    assert given["grant_id"] == tokens["access_token"][4:12]
    assert (given["source_ip"], given["request_id"]) == ("192.0.2.1", "test")
    assert (given["scope"], given["by"]) == ("read", "page")


def test_what_an_operator_does_on_the_pages_has_the_operators_name(deployment: Deployment) -> None:
    account = deployment.add_account()
    account.is_operator = True
    account.write()
    browser = deployment.signed_in_browser()
    app = applications.register(browser)
    applications.rotate(browser, app, "3600")
    (rotated,) = audited(deployment, "client.secret_rotated")
    assert (rotated["actor"], rotated["client_id"]) == (account.user_id, app.client_id)
    assert rotated["overlap"] == 3600


def test_a_replay_is_recorded_with_one_request(deployment: Deployment, app: App) -> None:
    code = deployment.code(app)
    app.exchange(code)
    with count_requests() as requests:
        assert app.exchange(code).status == 400
    assert requests == {"GetItem": 1, "PutItem": 2}
    (replayed,) = audited(deployment, "code.replayed")
    assert replayed["client_id"] == app.client_id


def test_who_goes_on_replaying_fills_no_table(deployment: Deployment, app: App) -> None:
    code = deployment.code(app)
    for _ in range(5):
        app.exchange(code)
    assert len(audited(deployment, "code.replayed")) == 1


def test_who_goes_on_guessing_fills_no_table(deployment: Deployment, time: Time, log: Log) -> None:
    account = deployment.add_account()
    for _ in range(12):
        browser = Browser()
        browser.submit(browser.get("/sign-in"), email=EMAIL, password="wrong")
        time.passes(30)
    (throttled,) = audited(deployment, "sign_in.throttled")
    assert (throttled["limit"], throttled["user_id"]) == ("account", account.user_id)
    assert len(log.events("attempt.refused")) == 1
    assert len(log.events("sign_in.failed")) == 11
    assert log.event("sign_in.throttled")["audited"] is True


def test_tokens_and_failed_sign_ins_are_in_the_log_alone(deployment: Deployment, app: App) -> None:
    tokens = deployment.tokens(app)
    app.refresh(tokens["refresh_token"])
    browser = Browser()
    browser.submit(browser.get("/sign-in"), email=EMAIL, password="wrong")
    names = {record["event"] for record in deployment.trail()}
    assert names == {"account.added", "client.registered", "consent.given"}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_trail_that_fails_fails_nobody_and_the_log_has_all_of_it(
    deployment: Deployment, app: App, log: Log, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    code = deployment.code(app)
    app.exchange(code)
    before = len(deployment.trail())
    store = AuditRecord.save

    def save(record: AuditRecord) -> None:
        with storage_fails(FAULTS[fault]):
            store(record)

    monkeypatch.setattr(AuditRecord, "save", save)
    assert app.exchange(code).json["error"] == "invalid_grant"
    assert len(deployment.trail()) == before
    missing = log.event("code.replayed")
    assert (missing["audited"], missing["client_id"]) == (False, app.client_id)
    assert log.event("audit.failed")["missing"] == "code.replayed"


def test_a_record_ends_after_its_retention_and_is_found_by_its_hour(
    deployment: Deployment, time: Time
) -> None:
    time.now = 1_795_545_538
    deployment.add_app()
    (record,) = AuditRecord.query("2026-11-24T18")
    assert record.at.startswith("2026-11-24T18:38:58.000Z#")
    assert record.expires_at == time.now + settings.audit_retention


def test_two_records_of_a_moment_are_two(deployment: Deployment, time: Time) -> None:
    for _ in range(5):
        deployment.add_app()
    assert len(audited(deployment, "client.registered")) == 5
