"""Registering applications, and looking after them: `/applications` and what is below it."""

import re
from collections.abc import Callable
from html import unescape
from urllib.parse import urlsplit

import pytest

from chalicelib import clock
from chalicelib.accounts import accounts, developers
from chalicelib.models import grant
from chalicelib.models.client import Client
from chalicelib.models.grant import Grant
from chalicelib.models.user import UserApplication
from chalicelib.oauth import clients, deletion, registration, usage
from chalicelib.oauth.grants import GRANT_TYPES
from tests.conftest import Time
from tests.faults import meanwhile
from tests.harness import (
    CALLBACK,
    EMAIL,
    PASSWORD,
    Answer,
    App,
    Browser,
    Deployment,
    count_requests,
    is_alive,
)

OTHER = "other@example.org"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
CHALLENGE = {
    "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    "code_challenge_method": "S256",
}


@pytest.fixture
def developer(deployment: Deployment, change_setting: Callable[[str, object], None]) -> Browser:
    """Somebody who may register applications, signed in."""
    change_setting("may_register", "everyone")
    change_setting("client_cache_lifetime", 0)
    deployment.add_account()
    return deployment.signed_in_browser()


@pytest.fixture
def operator(deployment: Deployment, developer: Browser) -> Browser:
    account = deployment.add_account("operator@example.org")
    account.is_operator = True
    account.write()
    return deployment.signed_in_browser("operator@example.org")


def fill_in(browser: Browser, kind: str = "web", **fields: str) -> Answer:
    """Send the form for a new application."""
    page = browser.get(f"/applications/new?type={kind}")
    given = {"client_name": "Mine"} | ({"redirect_uris": CALLBACK} if "redirect_uris" in page.body else {})
    return browser.submit(page, **(given | fields))


def register(browser: Browser, kind: str = "web", **fields: str) -> App:
    """Register an application, and read what its developer is told."""
    answer = fill_in(browser, kind, **fields)
    if answer.status == 303:
        return App(client_id_of(answer.location), None)
    assert answer.status == 200, answer.body
    return App(client_id_of(answer.body), secret_of(answer))


def client_id_of(text: str) -> str:
    found = re.search(r"/applications/([0-9A-Za-z]{16})", text)
    assert found, text
    return found[1]


def secret_of(answer: Answer) -> str:
    (secret,) = re.findall(r"ocs_[0-9A-Za-z]{36}", answer.body)
    return str(secret)


def page_of(browser: Browser, app: App, below: str = "") -> Answer:
    return browser.get(f"/applications/{app.client_id}{below}")


def submit(browser: Browser, page: Answer, action: str, **fields: str) -> Answer:
    """Send the one of several forms that goes to an action."""
    (form,) = [form for form in page.forms if form.action.endswith(action)]
    return browser.submit(page, form, **fields)


def rotate(browser: Browser, app: App, overlap: str) -> App:
    answer = submit(browser, page_of(browser, app), "/secret", overlap=overlap)
    assert answer.status == 200, answer.body
    return App(app.client_id, secret_of(answer))


def edit(browser: Browser, app: App, **fields: str) -> Answer:
    return browser.submit(page_of(browser, app, "/edit"), **fields)


def stored(app: App) -> Client:
    client = clients.read(app.client_id)
    assert client
    return client


def authenticates(app: App) -> bool:
    answer = app.exchange("oac_" + "x" * 36)
    assert answer.status in (400, 401)
    return answer.status == 400


# Registering


def test_an_application_that_was_registered_here_gets_tokens(
    deployment: Deployment, developer: Browser
) -> None:
    app = register(developer)
    tokens = deployment.tokens(app)
    assert is_alive(tokens["access_token"])
    assert "refresh_token" not in tokens


@pytest.mark.parametrize(
    ("kind", "grant_types", "method"),
    [
        ("web", ["authorization_code", "refresh_token"], None),
        ("native", ["authorization_code", "refresh_token"], "none"),
        ("browser", ["authorization_code", "refresh_token"], "none"),
        ("service", ["client_credentials"], None),
    ],
)
def test_each_type_is_registered_for_what_it_is(
    developer: Browser, kind: str, grant_types: list[str], method: str | None
) -> None:
    app = register(developer, kind, refresh="on")
    client = stored(app)
    assert client.application_type == kind
    assert client.grant_types == grant_types
    assert client.token_endpoint_auth_method == method
    assert client.redirect_uris == ([] if kind == "service" else [CALLBACK])
    assert (app.client_secret is None) == (method == "none")
    assert client.verified_at is None


def test_devices_are_offered_where_there_is_a_grant_type_for_them(
    developer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(GRANT_TYPES, DEVICE_CODE, raising=False)
    assert "type=device" not in developer.get("/applications/new").body
    assert developer.get("/applications/new?type=device").status == 400
    monkeypatch.setitem(GRANT_TYPES, DEVICE_CODE, GRANT_TYPES["authorization_code"])
    assert "type=device" in developer.get("/applications/new").body
    client = stored(register(developer, "device"))
    assert (client.grant_types, client.is_public, client.redirect_uris) == ([DEVICE_CODE], True, [])


def test_everything_that_was_filled_in_is_kept(developer: Browser) -> None:
    app = register(
        developer,
        client_name="  Map of trees ",
        description="Shows trees.\r\nAll of them.",
        client_uri="https://trees.example",
        redirect_uris=f"\r\n {CALLBACK} \r\nhttp://localhost:3000/cb\r\n",
        refresh="on",
        **{"scope:write": "on"},
    )
    client = stored(app)
    assert client.client_name == "Map of trees"
    assert client.description == "Shows trees.\nAll of them."
    assert client.client_uri == "https://trees.example"
    assert client.redirect_uris == [CALLBACK, "http://localhost:3000/cb"]
    assert client.grant_types == ["authorization_code", "refresh_token"]
    assert client.scope == "read write"


@pytest.mark.parametrize(
    ("kind", "fields", "field"),
    [
        ("web", {"client_name": ""}, "client_name"),
        ("web", {"client_name": "x" * 81}, "client_name"),
        ("web", {"description": "x" * 1001}, "description"),
        ("web", {"client_uri": "javascript:alert(1)"}, "client_uri"),
        ("web", {"redirect_uris": ""}, "redirect_uris"),
        ("web", {"redirect_uris": "http://app.example.com/cb"}, "redirect_uris"),
        ("web", {"redirect_uris": "com.example.app:/cb"}, "redirect_uris"),
        ("web", {"redirect_uris": f"{CALLBACK}#fragment"}, "redirect_uris"),
        (
            "web",
            {"redirect_uris": "\n".join(f"{CALLBACK}/{number}" for number in range(21))},
            "redirect_uris",
        ),
        ("browser", {"redirect_uris": "com.example.app:/cb"}, "redirect_uris"),
        ("native", {"redirect_uris": "http://app.example.com/cb"}, "redirect_uris"),
    ],
)
def test_what_is_wrong_is_told_at_the_field_and_the_rest_is_kept(
    deployment: Deployment, developer: Browser, kind: str, fields: dict[str, str], field: str
) -> None:
    before = deployment.snapshot()
    answer = fill_in(developer, kind, **({"description": "Kept."} | fields))
    assert answer.status == 422
    assert f'id="{field}-problem"' in answer.body
    assert re.search(rf'name="{field}"[^>]*aria-describedby="[^"]*{field}-problem"', answer.body)
    assert 'role="alert"' in answer.body
    kept = {"description": "Kept."} | fields
    assert all(answer.form.fields[name] == value for name, value in kept.items())
    assert deployment.snapshot()["clients"] == before["clients"]


def test_an_application_for_no_scope_is_refused(deployment: Deployment, developer: Browser) -> None:
    page = developer.get("/applications/new?type=web")
    del page.form.fields["scope:read"]
    answer = developer.submit(page, client_name="Mine", redirect_uris=CALLBACK)
    assert (answer.status, 'id="scope-problem"' in answer.body) == (422, True)


@pytest.mark.parametrize("redirect_uri", ["http://127.0.0.1/cb", "com.example.app:/cb", CALLBACK])
def test_people_come_back_to_a_native_application_as_rfc_8252_says(
    developer: Browser, redirect_uri: str
) -> None:
    assert stored(register(developer, "native", redirect_uris=redirect_uri)).redirect_uris == [redirect_uri]


@pytest.mark.parametrize("kind", ["web", "native"])
def test_sending_the_form_again_registers_nothing_and_tells_no_secret(
    deployment: Deployment, developer: Browser, kind: str
) -> None:
    page = developer.get(f"/applications/new?type={kind}")
    first = developer.submit(page, client_name="Mine", redirect_uris=CALLBACK)
    before = deployment.snapshot()
    again = developer.submit(page, client_name="Mine", redirect_uris=CALLBACK)
    assert again.status == 409
    assert "ocs_" not in again.body
    leads_to = client_id_of(first.body if kind == "web" else first.location)
    assert f'href="/applications/{leads_to}"' in again.body
    assert deployment.snapshot()["clients"] == before["clients"]


def test_the_same_form_in_another_browser_is_another_application(
    deployment: Deployment, developer: Browser
) -> None:
    page = developer.get("/applications/new?type=web")
    first = developer.submit(page, client_name="Mine", redirect_uris=CALLBACK)
    other = deployment.signed_in_browser()
    form = other.get("/applications/new?type=web")
    second = other.submit(form, nonce=page.form.fields["nonce"], client_name="Mine", redirect_uris=CALLBACK)
    assert client_id_of(first.body) != client_id_of(second.body)


def test_the_secret_is_told_once_and_stored_nowhere(deployment: Deployment, developer: Browser) -> None:
    answer = fill_in(developer)
    secret = secret_of(answer)
    assert answer.headers["cache-control"] == "no-store"
    app = App(client_id_of(answer.body), secret)
    assert secret not in page_of(developer, app).body
    assert secret not in str(deployment.snapshot())


@pytest.mark.parametrize("field", ["nonce", "application_type"])
@pytest.mark.parametrize("value", ["", "x", "../../../etc/passwd///"])
def test_a_form_that_was_tampered_with_registers_nothing(
    deployment: Deployment, developer: Browser, field: str, value: str
) -> None:
    before = deployment.snapshot()["clients"]
    assert fill_in(developer, **{field: value}).status == 400
    assert deployment.snapshot()["clients"] == before


# Who may


@pytest.mark.parametrize(
    ("setting", "may"),
    [
        ("everyone", True),
        ("operators", False),
        (EMAIL, True),
        (f"{OTHER} {EMAIL.upper()}", True),
        ("@example.org", True),
        (OTHER, False),
        ("@ample.org", False),
        ("@org", False),
        ("r@example.org", False),
    ],
)
def test_a_setting_says_who_may_register(
    deployment: Deployment,
    developer: Browser,
    change_setting: Callable[[str, object], None],
    setting: str,
    may: bool,
) -> None:
    page = developer.get("/applications/new?type=web")
    change_setting("may_register", setting)
    before = deployment.snapshot()["clients"]
    answers = [
        developer.get("/applications/new?type=web"),
        developer.submit(page, client_name="Mine", redirect_uris=CALLBACK),
    ]
    assert [answer.status for answer in answers] == [200 if may else 403] * 2
    assert (deployment.snapshot()["clients"] != before) == may


def test_who_may_not_register_is_told_why_and_whom_to_ask(
    developer: Browser, change_setting: Callable[[str, object], None]
) -> None:
    change_setting("may_register", OTHER)
    change_setting("contact", "help@example.org")
    assert "/applications/new" in developer.get("/applications").body
    refused = developer.get("/applications/new")
    assert refused.status == 403
    assert EMAIL in refused.body
    assert OTHER not in refused.body
    assert "mailto:help@example.org" in refused.body


def test_operators_may_always_register(
    operator: Browser, change_setting: Callable[[str, object], None]
) -> None:
    change_setting("may_register", "operators")
    register(operator)


def test_an_account_has_so_many_applications_and_no_more(
    developer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(developers, "MAX_APPLICATIONS", 2)
    app = register(developer)
    register(developer)
    page = developer.get("/applications/new?type=web")
    assert page.status == 403
    assert developer.submit(page_of(developer, app, "/delete")).status == 303
    register(developer)


# Looking


def test_the_applications_of_an_account_are_listed_and_no_others(
    deployment: Deployment, developer: Browser
) -> None:
    register(developer, client_name="Zebra")
    register(developer, client_name="apple")
    deployment.add_account(OTHER)
    register(deployment.signed_in_browser(OTHER), client_name="Somebody else's")
    body = developer.get("/applications").body
    assert re.findall(r'<h2 id="application-.*?">(?:<a.*?>)?(.*?)<', body) == ["apple", "Zebra"]
    assert "Somebody else" not in body


def test_nobody_but_owner_and_operator_gets_to_know_that_it_is_there(
    deployment: Deployment, developer: Browser, operator: Browser
) -> None:
    app = register(developer)
    deployment.add_account(OTHER)
    stranger = deployment.signed_in_browser(OTHER)
    unknown = App("x" * 16, None)
    for below in ("", "/edit", "/delete"):
        refused, missing = page_of(stranger, app, below), page_of(stranger, unknown, below)
        assert (refused.status, refused.body) == (404, missing.body)
        assert page_of(developer, app, below).status == page_of(operator, app, below).status == 200
        assert page_of(operator, unknown, below).status == 404


@pytest.mark.parametrize("below", ["", "/edit", "/delete"])
def test_who_signs_in_on_the_way_comes_to_the_page_they_wanted(
    deployment: Deployment, developer: Browser, below: str
) -> None:
    app = register(developer)
    browser = Browser()
    sign_in = browser.get(page_of(browser, app, below).location)
    answer = browser.submit(sign_in, email=EMAIL, password=PASSWORD)
    assert answer.location == f"/applications/{app.client_id}{below}"
    assert browser.get(answer.location).status == 200


@pytest.mark.parametrize("client_id", ["x" * 3000, "\0"], ids=len)
def test_what_can_be_no_client_id_is_not_asked_for(operator: Browser, client_id: str) -> None:
    """DynamoDB refuses keys of more than 2,048 bytes."""
    with count_requests() as requests:
        assert operator.get(f"/applications/{client_id}").status == 404
    assert requests["GetItem"] == 0


@pytest.mark.parametrize("client_id", ["x" * 3000, "%00", "..%2F", "é", "%F0%9F%8C%B3"], ids=len)
def test_what_is_no_client_id_is_not_found(operator: Browser, client_id: str) -> None:
    assert operator.get(f"/applications/{client_id}").status == 404


def test_an_operator_opens_any_application_by_its_client_id(
    deployment: Deployment, developer: Browser, operator: Browser
) -> None:
    app = register(developer)
    form = operator.get("/applications").form
    assert (form.method, form.action) == ("get", "/applications")
    answer = operator.get(f"/applications?client_id={app.client_id}")
    shown = operator.get(answer.location)
    assert (shown.status, EMAIL in shown.body) == (200, True)
    assert not developer.get("/applications").forms
    assert developer.get(f"/applications?client_id={app.client_id}").status == 200


def connect(deployment: Deployment, app: App, email: str) -> str:
    """Let somebody connect an application, and return the access token."""
    if accounts.find_by_email(email) is None:
        deployment.add_account(email)
    return str(deployment.tokens(app, deployment.signed_in_browser(email))["access_token"])


def people(answer: Answer) -> str:
    found = re.search(r"<p>(.*?) (?:(?:people have|person has|has) connected it)", answer.body)
    assert found, answer.body
    return found[1]


def test_the_people_who_connected_it_are_counted_once_each(
    deployment: Deployment, developer: Browser
) -> None:
    app = register(developer)
    assert people(page_of(developer, app)) == "Nobody"
    connect(deployment, app, OTHER)
    connect(deployment, app, OTHER)
    assert people(page_of(developer, app)) == "One"
    connect(deployment, app, "third@example.org")
    assert people(page_of(developer, app)) == "2"
    third = deployment.signed_in_browser("third@example.org")
    third.submit(third.get("/connections"))
    assert people(page_of(developer, app)) == "One"


def test_where_there_are_many_it_says_at_least(
    deployment: Deployment, developer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "READ", 1)
    monkeypatch.setattr(grant, "CLIENT_SHARDS", 1)
    app = register(developer)
    connect(deployment, app, OTHER)
    connect(deployment, app, EMAIL)
    assert people(page_of(developer, app)) == "At least 1"


def test_the_day_of_the_last_token_is_shown(deployment: Deployment, developer: Browser, time: Time) -> None:
    app = register(developer, refresh="on")
    assert "got no token" in page_of(developer, app).body
    deployment.code(app, deployment.signed_in_browser())
    assert "got no token" in page_of(developer, app).body
    tokens = deployment.tokens(app, deployment.signed_in_browser())
    time.passes(10 * 86400)
    developer = deployment.signed_in_browser()
    deployment.code(app, developer)
    day = clock.day(time.now - 10 * 86400)
    assert f'got a token on <time datetime="{day}">' in page_of(developer, app).body
    assert app.refresh(tokens["refresh_token"]).status == 200
    assert f'got a token on <time datetime="{clock.day(time.now)}">' in page_of(developer, app).body


def test_the_newest_grants_are_those_that_are_asked(
    deployment: Deployment, developer: Browser, monkeypatch: pytest.MonkeyPatch, time: Time
) -> None:
    monkeypatch.setattr(usage, "READ", 1)
    monkeypatch.setattr(usage, "NEWEST", 1)
    monkeypatch.setattr(grant, "CLIENT_SHARDS", 1)
    app = register(developer)
    for _ in range(2):
        connect(deployment, app, OTHER)
        time.passes(86400)
    browser = deployment.signed_in_browser()
    assert f'<time datetime="{clock.day(time.now - 86400)}">' in page_of(browser, app).body


# Secrets


def test_the_old_secret_lives_on_for_as_long_as_was_chosen(developer: Browser, time: Time) -> None:
    old = register(developer)
    new = rotate(developer, old, "3600")
    assert authenticates(old)
    assert authenticates(new)
    time.passes(3600)
    assert not authenticates(old)
    assert authenticates(new)


def test_the_old_secret_may_end_at_once(developer: Browser) -> None:
    old = register(developer)
    new = rotate(developer, old, "0")
    assert not authenticates(old)
    assert authenticates(new)


def test_there_are_never_more_than_three_secrets(developer: Browser) -> None:
    """A developer who never saw the second rotates again; the application still has the first."""
    first = register(developer)
    second = rotate(developer, first, "3600")
    third = rotate(developer, second, "86400")
    assert [authenticates(app) for app in (first, second, third)] == [True, True, True]
    fourth = rotate(developer, third, "86400")
    assert [authenticates(app) for app in (first, second, third, fourth)] == [False, True, True, True]
    fifth = rotate(developer, fourth, "0")
    assert [authenticates(app) for app in (third, fourth, fifth)] == [False, False, True]


def test_rotating_again_lengthens_no_overlap(developer: Browser, time: Time) -> None:
    first = register(developer)
    second = rotate(developer, first, "3600")
    rotate(developer, second, "86400")
    time.passes(3600)
    assert [authenticates(app) for app in (first, second)] == [False, True]


def test_sending_the_form_again_makes_no_other_secret(deployment: Deployment, developer: Browser) -> None:
    app = register(developer)
    page = page_of(developer, app)
    assert submit(developer, page, "/secret", overlap="0").status == 200
    before = deployment.snapshot()["clients"]
    again = submit(developer, page, "/secret", overlap="0")
    assert (again.status, "ocs_" in again.body) == (409, False)
    assert deployment.snapshot()["clients"] == before


@pytest.mark.parametrize("overlap", ["", "1", "-1", "604801", "1e3", "x"])
def test_no_other_overlap_can_be_chosen(deployment: Deployment, developer: Browser, overlap: str) -> None:
    app = register(developer)
    before = deployment.snapshot()["clients"]
    assert submit(developer, page_of(developer, app), "/secret", overlap=overlap).status == 400
    assert deployment.snapshot()["clients"] == before


def test_an_application_without_a_secret_gets_none(developer: Browser) -> None:
    app = register(developer, "native")
    page = page_of(developer, app)
    assert "/secret" not in page.body
    edit_page = page_of(developer, app, "/edit")
    edit_page.form.action = f"/applications/{app.client_id}/secret"
    assert developer.submit(edit_page, overlap="0").status == 400


# Changing


def test_a_change_is_stored_and_the_type_stays(developer: Browser) -> None:
    app = register(developer, "native")
    answer = edit(
        developer,
        app,
        client_name="Renamed",
        description="New.",
        client_uri="https://new.example",
        redirect_uris="com.example.app:/cb",
        application_type="service",
        refresh="on",
        **{"scope:write": "on"},
    )
    assert answer.location == f"/applications/{app.client_id}"
    assert "changed" in developer.get(answer.location).body
    client = stored(app)
    assert client.client_name == "Renamed"
    assert client.description == "New."
    assert client.client_uri == "https://new.example"
    assert client.redirect_uris == ["com.example.app:/cb"]
    assert client.scope == "read write"
    assert client.grant_types == ["authorization_code", "refresh_token"]
    assert (client.application_type, client.is_public) == ("native", True)


def test_a_change_of_nothing_changes_nothing(deployment: Deployment, developer: Browser) -> None:
    app = register(developer, refresh="on", description="a\nb", client_uri="https://a.example")
    before = stored(app).to_simple_dict()
    assert edit(developer, app).status == 303
    assert stored(app).to_simple_dict() | {"revision": ""} == before | {"revision": ""}


def test_an_application_of_the_operators_keeps_what_the_page_does_not_show(
    deployment: Deployment, operator: Browser
) -> None:
    grant_types = ("authorization_code", "client_credentials")
    app = deployment.add_app(grant_types=grant_types, may_introspect=True)
    assert edit(operator, app, client_name="Renamed").status == 303
    client = stored(app)
    assert (client.client_name, client.may_introspect) == ("Renamed", True)
    assert set(client.grant_types) == set(grant_types)
    assert authenticates(app)


def verified(browser: Browser, **fields: str) -> App:
    app = register(browser, **fields)
    client = stored(app)
    client.verified_at = clock.now()
    client.write()
    return app


@pytest.mark.parametrize(
    ("fields", "stays"),
    [
        ({"client_name": "Renamed"}, False),
        ({"description": "New."}, False),
        ({"client_uri": "https://new.example"}, False),
        ({"redirect_uris": f"{CALLBACK}/new"}, False),
        ({}, True),
        ({"refresh": "on", "scope:write": "on"}, True),
    ],
)
def test_an_application_is_looked_at_again_when_its_owner_changes_what_users_see(
    developer: Browser, fields: dict[str, str], stays: bool
) -> None:
    app = verified(developer)
    assert "no longer verified" in page_of(developer, app, "/edit").body
    assert edit(developer, app, **fields).status == 303
    assert (stored(app).verified_at is not None) == stays


def test_a_change_by_an_operator_keeps_it_verified(developer: Browser, operator: Browser) -> None:
    app = verified(developer)
    assert "no longer verified" not in page_of(operator, app, "/edit").body
    assert edit(operator, app, client_name="Renamed").status == 303
    assert stored(app).verified_at is not None


def test_a_change_of_what_was_changed_meanwhile_is_refused(
    deployment: Deployment, developer: Browser
) -> None:
    app = register(developer)
    page = page_of(developer, app, "/edit")
    assert developer.submit(page, client_name="First").status == 303
    before = deployment.snapshot()["clients"]
    assert developer.submit(page, client_name="Second").status == 409
    assert deployment.snapshot()["clients"] == before


def test_a_change_that_another_one_overtakes_is_refused(developer: Browser) -> None:
    app = register(developer)
    page = page_of(developer, app, "/edit")

    def overtake() -> None:
        client = stored(app)
        client.client_name = "Overtaken"
        client.write()

    with meanwhile("PutItem", overtake):
        assert developer.submit(page, client_name="Second").status == 409
    assert stored(app).client_name == "Overtaken"


def test_a_wrong_change_is_told_at_the_field(deployment: Deployment, developer: Browser) -> None:
    app = register(developer)
    before = deployment.snapshot()["clients"]
    answer = edit(developer, app, redirect_uris="http://app.example.com/cb")
    assert (answer.status, 'id="redirect_uris-problem"' in answer.body) == (422, True)
    assert answer.form.fields["redirect_uris"] == "http://app.example.com/cb"
    assert deployment.snapshot()["clients"] == before


# Deleting


def test_a_deleted_application_is_gone_with_all_that_it_was_granted(
    deployment: Deployment, developer: Browser
) -> None:
    app = register(developer)
    tokens = [connect(deployment, app, email) for email in (EMAIL, OTHER)]
    page = page_of(developer, app, "/delete")
    assert "2 people" in page.body
    answer = developer.submit(page)
    assert answer.location == "/applications"
    assert "deleted" in developer.get(answer.location).body
    assert not any(map(is_alive, tokens))
    assert app.client_id not in str(deployment.snapshot()["clients"])
    assert not [row for row in UserApplication.scan() if row.client_id == app.client_id]
    assert page_of(developer, app).status == 404


def test_asking_deletes_nothing(deployment: Deployment, developer: Browser) -> None:
    app = register(developer)
    before = deployment.snapshot()["clients"]
    page_of(developer, app, "/delete")
    assert deployment.snapshot()["clients"] == before


def test_deleting_goes_on_where_it_ran_out_of_time(
    deployment: Deployment, developer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = register(developer)
    tokens = [connect(deployment, app, email) for email in (EMAIL, OTHER, "third@example.org")]
    monkeypatch.setattr(deletion, "SPARE", 29)
    page = developer.submit(page_of(developer, app, "/delete"))
    assert (page.status, "1 connections were ended" in page.body) == (202, True)
    assert sum(map(is_alive, tokens)) == 2
    assert not authenticates(app), "it is disabled already"
    assert "Disabled" in page_of(developer, app).body
    monkeypatch.setattr(deletion, "SPARE", 3)
    assert developer.submit(page).status == 303
    assert not any(map(is_alive, tokens))
    assert page_of(developer, app).status == 404


def test_deleting_ends_what_is_granted_while_functions_still_know_the_application(
    deployment: Deployment,
    developer: Browser,
    change_setting: Callable[[str, object], None],
    monkeypatch: pytest.MonkeyPatch,
    time: Time,
) -> None:
    app = register(developer, "service")
    change_setting("client_cache_lifetime", 5)
    assert app.token(grant_type="client_credentials").status == 200  # Now this function knows it.
    late: list[str] = []

    def sleep(seconds: int) -> None:
        late.append(app.token(grant_type="client_credentials").json["access_token"])
        time.passes(seconds)

    monkeypatch.setattr("time.sleep", sleep)
    assert developer.submit(page_of(developer, app, "/delete")).status == 303
    assert len(late) == 1
    assert not is_alive(late[0])
    assert app.token(grant_type="client_credentials").status == 401


def test_deleting_does_not_wait_for_longer_than_a_browser_does(
    developer: Browser, change_setting: Callable[[str, object], None], time: Time
) -> None:
    app = register(developer)
    change_setting("client_cache_lifetime", 300)
    page = developer.submit(page_of(developer, app, "/delete"))
    assert page.status == 202
    time.passes(302)
    assert developer.submit(page).status == 303


def test_deleting_what_an_operator_enables_meanwhile_is_refused(
    deployment: Deployment, developer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = register(developer)
    connect(deployment, app, OTHER)
    page = page_of(developer, app, "/delete")
    with meanwhile("Query", lambda: registration.enable(stored(app))):
        assert developer.submit(page).status == 409
    assert stored(app).disabled_at is None


def test_the_grants_of_other_applications_live_on(deployment: Deployment, developer: Browser) -> None:
    deleted, other = register(developer), register(developer)
    token = connect(deployment, other, OTHER)
    developer.submit(page_of(developer, deleted, "/delete"))
    assert is_alive(token)
    assert [found.client_id for found in Grant.scan()] == [other.client_id]


# Ready-made code


def snippets_of(answer: Answer) -> dict[str, str]:
    found = re.findall(r'<pre id="snippet-(\w+)".*?><code>(.*?)</code></pre>', answer.body, re.DOTALL)
    return {name: unescape(code) for name, code in found}


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("web", {"link", "curl", "python", "javascript"}),
        ("native", {"link", "curl", "python"}),
        ("browser", {"link", "curl", "javascript"}),
        ("service", {"curl", "python", "javascript"}),
    ],
)
def test_each_type_gets_code_with_its_own_values_and_never_the_secret(
    deployment: Deployment, developer: Browser, kind: str, names: set[str]
) -> None:
    app = register(developer, kind, **{"scope:write": "on"})
    browser = deployment.signed_in_browser(stage="/prod")
    page = browser.get(f"/prod/applications/{app.client_id}")
    snippets = snippets_of(page)
    assert set(snippets) == names
    for code in snippets.values():
        assert app.client_id in code
        assert "https://auth.example.org/prod/" in code
        assert kind == "service" or CALLBACK in code or "app.example.com%2Fcallback" in code
        assert ("CLIENT_SECRET" in code) == (app.client_secret is not None and "authorize/?" not in code)
    assert app.client_secret is None or app.client_secret not in page.body


@pytest.mark.parametrize("kind", ["web", "browser"])
def test_the_link_leads_to_the_consent_page(deployment: Deployment, developer: Browser, kind: str) -> None:
    app = register(developer, kind)
    link = urlsplit(snippets_of(page_of(developer, app))["link"])
    query = link.query.replace("=CODE_CHALLENGE", "=" + CHALLENGE["code_challenge"])
    page = developer.get(f"{link.path}?{query}")
    assert ("decision", "allow") in page.form.buttons
    assert "Not verified" in page.body


def test_code_is_safe_to_copy_whatever_the_redirect_uri(developer: Browser) -> None:
    uri = "https://app.example.com/';$(id)/cb"
    snippets = snippets_of(page_of(developer, register(developer, redirect_uris=uri)))
    assert """'https://app.example.com/'"'"';$(id)/cb'""" in snippets["curl"]
    compile(snippets["python"], "snippet", "exec")


def test_code_for_devices_asks_where_the_metadata_says(
    developer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chalicelib.oauth import metadata

    plain = metadata.authorization_server

    def with_devices(issuer: str) -> dict[str, object]:
        return plain(issuer) | {"device_authorization_endpoint": f"{issuer}/oauth2/device"}

    monkeypatch.setitem(GRANT_TYPES, DEVICE_CODE, GRANT_TYPES["authorization_code"])
    monkeypatch.setattr(metadata, "authorization_server", with_devices)
    snippets = snippets_of(page_of(developer, register(developer, "device")))
    assert set(snippets) == {"curl", "python"}
    assert all("https://auth.example.org/oauth2/device" in code for code in snippets.values())
    compile(snippets["python"], "snippet", "exec")
