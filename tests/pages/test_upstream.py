"""Signing in with an OpenID provider: the way there, the way back, and all that can be wrong with it."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from joserfc.jwk import ECKey, OctKey

from chalicelib import clock
from chalicelib.accounts import accounts, identities
from chalicelib.accounts import provider as provider_module
from chalicelib.models.session import UpstreamSignIn
from chalicelib.models.user import Account
from tests.conftest import Log, Time
from tests.expect import assert_error_page
from tests.faults import FAULTS, meanwhile, storage_fails
from tests.harness import EMAIL, HOST, PASSWORD, Answer, App, Browser, Deployment, Form, count_requests
from tests.openapi import documented
from tests.openid_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    CODE,
    PERSON_EMAIL,
    SUBJECT,
    Provider,
    rsa_key,
    running_provider,
)

ChangeSetting = Callable[[str, object], None]

BUTTON = "/sign-in/upstream"
CALLBACK = f"{BUTTON}/callback"
COOKIE = "__Host-session"
LONG = 300 * 1024


@pytest.fixture
def provider(change_setting: ChangeSetting) -> Iterator[Provider]:
    """A provider that the settings name."""
    with running_provider() as provider:
        change_setting("upstream_issuer", provider.issuer)
        change_setting("upstream_client_id", CLIENT_ID)
        change_setting("upstream_client_secret", CLIENT_SECRET)
        change_setting("upstream_name", "Example & Co")
        provider_module.forget()
        yield provider
        provider_module.forget()


@pytest.fixture
def app(deployment: Deployment) -> App:
    return deployment.add_app(name="Waiting application")


@pytest.fixture
def browser() -> Browser:
    return Browser()


def button(page: Answer) -> Form:
    """Return the form that leads to the provider."""
    (form,) = [form for form in page.forms if form.action.endswith(BUTTON)]
    return form


def leave(browser: Browser, page: str = "/sign-in") -> Answer:
    """Press the button on a page."""
    shown = browser.get(page)
    return browser.submit(shown, button(shown))


def sign_in(browser: Browser, provider: Provider, page: str = "/sign-in", **changes: str | None) -> Answer:
    """Go to the provider and back."""
    return browser.get(f"{CALLBACK}?{provider.sign_in(leave(browser, page).location, **changes)}")


def is_signed_in(browser: Browser) -> bool:
    return browser.get("/connections").status == 200


def assert_not_signed_in(answer: Answer, browser: Browser, deployment: Deployment, status: int = 502) -> None:
    assert_error_page(answer, status)
    assert not is_signed_in(browser)
    assert deployment.snapshot()["users"] == []


def all_accounts() -> list[Account]:
    return [row for row in Account.scan() if isinstance(row, Account)]


# Who signs in for the first time, and again


def test_the_first_sign_in_makes_an_account(
    deployment: Deployment, provider: Provider, browser: Browser
) -> None:
    answer = sign_in(browser, provider)
    assert (answer.status, answer.location) == (303, "/connections")
    assert is_signed_in(browser)
    account = accounts.find_by_email(PERSON_EMAIL)
    assert account
    assert account.password_hash is None


def test_the_second_sign_in_finds_it(deployment: Deployment, provider: Provider) -> None:
    for _ in range(2):
        browser = Browser()
        sign_in(browser, provider)
        assert is_signed_in(browser)
    assert len(all_accounts()) == 1


def test_signing_in_leads_back_to_the_application(app: App, provider: Provider, browser: Browser) -> None:
    back = sign_in(browser, provider, app.authorization_url(state="s"))
    page = browser.get(back.location)
    assert PERSON_EMAIL in page.body
    answer = browser.submit(page, decision="allow")
    assert answer.redirect_params["state"] == "s"
    assert app.exchange(answer.redirect_params["code"]).status == 200


def test_another_address_at_the_provider_is_still_the_same_account(
    deployment: Deployment, provider: Provider, browser: Browser
) -> None:
    sign_in(Browser(), provider)
    provider.person["email"] = "new@example.org"
    sign_in(browser, provider)
    assert is_signed_in(browser)
    assert [account.email for account in all_accounts()] == [PERSON_EMAIL]


def test_an_address_that_is_verified_no_longer_keeps_nobody_out(
    deployment: Deployment, provider: Provider, browser: Browser
) -> None:
    sign_in(Browser(), provider)
    provider.person = {"sub": SUBJECT}
    sign_in(browser, provider)
    assert is_signed_in(browser)
    assert "/userinfo" not in provider.asked


def test_another_subject_is_another_person(deployment: Deployment, provider: Provider) -> None:
    sign_in(Browser(), provider)
    provider.person = {"sub": "another", "email": "another@example.org", "email_verified": True}
    sign_in(Browser(), provider)
    assert {account.email for account in all_accounts()} == {PERSON_EMAIL, "another@example.org"}


def test_a_local_account_with_the_address_is_linked(
    deployment: Deployment, provider: Provider, browser: Browser
) -> None:
    account = deployment.add_account(PERSON_EMAIL, PASSWORD)
    provider.person["email"] = PERSON_EMAIL.upper()
    sign_in(browser, provider)
    assert PERSON_EMAIL in browser.get(deployment.add_app().authorization_url()).body
    assert [found.user_id for found in all_accounts()] == [account.user_id]


def test_a_linked_account_keeps_its_password(deployment: Deployment, provider: Provider) -> None:
    deployment.add_account(PERSON_EMAIL, PASSWORD)
    sign_in(Browser(), provider)
    browser = Browser()
    page = browser.get("/sign-in")
    assert browser.submit(page, page.forms[0], email=PERSON_EMAIL, password=PASSWORD).status == 303
    account = accounts.find_by_email(PERSON_EMAIL)
    assert account
    accounts.set_password(account, "another password")
    sign_in(browser, provider)
    assert is_signed_in(browser)


def test_an_account_without_a_password_has_none_that_fits(deployment: Deployment, provider: Provider) -> None:
    sign_in(Browser(), provider)
    browser = Browser()
    page = browser.get("/sign-in")
    answer = browser.submit(page, page.forms[0], email=PERSON_EMAIL, password="")
    assert answer.status == 422


def test_an_address_that_was_handed_on_does_not_bring_the_account_along(
    deployment: Deployment, provider: Provider, browser: Browser
) -> None:
    sign_in(Browser(), provider)
    provider.person["sub"] = "the next one with this mailbox"
    answer = sign_in(browser, provider)
    assert answer.status == 422
    assert not is_signed_in(browser)
    assert len(all_accounts()) == 1


def test_an_account_that_was_unlinked_can_be_linked_anew_and_only_then(
    deployment: Deployment, provider: Provider, browser: Browser
) -> None:
    before = Browser()
    sign_in(before, provider)
    account = accounts.find_by_email(PERSON_EMAIL)
    assert account
    identities.unlink(account)
    assert not is_signed_in(before)
    provider.person["sub"] = "new"
    sign_in(browser, provider)
    assert is_signed_in(browser)
    provider.person["sub"] = SUBJECT
    assert sign_in(Browser(), provider).status == 422


def test_the_account_of_another_provider_is_linked_to_the_one_that_the_operator_chose_since(
    deployment: Deployment, provider: Provider, browser: Browser, change_setting: ChangeSetting
) -> None:
    identities.account_of("https://former.example", SUBJECT, lambda: PERSON_EMAIL)
    sign_in(browser, provider)
    assert is_signed_in(browser)
    assert len(all_accounts()) == 1


def test_the_same_subject_at_another_provider_is_somebody_else(
    deployment: Deployment, provider: Provider
) -> None:
    identities.account_of("https://former.example", SUBJECT, lambda: EMAIL)
    sign_in(Browser(), provider)
    assert {account.email for account in all_accounts()} == {EMAIL, PERSON_EMAIL}


@pytest.mark.parametrize("first", ["sign_in", "link"])
def test_a_disabled_account_stays_out(
    deployment: Deployment, provider: Provider, browser: Browser, first: str
) -> None:
    if first == "sign_in":
        sign_in(Browser(), provider)
    else:
        deployment.add_account(PERSON_EMAIL)
    account = accounts.find_by_email(PERSON_EMAIL)
    assert account
    accounts.disable(account)
    answer = sign_in(browser, provider)
    assert answer.status == 422
    assert "disabled" not in answer.body
    assert not is_signed_in(browser)


def test_two_first_sign_ins_at_once_make_one_account(
    deployment: Deployment, provider: Provider, browser: Browser
) -> None:
    with meanwhile("TransactWriteItems", lambda: sign_in(Browser(), provider)):
        sign_in(browser, provider)
    assert is_signed_in(browser)
    assert len(all_accounts()) == 1


def test_two_first_sign_ins_at_once_link_one_account(
    deployment: Deployment, provider: Provider, browser: Browser
) -> None:
    account = deployment.add_account(PERSON_EMAIL)
    with meanwhile("TransactWriteItems", lambda: sign_in(Browser(), provider)):
        sign_in(browser, provider)
    assert is_signed_in(browser)
    assert [found.user_id for found in all_accounts()] == [account.user_id]


def test_an_account_that_appears_meanwhile_is_linked(
    deployment: Deployment, provider: Provider, browser: Browser
) -> None:
    with meanwhile("TransactWriteItems", lambda: deployment.add_account(PERSON_EMAIL)):
        sign_in(browser, provider)
    assert is_signed_in(browser)
    assert len(all_accounts()) == 1


def test_an_account_disabled_meanwhile_is_not_linked(
    deployment: Deployment, provider: Provider, browser: Browser
) -> None:
    account = deployment.add_account(PERSON_EMAIL)
    with meanwhile("TransactWriteItems", lambda: accounts.disable(account)):
        assert sign_in(browser, provider).status == 422
    assert not is_signed_in(browser)


# The e-mail address


@pytest.mark.parametrize("verified", [None, False, "false", 1, "yes", "True"])
def test_an_address_that_is_not_verified_makes_no_account(
    deployment: Deployment, provider: Provider, browser: Browser, verified: object
) -> None:
    provider.claims["email_verified"] = verified
    answer = sign_in(browser, provider)
    assert "is verified" in answer.body
    assert_not_signed_in(answer, browser, deployment, 422)


def test_an_address_that_is_not_verified_links_no_account(
    deployment: Deployment, provider: Provider, browser: Browser
) -> None:
    deployment.add_account(PERSON_EMAIL)
    provider.claims["email_verified"] = False
    assert sign_in(browser, provider).status == 422
    assert not is_signed_in(browser)


def test_true_may_be_written_as_a_string(
    deployment: Deployment, provider: Provider, browser: Browser
) -> None:
    provider.claims["email_verified"] = "true"
    sign_in(browser, provider)
    assert is_signed_in(browser)


def test_the_operator_can_vouch_for_addresses_of_which_the_provider_does_not_say(
    deployment: Deployment, provider: Provider, browser: Browser, change_setting: ChangeSetting
) -> None:
    change_setting("upstream_email_is_verified", True)
    provider.claims["email_verified"] = False
    assert sign_in(browser, provider).status == 422
    provider.claims["email_verified"] = None
    sign_in(browser, provider)
    assert is_signed_in(browser)


@pytest.mark.parametrize("email", [None, "", 1, "no address", "a@b@c", "x" * 300 + "@example.org", ["a@b.c"]])
def test_an_address_that_is_none_makes_no_account(
    deployment: Deployment, provider: Provider, browser: Browser, email: object
) -> None:
    provider.claims["email"] = email
    assert_not_signed_in(sign_in(browser, provider), browser, deployment, 422)


def test_an_address_may_be_at_the_userinfo_endpoint(
    deployment: Deployment, provider: Provider, browser: Browser
) -> None:
    provider.person = {"sub": SUBJECT}
    provider.userinfo = {"email": PERSON_EMAIL, "email_verified": True}
    sign_in(browser, provider)
    assert is_signed_in(browser)
    assert provider.headers[-1]["Authorization"] == "Bearer access-token-canary"


def test_the_userinfo_of_somebody_else_is_refused(
    deployment: Deployment, provider: Provider, browser: Browser
) -> None:
    provider.person = {"sub": SUBJECT}
    provider.userinfo = {"sub": "somebody else", "email": PERSON_EMAIL, "email_verified": True}
    assert_not_signed_in(sign_in(browser, provider), browser, deployment)


# The way there


def test_the_request_is_what_openid_connect_wants(provider: Provider, browser: Browser, app: App) -> None:
    provider.sign_in(leave(browser).location)
    asked = provider.request
    assert asked["response_type"] == "code"
    assert asked["scope"] == "openid email"
    assert asked["client_id"] == CLIENT_ID
    assert asked["redirect_uri"] == f"https://{HOST}{CALLBACK}"
    assert asked["code_challenge_method"] == "S256"
    assert {len(asked[name]) for name in ("state", "nonce", "code_challenge")} == {43}
    assert set(asked) == {
        *("response_type", "scope", "client_id", "redirect_uri"),
        *("state", "nonce", "code_challenge", "code_challenge_method"),
    }


def test_each_request_is_another(provider: Provider, browser: Browser, app: App) -> None:
    first, second = (dict(parse_qsl(urlsplit(leave(browser).location).query)) for _ in range(2))
    for name in ("state", "nonce", "code_challenge"):
        assert first[name] != second[name]


def test_an_application_that_wants_a_fresh_sign_in_gets_one_from_the_provider_too(
    app: App, provider: Provider, browser: Browser
) -> None:
    url = app.authorization_url(prompt="login")
    failed = sign_in(browser, provider, url, code=None, error="access_denied")
    assert provider.request["prompt"] == "login"
    provider.sign_in(browser.submit(failed, button(failed)).location)
    assert provider.request["prompt"] == "login"
    provider.sign_in(leave(browser, app.authorization_url()).location)
    assert "prompt" not in provider.request


def test_a_prompt_that_is_not_ours_is_not_handed_on(provider: Provider, browser: Browser, app: App) -> None:
    page = browser.get("/sign-in")
    provider.sign_in(browser.submit(page, button(page), prompt="none").location)
    assert "prompt" not in provider.request


@pytest.mark.parametrize("csrf_token", ["", "x", "0" * 64])
def test_a_forged_form_leads_nowhere(
    deployment: Deployment, provider: Provider, browser: Browser, csrf_token: str
) -> None:
    page = browser.get("/sign-in")
    assert_error_page(browser.submit(page, button(page), csrf_token=csrf_token), 403)
    assert deployment.snapshot()["sessions"] == []


@pytest.mark.parametrize("elsewhere", ["", "https://evil.example/", "//evil.example/", "/\\evil.example/"])
def test_signing_in_never_leads_elsewhere(
    deployment: Deployment, provider: Provider, browser: Browser, elsewhere: str
) -> None:
    page = browser.get("/sign-in")
    fields: dict[str, str] = {"continue": elsewhere}
    assert_error_page(browser.submit(page, button(page), **fields))
    assert deployment.snapshot()["sessions"] == []


def test_under_a_stage_everything_stays_there(deployment: Deployment, provider: Provider) -> None:
    browser = Browser("/prod")
    page = browser.get("/prod/sign-in")
    away = browser.submit(page, button(page))
    back = browser.get(f"/prod{CALLBACK}?{provider.sign_in(away.location)}")
    assert provider.request["redirect_uri"] == f"https://{HOST}/prod{CALLBACK}"
    assert back.location == "/prod/connections"


def test_the_page_permits_the_way_to_the_provider(provider: Provider, browser: Browser, app: App) -> None:
    page = browser.get("/sign-in")
    assert "form-action" not in page.headers["content-security-policy"]
    assert "Continue with Example &amp; Co" in page.body


def test_without_a_provider_there_is_no_way(deployment: Deployment, browser: Browser) -> None:
    page = browser.get("/sign-in")
    assert "upstream" not in page.body
    fields = page.form.fields | {"continue": "/"}
    assert_error_page(browser._go("POST", BUTTON, urlencode(fields)), 404)
    assert_error_page(browser.get(f"{CALLBACK}?code=x&state=x"), 404)


# Local accounts switched off


def test_without_local_accounts_the_page_has_the_button_alone(
    provider: Provider, browser: Browser, app: App, change_setting: ChangeSetting
) -> None:
    change_setting("local_accounts", False)
    page = browser.get(app.authorization_url())
    assert "password" not in page.form.fields
    assert page.form == button(page)
    assert "password" not in page.body
    sign_in(browser, provider, app.authorization_url())
    assert is_signed_in(browser)


def test_without_local_accounts_no_password_signs_anybody_in(
    deployment: Deployment, provider: Provider, browser: Browser, change_setting: ChangeSetting
) -> None:
    deployment.add_account()
    page = browser.get("/sign-in")
    change_setting("local_accounts", False)
    assert_error_page(browser.submit(page, page.forms[0], email=EMAIL, password=PASSWORD), 403)
    assert not is_signed_in(browser)


# The way back


def test_signing_in_rotates_the_cookie(deployment: Deployment, provider: Provider, browser: Browser) -> None:
    browser.get("/sign-in")
    before = browser.cookies[COOKIE]
    sign_in(browser, provider)
    assert browser.cookies[COOKIE].startswith("obs_")
    attacker = Browser()
    attacker.cookies = {COOKIE: before}
    assert not is_signed_in(attacker)


def test_an_answer_counts_once(deployment: Deployment, provider: Provider, browser: Browser) -> None:
    away = leave(browser)
    before = dict(browser.cookies)
    answer = f"{CALLBACK}?{provider.sign_in(away.location)}"
    assert browser.get(answer).status == 303
    browser.cookies = before
    again = browser.get(answer)
    assert again.status == 400
    assert again.set_cookies == []
    assert not is_signed_in(browser)
    assert provider.asked.count("/token") == 1


def test_of_two_answers_at_once_one_counts(
    deployment: Deployment, provider: Provider, browser: Browser
) -> None:
    answer = f"{CALLBACK}?{provider.sign_in(leave(browser).location)}"
    other = Browser()
    other.cookies = dict(browser.cookies)
    with meanwhile("UpdateItem", lambda: other.get(answer)):
        assert browser.get(answer).status == 400
    assert is_signed_in(other)
    assert provider.asked.count("/token") == 1


def test_the_answer_for_another_browser_signs_nobody_in(
    deployment: Deployment, provider: Provider, browser: Browser
) -> None:
    """An attacker's sign-in cannot be planted in somebody else's browser (RFC 9700 section 4.7)."""
    answer = f"{CALLBACK}?{provider.sign_in(leave(Browser()).location)}"
    browser.get("/sign-in")
    for victim in (browser, Browser()):
        refused = victim.get(answer)
        assert refused.status == 400
        assert not is_signed_in(victim)
    assert "/token" not in provider.asked


def test_after_ten_minutes_it_is_too_late(
    deployment: Deployment, provider: Provider, browser: Browser, time: Time
) -> None:
    away = leave(browser)
    time.passes(600)
    assert browser.get(f"{CALLBACK}?{provider.sign_in(away.location)}").status == 400
    assert not is_signed_in(browser)


@pytest.mark.parametrize(
    "query",
    ["", "code=x", "state=", "state=x", "code=x&state=x", "state=a&state=b", "state=%00", "state=%ff"],
)
def test_an_answer_to_nothing_is_an_error_page(
    deployment: Deployment, provider: Provider, browser: Browser, query: str
) -> None:
    leave(browser)
    before = deployment.snapshot()
    assert_error_page(browser.get(f"{CALLBACK}?{query}"))
    assert deployment.snapshot() == before
    assert "/token" not in provider.asked


@pytest.mark.parametrize(
    ("error", "says"),
    [("access_denied", "did not sign in"), ("server_error", "did not work"), ("<b>", "not")],
)
def test_an_error_leads_back_to_the_form(
    deployment: Deployment, app: App, provider: Provider, browser: Browser, error: str, says: str
) -> None:
    url = app.authorization_url(state="s")
    changes = {"error": error, "error_description": "description-canary"}
    answer = sign_in(browser, provider, url, code=None, **changes)
    assert says in answer.body
    assert "canary" not in answer.body
    assert "<b>" not in answer.body
    assert "Waiting application" in answer.body
    assert_not_signed_in(answer, browser, deployment, 422)
    back = browser.submit(answer, button(answer))
    assert browser.get(f"{CALLBACK}?{provider.sign_in(back.location)}").location.endswith("state=s")


@pytest.mark.parametrize("iss", ["https://evil.example", "", "{issuer}/"])
def test_an_answer_of_another_issuer_is_refused(
    deployment: Deployment, provider: Provider, browser: Browser, iss: str
) -> None:
    answer = sign_in(browser, provider, iss=iss.format(issuer=provider.issuer))
    assert_not_signed_in(answer, browser, deployment)
    assert "/token" not in provider.asked


def test_a_provider_that_names_itself_does_so_always(
    deployment: Deployment, provider: Provider, browser: Browser
) -> None:
    assert_not_signed_in(sign_in(browser, provider, iss=None), browser, deployment)


def test_a_provider_need_not_name_itself(
    deployment: Deployment, provider: Provider, browser: Browser
) -> None:
    provider.metadata["authorization_response_iss_parameter_supported"] = None
    sign_in(browser, provider, iss=None)
    assert is_signed_in(browser)


def test_an_answer_without_a_code_is_refused(
    deployment: Deployment, provider: Provider, browser: Browser
) -> None:
    assert_not_signed_in(sign_in(browser, provider, code=None), browser, deployment, 400)


def test_a_code_that_the_provider_does_not_take_leads_back_to_the_form(
    deployment: Deployment, provider: Provider, browser: Browser
) -> None:
    assert_not_signed_in(sign_in(browser, provider, code="another"), browser, deployment, 422)


# The ID token


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"iss": ["{issuer}"]},
        {"aud": "another"},
        {"aud": "another", "azp": CLIENT_ID},
        {"aud": None},
        {"aud": []},
        {"aud": {CLIENT_ID: 1}},
        {"aud": ["another"]},
        {"aud": [CLIENT_ID, "another"]},
        {"aud": [CLIENT_ID, "another"], "azp": "another"},
        {"azp": "another"},
        {"exp": None},
        {"exp": 1},
        {"exp": "2999-01-01"},
        {"exp": True},
        {"iat": None},
        {"iat": 1 << 40},
        {"nbf": 1 << 40},
        {"sub": None},
        {"sub": ""},
        {"sub": 1},
        {"sub": "x" * 256},
        {"at_hash": "of another token"},
    ],
    ids=str,
)
def test_an_id_token_with_a_wrong_claim_signs_nobody_in(
    deployment: Deployment, provider: Provider, browser: Browser, claims: dict[str, Any]
) -> None:
    provider.claims = claims
    assert_not_signed_in(sign_in(browser, provider), browser, deployment)


def test_an_id_token_that_has_expired_signs_nobody_in(
    deployment: Deployment, provider: Provider, browser: Browser, time: Time
) -> None:
    away = leave(browser)
    time.passes(300 + clock.SKEW + 30)
    assert_not_signed_in(browser.get(f"{CALLBACK}?{provider.sign_in(away.location)}"), browser, deployment)


@pytest.mark.parametrize("skew", [clock.SKEW, -clock.SKEW + 1])
def test_clocks_may_differ(
    deployment: Deployment, provider: Provider, browser: Browser, time: Time, skew: int
) -> None:
    time.passes(skew)
    sign_in(browser, provider)
    assert is_signed_in(browser)


def test_several_audiences_are_fine_if_it_was_issued_to_us(
    deployment: Deployment, provider: Provider, browser: Browser
) -> None:
    provider.claims = {"aud": [CLIENT_ID, "another"], "azp": CLIENT_ID}
    sign_in(browser, provider)
    assert is_signed_in(browser)


def test_the_nonce_of_an_earlier_sign_in_does_not_count(
    deployment: Deployment, provider: Provider, browser: Browser
) -> None:
    sign_in(browser, provider, code=None, error="access_denied")
    provider.claims = {"nonce": provider.request["nonce"]}
    assert_not_signed_in(sign_in(browser, provider), browser, deployment)


@pytest.mark.filterwarnings("ignore:JWS algorithm")
def test_an_id_token_without_a_signature_signs_nobody_in(
    deployment: Deployment, provider: Provider, browser: Browser
) -> None:
    provider.key, provider.algorithm = OctKey.generate_key(parameters={"kid": "one"}), "none"
    assert_not_signed_in(sign_in(browser, provider), browser, deployment)


def test_an_id_token_that_others_than_the_provider_can_sign_signs_nobody_in(
    deployment: Deployment, provider: Provider, browser: Browser
) -> None:
    """Whatever it publishes: the client knows a symmetric key as well."""
    provider.key, provider.algorithm = OctKey.import_key(CLIENT_SECRET, {"kid": "one"}), "HS256"
    provider.published = [provider.key.as_dict()]
    assert_not_signed_in(sign_in(browser, provider), browser, deployment)


def test_an_id_token_signed_by_somebody_else_signs_nobody_in(
    deployment: Deployment, provider: Provider, browser: Browser
) -> None:
    kid = provider.key.kid
    provider.key = rsa_key("somebody else's")
    provider.header = {"kid": kid}
    assert_not_signed_in(sign_in(browser, provider), browser, deployment)


@pytest.mark.parametrize("curve", ["P-256", "P-384"])
def test_elliptic_curves_are_fine(
    deployment: Deployment, provider: Provider, browser: Browser, curve: str
) -> None:
    provider.key = ECKey.generate_key(curve, {"kid": "curve"})
    provider.algorithm = {"P-256": "ES256", "P-384": "ES384"}[curve]
    provider.publish(rsa_key("one"), provider.key)
    sign_in(browser, provider)
    assert is_signed_in(browser)


def test_keys_that_we_do_not_understand_are_ignored(
    deployment: Deployment, provider: Provider, browser: Browser
) -> None:
    provider.published[:0] = [
        {"kty": "AKP", "kid": "quantum"},
        {"kty": "EC", "crv": "P-999", "kid": "curve", "x": "", "y": ""},
        {"kty": "RSA", "kid": "broken"},
        {},
        rsa_key("two").as_dict(private=False) | {"kid": "one", "use": "enc"},
    ]
    sign_in(browser, provider)
    assert is_signed_in(browser)


def test_a_token_need_not_name_the_only_key(
    deployment: Deployment, provider: Provider, browser: Browser
) -> None:
    provider.header = {"kid": None}
    sign_in(browser, provider)
    assert is_signed_in(browser)


def test_a_token_has_to_name_one_of_several_keys(
    deployment: Deployment, provider: Provider, browser: Browser
) -> None:
    provider.header = {"kid": None}
    provider.publish(rsa_key("one"), rsa_key("two"))
    assert_not_signed_in(sign_in(browser, provider), browser, deployment)


def test_an_unknown_key_is_looked_up_once(
    deployment: Deployment, provider: Provider, browser: Browser
) -> None:
    sign_in(Browser(), provider)
    provider.key = rsa_key("two")
    provider.publish(provider.key)
    sign_in(browser, provider)
    assert is_signed_in(browser)
    assert provider.asked.count("/keys") == 2
    provider.header = {"kid": "nowhere"}
    assert sign_in(Browser(), provider).status == 502
    assert provider.asked.count("/keys") == 3


def test_what_the_provider_publishes_is_read_once_an_hour(
    deployment: Deployment, provider: Provider, time: Time
) -> None:
    for passed, times in ((0, 1), (3599, 1), (1, 2)):
        time.passes(passed)
        leave(Browser())
        assert provider.asked.count("/.well-known/openid-configuration") == times


# A provider that does not answer as it should

NONSENSE = [b"", b"x", b"[]", b"null", b"1", b"{}", b"\xff", b"[" * 100_000, b'{"a": "' + b"x" * LONG + b'"}']


@pytest.mark.parametrize("path", ["/token", "/keys", "/.well-known/openid-configuration", "/userinfo"])
@pytest.mark.parametrize("body", NONSENSE, ids=lambda body: repr(body[:10]))
def test_nonsense_is_a_page_that_says_so(
    deployment: Deployment, provider: Provider, browser: Browser, path: str, body: bytes
) -> None:
    away = leave(browser)
    provider_module.forget()
    provider.person = {"sub": SUBJECT}
    provider.answers[path] = (200, body)
    answer = browser.get(f"{CALLBACK}?{provider.sign_in(away.location)}")
    assert "Example &amp; Co does not answer" in answer.body
    assert_not_signed_in(answer, browser, deployment)


def test_a_huge_answer_is_refused_however_right_it_starts(
    deployment: Deployment, provider: Provider, browser: Browser
) -> None:
    keys = json.dumps({"keys": provider.published}).encode()
    provider.answers["/keys"] = (200, keys + b" " * LONG)
    assert_not_signed_in(sign_in(browser, provider), browser, deployment)


@pytest.mark.parametrize("path", ["/token", "/keys", "/userinfo"])
@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_an_error_of_the_provider_is_a_page_that_says_so(
    deployment: Deployment, provider: Provider, browser: Browser, path: str, status: int
) -> None:
    provider.person = {"sub": SUBJECT}
    provider.answers[path] = (status, b"{}")
    assert_not_signed_in(sign_in(browser, provider), browser, deployment)


def test_no_redirect_is_followed(deployment: Deployment, provider: Provider, browser: Browser) -> None:
    provider.answers["/token"] = (307, f"{provider.issuer}/elsewhere".encode())
    assert_not_signed_in(sign_in(browser, provider), browser, deployment)
    assert "/elsewhere" not in provider.asked


@pytest.mark.parametrize(
    "tokens",
    [
        {"id_token": None},
        {"id_token": "x"},
        {"id_token": "a.b.c"},
        {"id_token": {}},
        {"expires_in": "soon"},
        {"error": {"a": 1}},
        {"error": "server_error"},
        {"error": "invalid_client"},
    ],
    ids=str,
)
def test_a_malformed_token_response_is_a_page_that_says_so(
    deployment: Deployment, provider: Provider, browser: Browser, tokens: dict[str, Any]
) -> None:
    provider.tokens = tokens
    assert_not_signed_in(sign_in(browser, provider), browser, deployment)


@pytest.mark.parametrize("access_token", [None, 1, "", "with\nnewline", "ünïcode€"])
def test_a_malformed_access_token_is_a_page_that_says_so(
    deployment: Deployment, provider: Provider, browser: Browser, access_token: object
) -> None:
    provider.person = {"sub": SUBJECT}
    provider.tokens = {"access_token": access_token}
    provider.answers["/userinfo"] = (401, b"")
    assert_not_signed_in(sign_in(browser, provider), browser, deployment)


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"authorization_endpoint": None},
        {"authorization_endpoint": "http://evil.example/authorize"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": "http://evil.example/token"},
        {"token_endpoint": "http://127.0.0.1.evil.example/token"},
        {"token_endpoint": "http://127.0.0.1@evil.example/token"},
        {"token_endpoint": ["https://evil.example"]},
        {"jwks_uri": "file:///etc/passwd"},
        {"userinfo_endpoint": "//evil.example"},
    ],
    ids=str,
)
def test_metadata_that_cannot_be_right_is_a_page_that_says_so(
    deployment: Deployment, provider: Provider, browser: Browser, metadata: dict[str, Any]
) -> None:
    provider.metadata = metadata
    assert_error_page(leave(browser), 502)
    assert deployment.snapshot()["sessions"] == []


def test_a_provider_that_is_down_is_a_page_that_says_so(
    deployment: Deployment, provider: Provider, browser: Browser, change_setting: ChangeSetting
) -> None:
    page = browser.get("/sign-in")
    change_setting("upstream_issuer", "http://127.0.0.1:1")
    assert_error_page(browser.submit(page, button(page)), 502)
    change_setting("upstream_issuer", provider.issuer)
    sign_in(browser, provider)
    assert is_signed_in(browser)


def test_a_provider_that_keeps_us_waiting_is_given_up(
    deployment: Deployment, provider: Provider, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_module, "TIMEOUT", (0.2, 0.2))
    over = threading.Event()
    answer = provider.answer

    def wait(path: str, form: dict[str, str]) -> tuple[int, bytes]:
        over.wait(5)
        return answer(path, form)

    monkeypatch.setattr(provider, "answer", wait)
    assert_error_page(leave(browser), 502)
    over.set()


# How we authenticate there


@pytest.mark.parametrize(
    ("methods", "basic"),
    [
        (["client_secret_basic", "client_secret_post"], False),
        (["client_secret_basic"], True),
        (None, True),
        ("x", True),
    ],
)
def test_the_secret_goes_where_the_provider_takes_it(
    deployment: Deployment, provider: Provider, browser: Browser, methods: object, basic: bool
) -> None:
    provider.metadata["token_endpoint_auth_methods_supported"] = methods
    sign_in(browser, provider)
    (index,) = [number for number, path in enumerate(provider.asked) if path == "/token"]
    assert ("Authorization" in provider.headers[index]) == basic
    assert (provider.forms[0].get("client_secret") == CLIENT_SECRET) != basic


def test_without_a_secret_we_are_a_public_client(
    deployment: Deployment, provider: Provider, browser: Browser, change_setting: ChangeSetting
) -> None:
    change_setting("upstream_client_secret", "")
    provider.secret = None
    sign_in(browser, provider)
    assert is_signed_in(browser)
    assert "client_secret" not in provider.forms[0]


def test_the_secret_may_be_in_systems_manager(
    deployment: Deployment, provider: Provider, browser: Browser, change_setting: ChangeSetting
) -> None:
    import boto3

    ssm = boto3.client("ssm", region_name="us-east-1")
    ssm.put_parameter(Name="/oauth/upstream", Value=CLIENT_SECRET, Type="SecureString")
    change_setting("upstream_client_secret", "ssm:/oauth/upstream")
    sign_in(browser, provider)
    assert is_signed_in(browser)
    ssm.delete_parameter(Name="/oauth/upstream")
    sign_in(Browser(), provider)  # A warm function remembers it.
    provider_module.forget()
    assert sign_in(Browser(), provider).status == 502


# What the documents say


def test_leaving_takes_one_request_and_coming_back_four_or_seven(
    deployment: Deployment, provider: Provider
) -> None:
    first = {"UpdateItem": 1, "GetItem": 3, "TransactWriteItems": 1, "PutItem": 2}
    again = {"UpdateItem": 1, "GetItem": 2, "PutItem": 1}
    for expected in (first, again):
        browser = Browser()
        page = browser.get("/sign-in")
        with count_requests() as requests:
            away = browser.submit(page, button(page))
        assert requests == {"PutItem": 1}
        answer = provider.sign_in(away.location)
        with count_requests() as requests:
            browser.get(f"{CALLBACK}?{answer}")
        assert requests == expected


def test_each_answer_is_as_documented(
    deployment: Deployment, provider: Provider, browser: Browser, change_setting: ChangeSetting
) -> None:
    def gone() -> Answer:
        return documented(leave(browser), "POST", BUTTON, 303)

    def back(answer: Answer, status: int, **changes: str | None) -> None:
        url = f"{CALLBACK}?{provider.sign_in(answer.location, **changes)}"
        documented(browser.get(url), "GET", CALLBACK, status)

    documented(browser.get(CALLBACK), "GET", CALLBACK, 400)
    back(gone(), 303)
    back(gone(), 422, error="access_denied")
    back(gone(), 502, iss="https://evil.example")
    page = browser.get("/sign-in")
    documented(browser.submit(page, button(page), csrf_token="x"), "POST", BUTTON, 403)
    provider.answers["/.well-known/openid-configuration"] = (503, b"")
    provider_module.forget()
    documented(browser.submit(page, button(page)), "POST", BUTTON, 502)
    change_setting("upstream_issuer", "")
    documented(browser.submit(page, button(page)), "POST", BUTTON, 404)
    documented(browser.get(CALLBACK), "GET", CALLBACK, 404)


# What nobody may read


def test_nothing_secret_is_logged_stored_or_shown(
    deployment: Deployment, provider: Provider, browser: Browser, caplog: pytest.LogCaptureFixture, log: Log
) -> None:
    pages = []
    with caplog.at_level(logging.DEBUG, "chalicelib"), caplog.at_level(logging.DEBUG, "urllib3"):
        provider.claims = {"nonce": "another"}
        pages.append(sign_in(browser, provider).body)
        provider.claims = {}
        provider.answers["/token"] = (200, json.dumps({"error": f"x {CLIENT_SECRET} {CODE}"}).encode())
        pages.append(sign_in(browser, provider).body)
        del provider.answers["/token"]
        sign_in(browser, provider)
    assert is_signed_in(browser)
    everything = (
        caplog.text + log.read() + str(deployment.trail()) + str(deployment.snapshot()) + "".join(pages)
    )
    secrets = [CLIENT_SECRET, CODE, "access-token-canary", browser.cookies[COOKIE]]
    secrets += [provider.request["nonce"], provider.request["state"], provider.forms[-1]["code_verifier"]]
    for secret in secrets:
        assert secret not in everything


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("operation", ["UpdateItem", "GetItem", "TransactWriteItems", "PutItem"])
def test_failing_storage_signs_nobody_in(
    deployment: Deployment, provider: Provider, browser: Browser, fault: str, operation: str
) -> None:
    away = leave(browser)
    with storage_fails(FAULTS[fault], operation):
        answer = browser.get(f"{CALLBACK}?{provider.sign_in(away.location)}")
    assert_error_page(answer, 503)
    assert answer.set_cookies == []


def test_a_sign_in_under_way_expires(deployment: Deployment, provider: Provider, browser: Browser) -> None:
    leave(browser)
    (row,) = deployment.snapshot()["sessions"]
    assert set(row) == {"key", "kind", "expires_at", "continue_to"}
    assert isinstance(next(iter(UpstreamSignIn.scan())), UpstreamSignIn)
