"""Each event of the catalogue is told by a flow, as CloudWatch and the documentation want it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from chalicelib import clock
from chalicelib.accounts import accounts, identities
from chalicelib.catalogue import ALWAYS, EVENTS, Event, Metric
from chalicelib.models.table import StorageError
from chalicelib.models.user import Account
from chalicelib.oauth import clients, grants, registration
from tests.conftest import Log, Time
from tests.faults import FAULTS, storage_fails
from tests.harness import DEVICE_CODE, EMAIL, PASSWORD, App, Browser, Deployment, authorize, is_alive
from tests.mails import Mailbox
from tests.pages import test_applications as applications
from tests.test_secrets import secrets_by_mail

Change = Callable[[str, object], None]

GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials", DEVICE_CODE)


def test_each_event_is_told_by_some_flow_and_is_as_the_catalogue_has_it(
    deployment: Deployment,
    mailbox: Mailbox,
    time: Time,
    change_setting: Change,
    monkeypatch: pytest.MonkeyPatch,
    log: Log,
) -> None:
    change_setting("client_cache_lifetime", 0)
    change_setting("may_register", "everyone")
    walk_the_protocol(deployment, time)
    walk_what_operators_do(deployment)
    walk_the_applications(deployment)
    walk_the_accounts(deployment, mailbox, change_setting)
    walk_into_a_mistake(deployment, monkeypatch)
    told = log.events()
    names = {line["event"] for line in told}
    assert names - EVENTS.keys() == set()
    assert EVENTS.keys() - names == TOLD_IN_OTHER_TESTS
    for line in told:
        event = EVENTS[line["event"]]
        assert line["level"] == event.level
        assert set(line) <= {*ALWAYS, *event.fields}, line
        assert all(measured(metric, line) for metric in event.metrics), line
    audited = [line["event"] for line in told if EVENTS[line["event"]].audited]
    assert sorted(record["event"] for record in deployment.trail()) == sorted(audited)


TOLD_IN_OTHER_TESTS = {
    "authorizer.rules_refused",  # tests/authorizer/test_gateway.py
    "library",  # tests/test_logs.py
    "dynamodb.throttled",
    "audit.failed",  # tests/test_audit.py
    "accounts.imported",  # tests/management/test_audit.py, as all that only operators do
    "clients.imported",
    "tables.created",
    "stage.exported",
    "stage.imported",
    "account.removed",
    "password.not_upgraded",  # tests/accounts/test_foreign_hashes.py
    "upstream.refused",  # tests/pages/test_upstream.py
    "upstream.failed",
}


def measured(metric: Metric, line: Mapping[str, Any]) -> bool:
    """Tell whether a line has what its metric is made of, as CloudWatch wants it."""
    numbers = [metric.value, metric.least[0] if metric.least else ""]
    return all(isinstance(line[name], int | float) for name in numbers if name) and (
        not metric.of or (isinstance(line[metric.of], str) and line[metric.of] != "")
    )


def documented(event: Event) -> str:
    """Return the event's line of the table in docs/operations.md."""
    metrics = ", ".join(
        metric.name + (f" by {metric.dimension}" if metric.dimension else "") for metric in event.metrics
    )
    fields = ", ".join(f"`{name}`" for name in event.fields)
    cells = (
        f"`{event.name}`",
        event.about,
        event.level.lower(),
        fields,
        metrics,
        "yes" if event.audited else "",
    )
    return f"| {' | '.join(cells)} |"


def test_the_documentation_has_the_catalogue() -> None:
    text = (Path(__file__).parent.parent / "docs" / "operations.md").read_text(encoding="utf-8")
    table = text.partition("| event | what happened |")[2].partition("\n\n")[0].splitlines()[2:]
    assert table == [documented(event) for event in EVENTS.values()]


def walk_the_protocol(deployment: Deployment, time: Time) -> None:
    """Get tokens, and use codes and tokens twice."""
    deployment.add_account()
    app = deployment.add_app(grant_types=GRANT_TYPES, may_introspect=True)
    browser = deployment.signed_in_browser()
    assert browser.submit(browser.get(app.authorization_url()), decision="deny").status == 303
    code = deployment.code(app, browser)
    tokens = app.exchange(code).json
    assert is_alive(tokens["access_token"])
    assert not is_alive("garbage")
    with storage_fails(FAULTS["unavailable"]), pytest.raises(StorageError):
        authorize(tokens["access_token"])
    with storage_fails(FAULTS["unavailable"]):
        assert app.refresh(tokens["refresh_token"]).status == 503
    app.exchange(code)
    reuse(deployment, app, browser, time)
    device = app.start_device().json
    deployment.decide(device["user_code"], browser)
    assert app.poll(device["device_code"]).status == 200
    assert app.poll(device["device_code"]).status == 200
    time.passes(60 + clock.SKEW)
    assert app.poll(device["device_code"]).status == 400
    assert app.token(grant_type="client_credentials", client_secret="wrong").status == 401
    tokens = deployment.tokens(app, browser)
    assert app.post("/oauth2/revoke", token=tokens["access_token"]).status == 200
    assert app.post("/oauth2/revoke", token=tokens["refresh_token"]).status == 200


def reuse(deployment: Deployment, app: App, browser: Browser, time: Time) -> None:
    tokens = deployment.tokens(app, browser)
    app.refresh(tokens["refresh_token"])
    app.refresh(tokens["refresh_token"])
    time.passes(60 + clock.SKEW)
    assert app.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"


def walk_the_accounts(deployment: Deployment, mailbox: Mailbox, change: Change) -> None:
    """Sign up, change and forget passwords, guess, and be kept waiting."""
    secrets_by_mail(mailbox)
    for _ in range(6):
        browser = Browser()
        browser.submit(browser.get("/sign-in"), email="guessed@example.org", password="wrong")
    for _ in range(4):
        browser = Browser()
        browser.submit(browser.get("/forgotten-password"), email="mailed@example.org")
    browser = deployment.signed_in_browser()
    for _ in range(5):
        browser.submit(browser.get("/device"), user_code="BBBB-BBBB")
    app = deployment.add_app()
    deployment.tokens(app, browser)
    assert browser.submit(browser.get("/connections")).status == 303
    account = browser.get("/account")
    assert browser.submit(account, account.forms[-1]).location == "/sign-in"
    forget_the_password_though_storage_fails(mailbox)
    change("mail", "file:/dev/null/mail.txt")
    browser = Browser()
    assert browser.submit(browser.get("/forgotten-password"), email="last@example.org").status == 503


def forget_the_password_though_storage_fails(mailbox: Mailbox) -> None:
    browser = Browser()
    page = browser.get(browser.submit(browser.get("/forgotten-password"), email=EMAIL).location)
    with storage_fails(FAULTS["unavailable"], "Query"):
        browser.submit(page, code=mailbox.code, new_password=PASSWORD)


def walk_what_operators_do(deployment: Deployment) -> None:
    """Change an account in every way."""

    def account() -> Account:
        found = accounts.find_by_email(EMAIL)
        assert found
        return found

    deployment.tokens(deployment.add_app())
    accounts.set_operator(account(), True)
    accounts.set_operator(account(), False)
    accounts.disable(account())
    accounts.enable(account())
    issuer = "https://login.example"
    identities.account_of(issuer, "somebody", lambda: EMAIL)
    identities.unlink(account())


def walk_the_applications(deployment: Deployment) -> None:
    """Register an application and change it in every way."""
    browser = deployment.signed_in_browser()
    app = applications.register(browser)
    applications.rotate(browser, app, "0")
    assert applications.edit(browser, app, client_name="Renamed").status == 303
    for step in (
        lambda client: registration.verify(client, True),
        lambda client: registration.verify(client, False),
        registration.disable,
        registration.enable,
        registration.forget_consents,
    ):
        step(deployment.client(app))
    clients.forget()
    assert browser.submit(applications.page_of(browser, app, "/delete")).status == 303


def walk_into_a_mistake(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(grants, "token_request", crash)
        assert deployment.add_app().token().status == 500
