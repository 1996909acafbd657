"""What `manage.py doctor` checks, in order: all that an application, its user and the API rely on."""

import hashlib
import secrets
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import click
import requests
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.models.table import StorageError
from chalicelib.settings import settings
from management.cli import explain
from management.guests import NAME, REDIRECT_URI, Guests
from management.visitor import Failed, Form, Site, json_of, leads_to, path_of, shown

MARGIN = 5
"""Seconds that a cache may take longer than it says."""

ENDPOINTS = (
    "authorization_endpoint",
    "token_endpoint",
    "revocation_endpoint",
    "introspection_endpoint",
)

SUPPORTED = {"response_types_supported": "code", "code_challenge_methods_supported": "S256"}

HEADERS = {
    "Content-Security-Policy": "frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
"""What the headers of every page must say."""

_BETWEEN = "Does something between here and the functions, a proxy or a CDN, change headers?"
_GATEWAY = "`chalice deploy` leaves the gateway's answers out; CloudFormation has them (docs/operations.md)."
_SAME_STAGE = f"Do --stage and --url mean the same? The tables here are {settings.table_prefix}-*."
_AUTHORIZER = "Look at the log of the function `bearer`: does it read the right tables, and may it?"
_LOG = "Look at the log of the function `api_handler`."


@dataclass
class Case:
    """A stage under examination, and what came out of it so far."""

    site: Site
    guests: Guests
    metadata: dict[str, Any] = field(default_factory=dict)
    page: requests.Response = field(default_factory=requests.Response)
    """Where the browser is."""
    state: str = ""
    code: str = ""
    code_verifier: str = ""
    access_token: str = ""
    refresh_token: str = ""

    def authorization_url(self) -> str:
        """Return the URL that starts an authorization, with fresh PKCE and `state`."""
        self.state, self.code_verifier = secrets.token_urlsafe(16), secrets.token_urlsafe(32)
        challenge = urlsafe_b64encode(hashlib.sha256(self.code_verifier.encode()).digest())
        parameters = {
            "response_type": "code",
            "client_id": self.guests.client_id,
            "redirect_uri": REDIRECT_URI,
            "state": self.state,
            "code_challenge": challenge.rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return f"{self.site.url}/oauth2/authorize/?{urlencode(parameters)}"

    def post(self, path: str, **parameters: str) -> requests.Response:
        """Send a request as the temporary application."""
        credentials = {"client_id": self.guests.client_id, "client_secret": self.guests.client_secret}
        return self.site.post(path, **credentials | parameters)

    def exchange(self, **parameters: str) -> requests.Response:
        """Redeem the code."""
        given = {
            "grant_type": "authorization_code",
            "code": self.code,
            "redirect_uri": REDIRECT_URI,
            "code_verifier": self.code_verifier,
        }
        return self.post("/oauth2/access_token", **given | parameters)

    def refresh(self) -> requests.Response:
        """Trade the refresh token."""
        return self.post("/oauth2/access_token", grant_type="refresh_token", refresh_token=self.refresh_token)

    def is_active(self) -> bool:
        """Ask what the access token stands for, and tell whether it is any good."""
        return _expect(self.post("/oauth2/introspect", token=self.access_token)).get("active") is True


# The stage from outside


def reachable(case: Case) -> str:
    """Is there a server of ours?"""
    answer = case.site.get("/.well-known/oauth-authorization-server")
    if answer.status_code != 200:
        raise Failed(
            f"{path_of(answer)} answered {answer.status_code}",
            "Is the URL right, stage included? Is the stage deployed?",
        )
    case.metadata = json_of(answer)
    return case.site.url


def encrypted(case: Case) -> str:
    """Does nobody read along?"""
    if case.site.is_encrypted:
        return "https"
    if urlsplit(case.site.url).hostname in ("localhost", "127.0.0.1", "::1"):
        return "http, on this machine only"
    raise Failed("http lets everybody on the way read passwords and tokens", "Serve it by https alone.")


def server_metadata(case: Case) -> str:
    """Does RFC 8414's document fit the URL? Libraries compare, and refuse what does not."""
    _expect_issuer(case, case.metadata.get("issuer"))
    for name in ENDPOINTS:
        if not case.site.has(str(case.metadata.get(name, ""))):
            raise Failed(
                f"{name} is {shown(case.metadata.get(name))}, not under {case.site.url}",
                "Is another server answering here?",
            )
    for name, value in SUPPORTED.items():
        supported = case.metadata.get(name)
        if not isinstance(supported, list) or value not in supported:
            raise Failed(f"{name} lacks {value}", "Is another server answering here?")
    return "issuer and endpoints are under the URL"


def resource_metadata(case: Case) -> str:
    """Does RFC 9728's document send applications to this server?"""
    members = _expect(case.site.get("/.well-known/oauth-protected-resource"))
    if members.get("authorization_servers") != [case.metadata.get("issuer")]:
        raise Failed(
            f"authorization_servers is {shown(members.get('authorization_servers'))}, not this server",
            "Is another server answering here?",
        )
    _expect_issuer(case, members.get("resource"), "resource")
    return "names this server"


def sign_in_page(case: Case) -> str:
    """Does the page keep out frames, scripts and caches, and others from its cookie?"""
    page = case.site.get("/sign-in")
    if page.status_code != 200 or "html" not in page.headers.get("Content-Type", ""):
        raise Failed(f"{path_of(page)} answered {page.status_code} and no page", _LOG)
    wanted = HEADERS | ({"Strict-Transport-Security": "max-age="} if case.site.is_encrypted else {})
    for name, value in wanted.items():
        if value not in page.headers.get(name, ""):
            raise Failed(f"{name} does not say {value}", _BETWEEN)
    if "unsafe" in page.headers["Content-Security-Policy"]:
        raise Failed("Content-Security-Policy allows what is unsafe", _BETWEEN)
    cookie = page.headers.get("Set-Cookie", "")
    for attribute in ("HttpOnly", "SameSite=Lax", *(["Secure", "__Host-"] if case.site.is_encrypted else [])):
        if attribute not in cookie:
            raise Failed(f"the cookie lacks {attribute}", _BETWEEN)
    return "its headers and cookie are as they should be"


def api_without_token(case: Case) -> str:
    """Is the API closed, and does it say how to get in (RFC 6750 section 3)?"""
    _expect_challenge(case.site.get("/api/me"), "without a token")
    return "401, with WWW-Authenticate"


def api_with_garbage(case: Case) -> str:
    """Does the authorizer look at the token?"""
    _expect_challenge(case.site.get("/api/me", "oat_" + secrets.token_hex(18)), "with a token of nobody")
    return "401, with WWW-Authenticate"


# The documented flow


def temporary_guests(case: Case) -> str:
    """Can an account and an application be added?"""
    try:
        case.guests.arrive()
    except (StorageError, BotoCoreError, ClientError) as error:
        raise Failed(explain(error), "Do your AWS credentials reach the stage's tables?") from None
    return f"{case.guests.email}, {case.guests.client_id}"


def sign_in(case: Case) -> str:
    """Does the form let the account in, and lead on to the application's request?"""
    page = case.site.open(case.authorization_url())
    form = Form.of(page, "password")
    if form is None:
        raise Failed(
            f"{path_of(page)} answered {page.status_code} and no form for a password",
            f"{_SAME_STAGE} Are local accounts switched off? Then the rest cannot be checked.",
        )
    page = case.site.submit(page, form, email=case.guests.email, password=case.guests.password)
    if page.status_code == 429:
        raise Failed("there were too many failures to sign in from this address", "Try again in a minute.")
    if Form.of(page, "password"):
        raise Failed(f"the form answered {page.status_code} and was shown again", _SAME_STAGE)
    if Form.of(page, "decision") is None:
        raise Failed(f"{path_of(page)} answered {page.status_code} and asked for no consent", _LOG)
    case.page = page
    return "by the form, and on to the consent"


def consent(case: Case) -> str:
    """Does allowing lead back to the application, with a code?"""
    form = Form.of(case.page, "decision") or Form("")
    case.code = _code(case, case.site.submit(case.page, form, decision="allow"))
    return "back at the application, with code, state and iss"


def wrong_secret(case: Case) -> str:
    """Does a code help somebody who is not the application?"""
    _expect_refusal(case.exchange(client_secret=secrets.token_hex(20)), 401, "invalid_client")
    return "refused"


def wrong_verifier(case: Case) -> str:
    """Does a code help somebody who did not start the flow (RFC 7636)?"""
    _expect_refusal(case.exchange(code_verifier=secrets.token_urlsafe(32)), 400, "invalid_grant")
    return "refused"


def code_exchange(case: Case) -> str:
    """Does the code yield what the documentation says, though others tried it before?"""
    _take_tokens(case, case.exchange())
    return f"access token and refresh token, scope {settings.default_scope}"


def api_with_token(case: Case) -> str:
    """Does the token open the API, in the user's name?"""
    _expect_me(case)
    return "knows user and application"


def introspection(case: Case) -> str:
    """Does RFC 7662 tell what the token stands for?"""
    members = _expect(case.post("/oauth2/introspect", token=case.access_token))
    wanted = {"active": True, "client_id": case.guests.client_id, "sub": case.guests.user_id}
    for name, value in wanted.items():
        if members.get(name) != value:
            raise Failed(f"{name} is {shown(members.get(name))}, not {value}", _SAME_STAGE)
    return "active"


def refresh(case: Case) -> str:
    """Does the refresh token yield another pair that works?"""
    before = case.access_token, case.refresh_token
    _take_tokens(case, case.refresh())
    if case.access_token == before[0] or case.refresh_token == before[1]:
        raise Failed("the tokens are the same as before", _LOG)
    _expect_me(case)
    return "a new pair, and the API takes it"


def revocation(case: Case) -> str:
    """Does RFC 7009 end all of it?"""
    _expect(case.post("/oauth2/revoke", token=case.refresh_token))
    if case.is_active():
        raise Failed("the access token is active still", _LOG)
    _expect_refusal(case.refresh(), 400, "invalid_grant")
    return "neither token is good for anything at the server"


def revoked_at_api(case: Case) -> str:
    """Does the API refuse the revoked token, once the gateway has forgotten it?"""
    longest, started = settings.authorizer_cache_lifetime + MARGIN, time.monotonic()
    while (answer := case.site.get("/api/me", case.access_token)).status_code != 401:
        waited = int(time.monotonic() - started)
        if waited >= longest:
            raise Failed(
                f"it still answers {answer.status_code}, {longest} s after the revocation",
                "Is OAUTH_AUTHORIZER_CACHE_LIFETIME here as it was when the stage was deployed?",
            )
        _count_down(longest - waited)
        time.sleep(1)
    _count_down(0)
    return f"401 after {int(time.monotonic() - started)} s"


def code_replay(case: Case) -> str:
    """Does a code work once, and does a second attempt end what came of the first?"""
    case.code = _code(case, case.site.open(case.authorization_url()))
    _take_tokens(case, case.exchange())
    _expect_refusal(case.exchange(), 400, "invalid_grant")
    if case.is_active():
        raise Failed("what the code yielded before is active still", _LOG)
    return "refused, and the tokens ended"


@dataclass(frozen=True)
class Check:
    """A check, and those that have to pass before it makes sense."""

    name: str
    run: Callable[[Case], str]
    needs: tuple[str, ...] = ("reachable",)


CHECKS = (
    Check("reachable", reachable, ()),
    Check("encrypted", encrypted),
    Check("server metadata", server_metadata),
    Check("resource metadata", resource_metadata),
    Check("sign-in page", sign_in_page),
    Check("API without a token", api_without_token),
    Check("API with a wrong token", api_with_garbage),
    Check("temporary account", temporary_guests),
    Check("sign-in", sign_in, ("reachable", "temporary account")),
    Check("consent", consent, ("sign-in",)),
    Check("wrong secret", wrong_secret, ("consent",)),
    Check("wrong code verifier", wrong_verifier, ("consent",)),
    Check("code exchange", code_exchange, ("consent",)),
    Check("API with the token", api_with_token, ("code exchange",)),
    Check("introspection", introspection, ("code exchange",)),
    Check("refresh", refresh, ("code exchange",)),
    Check("revocation", revocation, ("code exchange",)),
    Check("revoked token at the API", revoked_at_api, ("API with the token", "revocation")),
    Check("code replay", code_replay, ("code exchange",)),
)


# What checks have in common


def _expect(answer: requests.Response) -> dict[str, Any]:
    """Return the members of an answer that has to be 200."""
    if answer.status_code != 200:
        raise Failed(f"{path_of(answer)} answered {answer.status_code}{_error_of(answer)}", _LOG)
    return json_of(answer)


def _expect_refusal(answer: requests.Response, status: int, error: str) -> None:
    if answer.status_code != status or json_of(answer).get("error") != error:
        raise Failed(
            f"{path_of(answer)} answered {answer.status_code}{_error_of(answer)}, not {status} {error}", _LOG
        )


def _error_of(answer: requests.Response) -> str:
    """Return the OAuth error of an answer, and nothing else of it: it may hold secrets."""
    try:
        return f" {shown(json_of(answer)['error'])}"
    except (Failed, KeyError):
        return ""


def _expect_issuer(case: Case, value: object, name: str = "issuer") -> None:
    if value != case.site.url:
        raise Failed(
            f"the {name} is {shown(value)}, not {case.site.url}",
            "Set OAUTH_ISSUER to the URL that applications use, and give that URL to --url.",
        )


def _expect_challenge(answer: requests.Response, how: str) -> None:
    if answer.status_code != 401:
        raise Failed(f"{path_of(answer)} answered {answer.status_code} {how}, not 401", _AUTHORIZER)
    if not answer.headers.get("WWW-Authenticate", "").startswith("Bearer"):
        raise Failed("the 401 has no WWW-Authenticate: Bearer", _GATEWAY)


def _expect_me(case: Case) -> None:
    answer = case.site.get("/api/me", case.access_token)
    if answer.status_code in (401, 403):
        raise Failed(f"{path_of(answer)} answered {answer.status_code} to a valid token", _AUTHORIZER)
    members = _expect(answer)
    for name, member, value in (
        ("user", "email", case.guests.email),
        ("client", "client_id", case.guests.client_id),
    ):
        found = members.get(name)
        if not isinstance(found, dict) or found.get(member) != value:
            raise Failed(f"{path_of(answer)} told of another {name}", _SAME_STAGE)


def _take_tokens(case: Case, answer: requests.Response) -> None:
    members = _expect(answer)
    if "no-store" not in answer.headers.get("Cache-Control", ""):
        raise Failed("tokens came without Cache-Control: no-store", _BETWEEN)
    tokens = [members.get(name) for name in ("access_token", "refresh_token")]
    if not all(isinstance(token, str) and len(token) == 40 for token in tokens):
        raise Failed("the answer has not both tokens, of 40 characters", _LOG)
    scope = set(str(members.get("scope")).split())
    if members.get("token_type") != "Bearer" or scope != set(settings.default_scope.split()):
        raise Failed(f"token_type or scope is not Bearer and {settings.default_scope}", _SAME_STAGE)
    case.access_token, case.refresh_token = (str(token) for token in tokens)


def _code(case: Case, answer: requests.Response) -> str:
    """Return the code that the browser brings back to the application."""
    location = leads_to(answer)
    if answer.status_code != 303 or not location.startswith(f"{REDIRECT_URI}?"):
        raise Failed(f"{path_of(answer)} answered {answer.status_code} and did not lead back to {NAME}", _LOG)
    members = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
    if "code" not in members:
        raise Failed(f"the application got {shown(members.get('error', 'neither code nor error'))}", _LOG)
    if members.get("state") != case.state:
        raise Failed("state did not come back as it was", _LOG)
    if members.get("iss") != case.metadata.get("issuer"):
        raise Failed(f"iss of the redirect is {shown(members.get('iss'))}, not the issuer", _LOG)
    return members["code"]


def _count_down(seconds: int) -> None:
    """Show how long it takes yet, to who is there to see it."""
    if sys.stderr.isatty():
        text = f"waiting up to {seconds} s for the gateway's cache" if seconds else ""
        click.echo(f"\r{text:<60}\r", nl=False, err=True)
