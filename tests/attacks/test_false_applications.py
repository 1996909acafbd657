"""Applications that want to look like others, or to inherit what others were allowed."""

from collections.abc import Callable

import pytest

from chalicelib.models.client import Client
from chalicelib.oauth import clients, registration
from chalicelib.oauth.client_metadata import ClientMetadata, InvalidClientMetadata
from tests.conftest import Time
from tests.endpoints.test_authorization_code import PKCE
from tests.harness import CALLBACK, EMAIL, PASSWORD, App, Browser, Deployment

EVIL = "https://evil.example/callback"


@pytest.fixture
def browser(deployment: Deployment, change_setting: Callable[[str, object], None]) -> Browser:
    change_setting("may_register", "everyone")
    change_setting("client_cache_lifetime", 0)
    deployment.add_account()
    return deployment.signed_in_browser()


def way_back(page: str) -> str:
    """Return what the consent page says about where the browser goes next."""
    return page.partition("Either way")[2].partition("</p>")[0]


@pytest.mark.parametrize(
    "uri", ["com.evil.app://bank.example/callback", "com.evil.app:/https://bank.example"]
)
def test_the_host_in_a_private_use_uri_is_not_passed_off_as_where_one_goes(
    deployment: Deployment, browser: Browser, uri: str
) -> None:
    app = deployment.add_app(redirect_uris=(uri,), public=True, verified=False)
    shown = way_back(browser.get(app.authorization_url(**PKCE)).body)
    assert "com.evil.app" in shown
    assert "bank.example" not in shown
    refused = browser.get(app.authorization_url())
    assert "com.evil.app</a>" in refused.body
    assert "bank.example</a>" not in refused.body


def test_a_scheme_that_looks_like_a_host_is_called_an_application(
    deployment: Deployment, browser: Browser
) -> None:
    app = deployment.add_app(redirect_uris=("bank.example:/callback",), public=True)
    shown = way_back(browser.get(app.authorization_url(**PKCE)).body)
    assert "application on this device" in shown
    assert "go back to" not in shown


@pytest.mark.parametrize(
    "name",
    [
        "\u3164",
        "\u115f\u1160",
        "\uffa0.",
        "\u2800",
        "\u200b",
        "...",
        "\u202eelpmaxE",
        "Example\u2066",
        "Exa\u00admple",
        "E" + "\u0336" * 4,
        "\u20e0" * 40 + "x",
        "Example\nVerified",
    ],
)
def test_a_name_that_cannot_be_read_is_refused(deployment: Deployment, name: str) -> None:
    with pytest.raises(InvalidClientMetadata):
        deployment.add_app(name=name)


@pytest.mark.parametrize(
    "name", ["Bản đồ", "แผนที่ที่นี่", "\u05e9\u05c1\u05bc\u05c0", "지도", "Карты", "7", "मानचित्र"]
)
def test_a_name_in_any_language_is_fine(deployment: Deployment, name: str) -> None:
    assert deployment.client(deployment.add_app(name=name)).client_name == name


def test_a_description_that_covers_the_page_is_refused() -> None:
    metadata = ClientMetadata(
        client_name="Example", redirect_uris=(CALLBACK,), description="x" + "\u0336" * 900
    )
    with pytest.raises(InvalidClientMetadata, match="description"):
        registration.register(metadata)


def test_the_page_says_whose_words_the_description_is(deployment: Deployment, browser: Browser) -> None:
    """Or an application could say of itself that it was verified."""
    metadata = ClientMetadata(
        client_name="Example",
        redirect_uris=(CALLBACK,),
        description="Verified by Community Maps",
        client_uri="https://bank.example",
    )
    client, _ = registration.register(metadata)
    page = browser.get(App(client.client_id, None).authorization_url()).body
    assert "Its developer says:" in page
    said = page.partition("<blockquote>")[2].partition("</blockquote>")[0]
    for word in ("Verified by Community Maps", "bank.example</a>"):
        assert page.count(word) == said.count(word) == 1
    assert page.index("Not verified by") < page.index("<blockquote>")


MARKUP = "<img src=x onerror=alert(1)>'\"{{7*7}}{%x%}"


def test_nothing_that_a_developer_wrote_is_markup_on_any_page(
    deployment: Deployment, browser: Browser
) -> None:
    metadata = ClientMetadata(
        client_name=MARKUP,
        description=MARKUP,
        client_uri="https://app.example.com/'%22onmouseover='alert(1)",
        redirect_uris=("https://app.example.com/'onmouseover='alert(1)",),
    )
    account = deployment.add_account("developer@example.org")
    client, _ = registration.register(metadata, account.user_id)
    app = App(client.client_id, None, metadata.redirect_uris[0])
    developer = deployment.signed_in_browser("developer@example.org")
    consent = browser.get(app.authorization_url())
    browser.submit(consent, decision="allow")
    page = f"/applications/{client.client_id}"
    for body in (
        consent.body,
        browser.get(app.authorization_url(scope="unknown")).body,
        browser.get("/connections").body,
        browser.get("/account").body,
        *(developer.get(path).body for path in ("/applications", page, f"{page}/edit", f"{page}/delete")),
        Browser().get(app.authorization_url()).body,
    ):
        assert "&lt;img" in body
        assert "<img src=x" not in body
        assert "'onmouseover" not in body
        assert "49" not in body.partition("</h1>")[0].partition("<h1>")[2]


def owned(deployment: Deployment) -> App:
    account = deployment.add_account("developer@example.org")
    metadata = ClientMetadata(client_name="Mine", redirect_uris=(CALLBACK,))
    client, secret = registration.register(metadata, account.user_id, verified=True)
    return App(client.client_id, secret)


def edit(browser: Browser, app: App, **fields: str) -> None:
    page = browser.get(f"/applications/{app.client_id}/edit")
    assert browser.submit(page, **fields).status == 303


def test_who_takes_over_a_developers_account_cannot_have_codes_sent_elsewhere_unasked(
    deployment: Deployment, browser: Browser, time: Time
) -> None:
    app = owned(deployment)
    deployment.code(app, browser)
    assert "code" in browser.get(app.authorization_url(prompt="none")).redirect_params
    time.passes(1)
    edit(deployment.signed_in_browser("developer@example.org"), app, redirect_uris=f"{CALLBACK}\n{EVIL}")
    silent = browser.get(app.authorization_url(prompt="none", redirect_uri=EVIL))
    assert silent.redirect_params["error"] == "consent_required"
    page = browser.get(app.authorization_url(redirect_uri=EVIL)).body
    assert "evil.example" in way_back(page)
    assert "Not verified" in page


@pytest.mark.parametrize(
    "fields", [{"client_name": "Renamed"}, {"description": "New words."}, {"redirect_uris": CALLBACK}]
)
def test_other_changes_ask_nobody_anew(
    deployment: Deployment, browser: Browser, time: Time, fields: dict[str, str]
) -> None:
    app = owned(deployment)
    deployment.code(app, browser)
    time.passes(1)
    edit(deployment.signed_in_browser("developer@example.org"), app, **fields)
    assert "code" in browser.get(app.authorization_url(prompt="none")).redirect_params


def test_what_an_application_is_no_longer_registered_for_cannot_be_had_by_refreshing(
    deployment: Deployment, browser: Browser
) -> None:
    app = deployment.add_app(grant_types=("authorization_code", "refresh_token"))
    tokens = deployment.tokens(app, browser, scope="read write")
    change(deployment.client(app), scope="read")
    assert app.refresh(tokens["refresh_token"], scope="write").json["error"] == "invalid_scope"
    narrowed = app.refresh(tokens["refresh_token"]).json
    assert narrowed["scope"] == "read"
    change(deployment.client(app), scope="write")
    assert app.refresh(narrowed["refresh_token"]).json["scope"] == "write"


def test_an_application_that_is_registered_for_nothing_of_it_any_longer_gets_nothing(
    deployment: Deployment, browser: Browser
) -> None:
    app = deployment.add_app(grant_types=("authorization_code", "refresh_token"))
    tokens = deployment.tokens(app, browser, scope="read")
    change(deployment.client(app), scope="write")
    assert app.refresh(tokens["refresh_token"]).json["error"] == "invalid_scope"


def change(client: Client, **attributes: str) -> None:
    for name, value in attributes.items():
        setattr(client, name, value)
    client.write()
    clients.forget()


def test_who_knows_a_public_client_gets_nothing_unasked(deployment: Deployment, browser: Browser) -> None:
    """RFC 6819 section 4.2.3."""
    app = deployment.add_app(public=True)
    deployment.code(app, browser, **PKCE)
    silent = browser.get(app.authorization_url(prompt="none", **PKCE))
    assert silent.redirect_params["error"] == "consent_required"


def test_an_application_cannot_carry_its_users_passwords_here(
    deployment: Deployment, browser: Browser
) -> None:
    """RFC 6819 section 4.4.3: there is no password grant, whatever a client says it is for."""
    app = deployment.add_app()
    answer = app.token(grant_type="password", username=EMAIL, password=PASSWORD)
    assert answer.json["error"] == "unsupported_grant_type"
