"""The authorization page (RFC 6749 sections 4.1.1 and 4.1.2): who is told what, and who is sent where."""

import pytest

from chalicelib.accounts import accounts
from tests.conftest import Time
from tests.endpoints.test_authorization_code import PKCE
from tests.endpoints.test_token_errors import storage_fails
from tests.harness import CALLBACK, EMAIL, HOST, PASSWORD, App, Browser, Deployment, event, send


@pytest.fixture
def app(deployment: Deployment) -> App:
    deployment.add_account()
    return deployment.add_app()


@pytest.fixture
def browser(deployment: Deployment, app: App) -> Browser:
    return deployment.signed_in_browser()


NEAR_MISSES = [
    CALLBACK + "/",
    CALLBACK + "?x=1",
    CALLBACK + "#fragment",
    CALLBACK + "%20",
    CALLBACK.upper(),
    CALLBACK.replace("https", "http"),
    CALLBACK.replace("app.", "evil.app."),
    CALLBACK.replace(".com", ".com.evil.example"),
    CALLBACK.replace(".com", ".com:443"),
    CALLBACK.replace("https://", "https://user@"),
    CALLBACK.replace("/callback", "/x/../callback"),
    CALLBACK.replace("/callback", "//callback"),
    CALLBACK.replace("/", "\\"),
    "//app.example.com/callback",
    "/callback",
    "javascript:alert(1)",
    "data:text/html,x",
    " " + CALLBACK,
    CALLBACK + "\u3000",
    "https://evil.example/" + CALLBACK,
]


@pytest.mark.parametrize("uri", NEAR_MISSES)
@pytest.mark.parametrize("name", ["redirect_uri", "redirect_url"])
def test_a_redirect_uri_that_is_not_registered_to_the_letter_never_redirects(
    app: App, browser: Browser, name: str, uri: str
) -> None:
    answer = browser.get(app.authorization_url(**({"redirect_uri": None} | {name: uri})))
    assert answer.status == 400
    assert "location" not in answer.headers
    assert "evil.example" not in answer.body


@pytest.mark.parametrize(
    "parameters",
    [
        {"client_id": "unknown"},
        {"client_id": None},
        {"client_id": ""},
        {"client_id": "x" * 3000},
        {"redirect_uri": None},
        {"redirect_uri": ""},
        {"redirect_url": "https://evil.example/"},
    ],
    ids=str,
)
def test_an_unknown_client_or_no_redirect_uri_is_an_error_page(
    app: App, browser: Browser, parameters: dict[str, str | None]
) -> None:
    answer = browser.get(app.authorization_url(**parameters))
    assert answer.status == 400
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "location" not in answer.headers


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
def test_a_repeated_client_id_or_redirect_uri_is_an_error_page(app: App, browser: Browser, name: str) -> None:
    url = app.authorization_url()
    answer = browser.get(url + f"&{name}=x")
    assert answer.status == 400
    assert "location" not in answer.headers


def test_redirect_uri_and_redirect_url_may_say_the_same(app: App, browser: Browser) -> None:
    assert browser.get(app.authorization_url(redirect_url=CALLBACK)).status == 200


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": ""}, "invalid_request"),
        ({"response_type": "id_token"}, "unsupported_response_type"),
        ({"response_type": "code token"}, "unsupported_response_type"),
        ({"scope": "unknown"}, "invalid_scope"),
        ({"scope": "read  write"}, "invalid_scope"),
        ({"scope": 'read"'}, "invalid_scope"),
        ({"code_challenge": "x"}, "invalid_request"),
        ({"code_challenge": PKCE["code_challenge"]}, "invalid_request"),
        (PKCE | {"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": "S256"}, "invalid_request"),
        ({"scope": "x" * 5000}, "invalid_request"),
        ({"code_challenge": "\x00"}, "invalid_request"),
    ],
    ids=str,
)
def test_everything_else_goes_back_to_the_application(
    app: App, browser: Browser, parameters: dict[str, str | None], error: str
) -> None:
    for someone in (browser, Browser()):
        answer = someone.get(app.authorization_url(**({"state": "a b&c"} | parameters)))
        assert answer.location.startswith(CALLBACK + "?")
        assert answer.redirect_params["error"] == error
        assert answer.redirect_params["error_description"]
        assert answer.redirect_params["state"] == "a b&c"
        assert answer.redirect_params["iss"] == f"https://{HOST}"


@pytest.mark.parametrize("name", ["scope", "state", "response_type", "unheard_of"])
def test_a_repeated_parameter_goes_back_to_the_application(app: App, browser: Browser, name: str) -> None:
    url = app.authorization_url(scope="read", unheard_of="x", state="s")
    answer = browser.get(f"{url}&{name}=read")
    assert answer.redirect_params["error"] == "invalid_request"
    assert ("state" in answer.redirect_params) == (name != "state")


def test_a_public_client_needs_pkce(deployment: Deployment, browser: Browser) -> None:
    native = deployment.add_app(public=True)
    assert browser.get(native.authorization_url()).redirect_params["error"] == "invalid_request"
    assert browser.get(native.authorization_url(**PKCE)).status == 200


def test_a_client_without_the_grant_type_is_unauthorized(deployment: Deployment, browser: Browser) -> None:
    service = deployment.add_app(grant_types=("client_credentials",))
    answer = browser.get(service.authorization_url())
    assert answer.redirect_params["error"] == "unauthorized_client"


def test_a_scope_beyond_the_clients_is_refused(deployment: Deployment, browser: Browser) -> None:
    reader = deployment.add_app(scope="read")
    answer = browser.get(reader.authorization_url(scope="read write"))
    assert answer.redirect_params["error"] == "invalid_scope"


def test_the_page_says_who_asks_for_what_and_of_whom(app: App, browser: Browser) -> None:
    page = browser.get(app.authorization_url(scope="read write"))
    for text in ("Example", EMAIL, "See your maps", "Add, change", "app.example.com"):
        assert text in page.body
    assert page.form.buttons == [("decision", "allow"), ("decision", "deny")]


def test_the_page_says_until_when(app: App, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chalicelib.pages.consent.clock.now", lambda: 1795000000)
    page = browser.get(app.authorization_url())
    assert '<time datetime="2026-12-18">18 December 2026</time>' in page.body


def test_a_name_with_markup_is_text(deployment: Deployment, browser: Browser) -> None:
    app = deployment.add_app(name='<script>alert("x")</script>')
    page = browser.get(app.authorization_url())
    assert "<script" not in page.body
    assert "&lt;script&gt;" in page.body


def test_allow_sends_code_state_and_issuer(app: App, browser: Browser) -> None:
    page = browser.get(app.authorization_url(state="s"))
    answer = browser.submit(page, decision="allow")
    assert answer.status == 303
    assert set(answer.redirect_params) == {"code", "state", "iss"}
    assert len(answer.redirect_params["code"]) == 40


def test_without_a_state_none_comes_back(app: App, browser: Browser) -> None:
    answer = browser.submit(browser.get(app.authorization_url()), decision="allow")
    assert set(answer.redirect_params) == {"code", "iss"}


def test_deny_sends_access_denied(deployment: Deployment, app: App, browser: Browser) -> None:
    page = browser.get(app.authorization_url(state="s"))
    before = deployment.snapshot()
    answer = browser.submit(page, decision="deny")
    assert answer.redirect_params["error"] == "access_denied"
    assert answer.redirect_params["state"] == "s"
    assert deployment.snapshot() == before


@pytest.mark.parametrize("decision", ["", "maybe", "ALLOW"])
def test_no_decision_is_no_consent(deployment: Deployment, app: App, browser: Browser, decision: str) -> None:
    page = browser.get(app.authorization_url())
    before = deployment.snapshot()
    assert browser.submit(page, decision=decision).status == 400
    assert deployment.snapshot() == before


def test_a_redirect_uri_keeps_its_own_query(deployment: Deployment, browser: Browser) -> None:
    app = deployment.add_app(redirect_uris=("https://app.example.com/cb?tenant=7",))
    answer = browser.submit(browser.get(app.authorization_url()), decision="allow")
    assert answer.location.startswith("https://app.example.com/cb?tenant=7&code=")


@pytest.mark.parametrize("port", ["", ":1", ":51004", ":65535"])
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
def test_a_native_application_listens_on_any_loopback_port(
    deployment: Deployment, browser: Browser, host: str, port: str
) -> None:
    native = deployment.add_app(public=True, redirect_uris=(f"http://{host}/cb", "http://127.0.0.1:9/x"))
    uri = f"http://{host}{port}/cb"
    page = browser.get(native.authorization_url(redirect_uri=uri, **PKCE))
    assert browser.submit(page, decision="allow").location.startswith(uri + "?code=")


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:5000/other",
        "http://127.0.0.2:5000/cb",
        "http://localhost:5000/cb",
        "https://127.0.0.1:5000/cb",
        "http://127.0.0.1:5000/cb?x",
        "http://127.0.0.1:x/cb",
        "http://127.0.0.1:5000@evil.example/cb",
        "http://127.0.0.1.evil.example/cb",
    ],
)
def test_nothing_but_the_port_is_free(deployment: Deployment, browser: Browser, uri: str) -> None:
    native = deployment.add_app(public=True, redirect_uris=("http://127.0.0.1/cb",))
    assert browser.get(native.authorization_url(redirect_uri=uri, **PKCE)).status == 400


def test_a_confidential_clients_port_is_fixed(deployment: Deployment, browser: Browser) -> None:
    app = deployment.add_app(redirect_uris=("http://127.0.0.1:8002/cb",))
    assert browser.get(app.authorization_url()).status == 200
    assert browser.get(app.authorization_url(redirect_uri="http://127.0.0.1:8003/cb")).status == 400


@pytest.mark.parametrize("csrf_token", ["", "0" * 64, "é"])
def test_consent_without_our_token_is_no_consent(
    deployment: Deployment, app: App, browser: Browser, csrf_token: str
) -> None:
    page = browser.get(app.authorization_url())
    before = deployment.snapshot()
    answer = browser.submit(page, decision="allow", csrf_token=csrf_token)
    assert answer.status == 403
    assert deployment.snapshot() == before
    assert browser.submit(answer, decision="allow").status == 303


def test_consent_with_another_browsers_token_is_no_consent(
    deployment: Deployment, app: App, browser: Browser
) -> None:
    deployment.add_account("attacker@example.org")
    attacker = deployment.signed_in_browser("attacker@example.org")
    token = attacker.get(app.authorization_url()).form.fields["csrf_token"]
    page = browser.get(app.authorization_url())
    assert browser.submit(page, decision="allow", csrf_token=token).status == 403


def test_a_stranger_cannot_decide(deployment: Deployment, app: App, browser: Browser) -> None:
    page = browser.get(app.authorization_url())
    before = deployment.snapshot()
    answer = Browser().submit(page, decision="allow")
    assert "password" in answer.form.fields
    assert deployment.snapshot() == before


def test_signing_in_without_our_token_signs_nobody_in(app: App) -> None:
    """Or an attacker could sign somebody in to the attacker's account."""
    browser = Browser()
    page = browser.get(app.authorization_url())
    answer = browser.submit(page, email=EMAIL, password=PASSWORD, csrf_token="0" * 64)
    assert answer.status == 403
    assert Browser().submit(page, email=EMAIL, password=PASSWORD).status == 403


def test_the_cookie_changes_when_somebody_signs_in(app: App) -> None:
    browser = Browser()
    page = browser.get(app.authorization_url())
    before = dict(browser.cookies)
    browser.submit(page, email=EMAIL, password=PASSWORD)
    assert set(browser.cookies) == set(before)
    assert browser.cookies != before
    attacker = Browser()
    attacker.cookies = before
    assert "password" in attacker.get(app.authorization_url()).form.fields


def test_the_cookie_is_for_this_host_and_for_no_script(app: App) -> None:
    (cookie,) = Browser().get(app.authorization_url()).set_cookies
    assert cookie.startswith("__Host-session=")
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Lax; Secure")


def test_on_plain_http_the_cookie_is_a_plain_one(app: App) -> None:
    query = {"client_id": app.client_id, "response_type": "code", "redirect_uri": CALLBACK}
    sent = event("GET", "/oauth2/authorize", query=query)
    del sent["requestContext"]["domainName"]
    sent["headers"]["Host"] = "127.0.0.1:8000"
    (cookie,) = send(sent).set_cookies
    assert cookie.startswith("session=")
    assert "Secure" not in cookie


def test_unknown_account_wrong_password_and_disabled_account_are_told_alike(
    deployment: Deployment, app: App
) -> None:
    disabled = deployment.add_account("disabled@example.org")
    accounts.disable(disabled)
    problems = set()
    for email, password in (
        ("nobody@example.org", PASSWORD),
        (EMAIL, "wrong password"),
        ("disabled@example.org", PASSWORD),
        ("no address", PASSWORD),
        (EMAIL, "x" * 4000),
    ):
        browser = Browser()
        answer = browser.submit(browser.get(app.authorization_url()), email=email, password=password)
        assert answer.status == 422
        problems.add(answer.body.replace(email, "").split("problem")[1])
    assert len(problems) == 1


def test_an_address_may_be_written_in_capitals(app: App) -> None:
    browser = Browser()
    page = browser.get(app.authorization_url())
    assert browser.submit(page, email=f" {EMAIL.upper()} ", password=PASSWORD).status == 303


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "javascript:alert(1)",
        "evil.example",
        "",
        "/x y",
        "/\u00e9",
    ],
)
def test_signing_in_never_leads_elsewhere(app: App, elsewhere: str) -> None:
    browser = Browser()
    page = browser.get(app.authorization_url())
    fields = {"email": EMAIL, "password": PASSWORD, "continue": elsewhere}
    answer = browser.submit(page, **fields)
    assert answer.status == 400
    assert "location" not in answer.headers
    assert not answer.set_cookies


def test_every_page_has_the_headers_that_protect_it(app: App, browser: Browser) -> None:
    pages = [
        browser.get(app.authorization_url()),
        Browser().get(app.authorization_url()),
        browser.get("/oauth2/authorize"),
    ]
    for page in pages:
        headers = page.headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "base-uri 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["pragma"] == "no-cache"
        assert headers["strict-transport-security"]
        assert "<style" not in page.body
        assert "style=" not in page.body


def test_a_form_that_leads_to_an_application_may_go_on_wherever_that_sends_the_browser(
    app: App, browser: Browser
) -> None:
    """Browsers hold every redirect that follows a form against `form-action`."""
    consent, sign_in = browser.get(app.authorization_url()), Browser().get(app.authorization_url())
    for page in (consent, sign_in):
        assert "form-action" not in page.headers["content-security-policy"]
    error = browser.get("/oauth2/authorize")
    assert "form-action 'self'" in error.headers["content-security-policy"]


@pytest.mark.parametrize("how", ["throttled", "unreachable"])
def test_failing_storage_is_a_page_that_says_so(app: App, browser: Browser, how: str) -> None:
    page = browser.get(app.authorization_url())
    with storage_fails(how):
        answers = [
            browser.get(app.authorization_url()),
            browser.submit(page, decision="allow"),
        ]
    for answer in answers:
        assert answer.status == 503
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["retry-after"]
    assert browser.submit(page, decision="allow").status == 303


def test_a_session_ends(app: App, browser: Browser, time: Time) -> None:
    time.passes(12 * 3600)
    assert "password" in browser.get(app.authorization_url()).form.fields


def test_disabling_or_a_new_password_ends_every_session(deployment: Deployment, app: App) -> None:
    browsers = [deployment.signed_in_browser(), deployment.signed_in_browser()]
    account = accounts.find_by_email(EMAIL)
    assert account
    accounts.set_password(account, "another password")
    for browser in browsers:
        assert "password" in browser.get(app.authorization_url()).form.fields
