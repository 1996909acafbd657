"""Where the browser is never sent: not by anybody, signed in or not, by a link or by a form."""

from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from chalicelib.oauth import clients, registration
from tests.expect import assert_error_page, assert_error_redirect
from tests.harness import CALLBACK, FORM, App, Browser, Deployment, event, send

CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
S256: dict[str, str | None] = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}


@pytest.fixture
def app(deployment: Deployment) -> App:
    deployment.add_account()
    return deployment.add_app()


@pytest.fixture
def browser(deployment: Deployment, app: App) -> Browser:
    """Return a browser in which the user is signed in."""
    return deployment.signed_in_browser()


def url(*pairs: tuple[str, str]) -> str:
    return f"/oauth2/authorize?{urlencode(pairs)}"


# Never elsewhere (RFC 6749 section 4.1.2.1)


def assert_page_for_everybody(browser: Browser, target: str, deployment: Deployment) -> None:
    """Check that nobody gets redirected: not signed in, signed in, nor by a form."""
    csrf = browser.get(deployment.add_app(name="Other").authorization_url()).form.fields["csrf_token"]
    before = deployment.snapshot()
    assert_error_page(Browser().get(target))
    assert_error_page(browser.get(target))
    for decision in ("allow", "deny"):
        body = urlencode({"decision": decision, "csrf_token": csrf})
        assert_error_page(browser._go("POST", target, body))
    assert deployment.snapshot() == before


NEAR_MISSES = (
    CALLBACK + "/",
    CALLBACK + "?",
    CALLBACK + "?a=b",
    CALLBACK + "#",
    CALLBACK + "#a",
    CALLBACK + "%00",
    CALLBACK + "/../callback",
    CALLBACK + "\\",
    CALLBACK + " ",
    " " + CALLBACK,
    CALLBACK + ",https://evil.example/",
    CALLBACK[:-1],
    "http://app.example.com/callback",
    "HTTPS://app.example.com/callback",
    "https://APP.example.com/callback",
    "https://app.example.com/Callback",
    "https://app.example.com:443/callback",
    "https://app.example.com./callback",
    "https://app.example.com//callback",
    "https://app.example.com/%63allback",
    "https://app.example.com",
    "https://app.example.com/",
    "https://x.app.example.com/callback",
    "https://example.com/callback",
    "https://app.example.com.evil.example/callback",
    "https://app.example.com@evil.example/callback",
    "https://user@app.example.com/callback",
    "https://evil.example/https://app.example.com/callback",
    "https://evil.example\\@app.example.com/callback",
    "https://аpp.example.com/callback",  # noqa: RUF001 (the first letter is Cyrillic)
    "//app.example.com/callback",
    "/callback",
    "callback",
    "javascript:alert(1)//https://app.example.com/callback",
    "data:text/html,x",
    "urn:ietf:wg:oauth:2.0:oob",
    "https://app.example.com/callback\nSet-Cookie: a=b",
    "x" * 5000,
)


@pytest.mark.parametrize("redirect_uri", NEAR_MISSES)
def test_a_redirect_uri_that_is_not_registered_never_redirects(
    deployment: Deployment, app: App, browser: Browser, redirect_uri: str
) -> None:
    assert_page_for_everybody(browser, app.authorization_url(redirect_uri=redirect_uri), deployment)


UNUSABLE: dict[str, tuple[tuple[str, str], ...]] = {
    "unknown client": (("client_id", "0123456789abcdef"), ("redirect_uri", CALLBACK)),
    "no client": (("redirect_uri", CALLBACK),),
    "empty client": (("client_id", ""), ("redirect_uri", CALLBACK)),
    "endless client": (("client_id", "x" * 5000), ("redirect_uri", CALLBACK)),
    "control character in client": (("client_id", "\0"), ("redirect_uri", CALLBACK)),
    "repeated client": (("client_id", "{id}"), ("client_id", "{id}"), ("redirect_uri", CALLBACK)),
    "no redirect URI": (("client_id", "{id}"),),
    "empty redirect URI": (("client_id", "{id}"), ("redirect_uri", "")),
    "repeated redirect URI": (
        ("client_id", "{id}"),
        ("redirect_uri", CALLBACK),
        ("redirect_uri", CALLBACK),
    ),
    "repeated redirect_url": (
        ("client_id", "{id}"),
        ("redirect_url", CALLBACK),
        ("redirect_url", "https://evil.example/"),
    ),
    "redirect_url differs": (
        ("client_id", "{id}"),
        ("redirect_uri", CALLBACK),
        ("redirect_url", "https://evil.example/"),
    ),
    "redirect_uri differs": (
        ("client_id", "{id}"),
        ("redirect_uri", "https://evil.example/"),
        ("redirect_url", CALLBACK),
    ),
    "redirect_url repeated next to a good redirect_uri": (
        ("client_id", "{id}"),
        ("redirect_uri", CALLBACK),
        ("redirect_url", CALLBACK),
        ("redirect_url", CALLBACK),
    ),
}


@pytest.mark.parametrize("pairs", UNUSABLE.values(), ids=UNUSABLE)
def test_a_client_or_redirect_uri_that_cannot_be_trusted_never_redirects(
    deployment: Deployment, app: App, browser: Browser, pairs: tuple[tuple[str, str], ...]
) -> None:
    filled = [(name, value.replace("{id}", app.client_id)) for name, value in pairs]
    target = url(*filled, ("response_type", "code"), ("state", "xyz"))
    assert_page_for_everybody(browser, target, deployment)


def test_two_registered_redirect_uris_that_differ_never_redirect(
    deployment: Deployment, browser: Browser
) -> None:
    other = "https://app.example.com/other"
    app = deployment.add_app(redirect_uris=(CALLBACK, other))
    target = app.authorization_url(redirect_uri=CALLBACK, redirect_url=other)
    assert_page_for_everybody(browser, target, deployment)


def test_a_disabled_client_never_redirects(deployment: Deployment, app: App, browser: Browser) -> None:
    registration.disable(deployment.client(app))
    clients.forget()
    assert_page_for_everybody(browser, app.authorization_url(), deployment)


def test_an_error_page_repeats_nothing_of_the_request(app: App) -> None:
    for name in ("client_id", "redirect_uri", "redirect_url"):
        assert "canary" not in Browser().get(app.authorization_url(**{name: "https://canary/"})).body


@pytest.mark.parametrize(
    "used",
    [
        "http://127.0.0.1:49152/other",
        "http://127.0.0.1:49152/callback?a=b",
        "http://127.0.0.1:49152",
        "http://127.0.0.2:49152/callback",
        "http://localhost:49152/callback",
        "http://[::1]:49152/callback",
        "https://127.0.0.1:49152/callback",
        "http://127.0.0.1:123456/callback",
        "http://127.0.0.1:x/callback",
        "http://127.0.0.1:80@evil.example/callback",
        "http://127.0.0.1.evil.example:80/callback",
        "http://user@127.0.0.1:80/callback",
        "http://127.0.0.1:80\\@evil.example/callback",
        "http://127.1:80/callback",
        "http://127.0.0.1:８０/callback",  # noqa: RUF001 (full-width digits)
        "http://127.0.0.1:80/callback\n",
    ],
)
def test_only_the_port_of_a_loopback_uri_is_free(
    deployment: Deployment, app: App, browser: Browser, used: str
) -> None:
    public = deployment.add_app(redirect_uris=("http://127.0.0.1/callback",), public=True)
    assert_page_for_everybody(browser, public.authorization_url(redirect_uri=used, **S256), deployment)


def test_the_port_of_a_https_uri_is_never_free(deployment: Deployment, app: App, browser: Browser) -> None:
    public = deployment.add_app(public=True)
    target = public.authorization_url(redirect_uri="https://app.example.com:8443/callback", **S256)
    assert_page_for_everybody(browser, target, deployment)


def test_a_code_for_one_port_is_redeemed_with_the_same_port(deployment: Deployment, browser: Browser) -> None:
    app = deployment.add_app(redirect_uris=("http://127.0.0.1/callback",), public=True)
    used = "http://127.0.0.1:49152/callback"
    code = deployment.code(app, browser, redirect_uri=used, **S256)
    other = "http://127.0.0.1:49153/callback"
    assert app.exchange(code, redirect_uri=other, code_verifier=VERIFIER).status == 400
    assert app.exchange(code, redirect_uri=used, code_verifier=VERIFIER).status == 200


# What goes back to the application, and how


@pytest.mark.parametrize(
    "state", ["0", "a b", "a&code=evil", "ü€😀", '"><script>', "%00", "+", "x" * 4096, "#"]
)
def test_state_comes_back_as_it_was(app: App, browser: Browser, state: str) -> None:
    answer = browser.submit(browser.get(app.authorization_url(state=state)), decision="allow")
    pairs = parse_qsl(urlsplit(answer.location).query, strict_parsing=True)
    assert [value for name, value in pairs if name == "state"] == [state]
    assert sorted(name for name, _ in pairs) == ["code", "iss", "state"]


@pytest.mark.parametrize(
    "pairs", [(("state", "a"), ("state", "b")), (("state", "x" * 4097),), (("state", "\n"),)]
)
def test_a_state_that_is_no_state_does_not_come_back(app: App, pairs: tuple[tuple[str, str], ...]) -> None:
    target = url(("client_id", app.client_id), ("redirect_uri", CALLBACK), ("response_type", "code"), *pairs)
    answer = Browser().get(target)
    assert_error_redirect(answer, CALLBACK, "invalid_request")
    assert "state" not in answer.redirect_params


def test_a_form_with_an_invalid_request_in_its_url_goes_back_too(app: App, browser: Browser) -> None:
    page = browser.get(app.authorization_url())
    body = urlencode(page.form.fields | {"decision": "allow"})
    answer = browser._go("POST", app.authorization_url(scope="admin"), body)
    assert_error_redirect(answer, CALLBACK, "invalid_scope")


def test_a_redirect_is_a_303_that_nobody_keeps_and_that_leaks_no_referrer(app: App, browser: Browser) -> None:
    for decision in ("deny", "allow"):
        answer = browser.submit(browser.get(app.authorization_url()), decision=decision)
        assert answer.status == 303
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"


def test_a_content_type_without_content_does_no_harm(app: App) -> None:
    target = urlsplit(app.authorization_url())
    sent = event("GET", target.path, query=parse_qsl(target.query), headers={"Content-Type": FORM})
    assert send(sent).status == 200


@pytest.mark.parametrize(
    "challenge",
    [
        {"code_challenge": VERIFIER, "code_challenge_method": "plain"},
        {"code_challenge": CHALLENGE},
        {"code_challenge": CHALLENGE, "code_challenge_method": ""},
        {"code_challenge": CHALLENGE, "code_challenge_method": "s256"},
        {"code_challenge": CHALLENGE, "code_challenge_method": "S512"},
        {"code_challenge_method": "S256"},
        {"code_challenge": "", "code_challenge_method": "S256"},
        {"code_challenge": CHALLENGE[:-1], "code_challenge_method": "S256"},
        {"code_challenge": CHALLENGE + "=", "code_challenge_method": "S256"},
        {"code_challenge": CHALLENGE[:-1] + "/", "code_challenge_method": "S256"},
    ],
)
def test_any_other_challenge_is_refused(app: App, browser: Browser, challenge: dict[str, str]) -> None:
    assert_error_redirect(browser.get(app.authorization_url(**challenge)), CALLBACK, "invalid_request")
