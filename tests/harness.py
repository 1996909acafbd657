"""Drives the app through its front door: API Gateway events in, responses out."""

import base64
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urljoin, urlsplit

import boto3
from chalice.local import RouteMatcher

import app
from chalicelib.accounts import accounts
from chalicelib.authorizer.bearer import bearer
from chalicelib.authorizer.decision import Unauthorized
from chalicelib.models.audit import COLUMNS, AuditRecord
from chalicelib.models.client import Client
from chalicelib.models.table import dynamodb
from chalicelib.models.user import Account
from chalicelib.oauth import registration
from chalicelib.oauth.client_metadata import ClientMetadata
from chalicelib.settings import settings
from management.infrastructure.tables import TABLES

HOST = "auth.example.org"
CALLBACK = "https://app.example.com/callback"
EMAIL, PASSWORD = "user@example.org", "correct horse"
FORM = "application/x-www-form-urlencoded"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
ARN = "arn:aws:execute-api:us-east-1:123456789012:abcdef1234"

Pairs = Mapping[str, str] | Iterable[tuple[str, str]]

_routes = RouteMatcher(list(app.app.routes))


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: dict[str, str]
    set_cookies: list[str]
    body: str

    @cached_property
    def json(self) -> Any:
        return json.loads(self.body)

    @cached_property
    def location(self) -> str:
        assert self.status in (302, 303), (self.status, self.body)
        return self.headers["location"]

    @cached_property
    def redirect_params(self) -> dict[str, str]:
        """The parameters of the redirect, each of which is there once."""
        return dict(parse_qsl(urlsplit(self.location).query, strict_parsing=True))

    @cached_property
    def forms(self) -> "list[Form]":
        """The forms of the page, less the button that signs out."""
        return Form.all_of(self.body)

    @cached_property
    def form(self) -> "Form":
        """The one form of the page."""
        (form,) = self.forms
        return form


@dataclass
class Form:
    """A form of a page."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    """What is sent if nobody touches it."""
    buttons: list[tuple[str, str]] = field(default_factory=list)

    @staticmethod
    def all_of(html: str) -> "list[Form]":
        parser = _FormParser()
        parser.feed(html)
        return [form for form in parser.forms if not form.action.endswith("/sign-out")]

    @staticmethod
    def of(html: str) -> "Form":
        (form,) = Form.all_of(html)
        return form


class _FormParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._text_of: str | None = None
        self._select: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(attributes["action"], attributes["method"]))
        elif tag == "input":
            if attributes.get("type") not in ("checkbox", "radio") or "checked" in attributes:
                self.forms[-1].fields[attributes["name"]] = attributes.get("value", "")
        elif tag == "textarea":
            self._text_of = attributes["name"]
            self.forms[-1].fields[self._text_of] = ""
        elif tag == "select":
            self._select = attributes["name"]
        elif (
            tag == "option"
            and self._select
            and ("selected" in attributes or self._select not in self.forms[-1].fields)
        ):
            self.forms[-1].fields[self._select] = attributes["value"]
        elif tag == "button" and "name" in attributes:
            self.forms[-1].buttons.append((attributes["name"], attributes["value"]))

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._text_of = None
        elif tag == "select":
            self._select = None

    def handle_data(self, data: str) -> None:
        if self._text_of:
            self.forms[-1].fields[self._text_of] += data


def event(
    method: str,
    path: str,
    *,
    query: Pairs = (),
    headers: Mapping[str, str] | None = None,
    body: str | bytes | None = None,
    stage: str = "",
) -> dict[str, Any]:
    """Return the event that API Gateway sends for a request."""
    pairs = list(query.items() if isinstance(query, Mapping) else query)
    route = _routes.match_route(path)
    binary = isinstance(body, bytes)
    return {
        "resource": route.route,
        "path": path,
        "httpMethod": method,
        "headers": {"Host": HOST, **(headers or {})},
        "multiValueQueryStringParameters": {
            name: [value for other, value in pairs if other == name] for name, _ in pairs
        }
        or None,
        "pathParameters": route.captured or None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": route.route,
            "httpMethod": method,
            "path": stage + path,
            "stage": stage.strip("/") or "prod",
            "domainName": HOST,
            "requestId": "test",
            "identity": {"sourceIp": "192.0.2.1"},
        },
        "body": base64.b64encode(body).decode() if isinstance(body, bytes) else body,
        "isBase64Encoded": binary,
    }


def send(sent: dict[str, Any]) -> Answer:
    """Hand an event to the app."""
    return answer_of(app.app(sent, None))


def answer_of(response: Mapping[str, Any]) -> Answer:
    """Read what the app hands to API Gateway."""
    headers = {name.lower(): value for name, value in response["headers"].items()}
    several = {name.lower(): values for name, values in response["multiValueHeaders"].items()}
    body = response["body"]
    return Answer(response["statusCode"], headers, several.get("set-cookie", []), body)


class Browser:
    """A browser that keeps cookies and follows our own redirects when told to."""

    def __init__(self, stage: str = "") -> None:
        self.cookies: dict[str, str] = {}
        self.stage = stage
        self.url = ""

    def get(self, url: str) -> Answer:
        return self._go("GET", url)

    def submit(self, page: Answer, form: "Form | None" = None, /, **fields: str) -> Answer:
        """Fill in a form of a page, by default the one there is, and send it."""
        form = form or page.form
        body = urlencode(form.fields | fields)
        return self._go("POST", urljoin(self.url, form.action), body)

    def _go(self, method: str, url: str, body: str | None = None) -> Answer:
        self.url = url
        parts = urlsplit(url)
        path = parts.path.removeprefix(self.stage)
        headers = {"Content-Type": FORM} if body is not None else {}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        query = parse_qsl(parts.query, keep_blank_values=True)
        answer = send(event(method, path, query=query, headers=headers, body=body, stage=self.stage))
        for cookie in answer.set_cookies:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
            if "; Max-Age=0" in cookie:
                del self.cookies[name]
        return answer


@dataclass(frozen=True)
class App:
    """A registered application, and what it can do."""

    client_id: str
    client_secret: str | None
    redirect_uri: str = CALLBACK

    def authorization_url(self, **parameters: str | None) -> str:
        """Return the URL that starts an authorization; None leaves a parameter out."""
        defaults: dict[str, str | None] = {
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "response_type": "code",
        }
        sent = {name: value for name, value in (defaults | parameters).items() if value is not None}
        return f"/oauth2/authorize?{urlencode(sent)}"

    def token(self, **parameters: str | None) -> Answer:
        """Send a token request; None leaves a parameter out."""
        return self.post("/oauth2/access_token", **parameters)

    def post(self, path: str, **parameters: str | None) -> Answer:
        """Send a request as this client; None leaves a parameter out."""
        defaults = {"client_id": self.client_id, "client_secret": self.client_secret}
        sent = {name: value for name, value in (defaults | parameters).items() if value is not None}
        return post(path, sent)

    def exchange(self, code: str, **parameters: str | None) -> Answer:
        """Redeem a code."""
        given: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
        }
        return self.token(**(given | parameters))

    def refresh(self, refresh_token: str, **parameters: str | None) -> Answer:
        """Refresh."""
        given: dict[str, str | None] = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return self.token(**(given | parameters))

    def start_device(self, **parameters: str | None) -> Answer:
        """Ask for a device code and a user code."""
        return self.post("/oauth2/device_authorization", **parameters)

    def poll(self, device_code: str, **parameters: str | None) -> Answer:
        """Ask for the tokens of a device."""
        given: dict[str, str | None] = {"grant_type": DEVICE_CODE, "device_code": device_code}
        return self.token(**(given | parameters))


def post(path: str, fields: Pairs, headers: Mapping[str, str] | None = None) -> Answer:
    """Post a form."""
    pairs = list(fields.items() if isinstance(fields, Mapping) else fields)
    return send(event("POST", path, headers={"Content-Type": FORM, **(headers or {})}, body=urlencode(pairs)))


def basic(client_id: str, secret: str) -> dict[str, str]:
    """Return the header of HTTP Basic authentication."""
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


def authorize(token: str | None, method: str = "GET", path: str = "api/me") -> dict[str, Any]:
    """Ask the authorizer as API Gateway does."""
    answer: dict[str, Any] = bearer(
        {
            "type": "TOKEN",
            "authorizationToken": f"Bearer {token}" if token is not None else "",
            "methodArn": f"{ARN}/prod/{method}/{path}",
        },
        None,
    )
    return answer


def is_alive(token: str) -> bool:
    """Tell whether the authorizer lets an access token through."""
    try:
        statement = authorize(token)["policyDocument"]["Statement"][0]
    except Unauthorized:
        return False
    return bool(statement["Effect"] == "Allow")


class Deployment:
    """A deployment with what the tests put into it."""

    def add_account(self, email: str = EMAIL, password: str = PASSWORD) -> Account:
        return accounts.add(email, password)

    def add_app(
        self,
        *,
        name: str = "Example",
        redirect_uris: tuple[str, ...] = (CALLBACK,),
        grant_types: tuple[str, ...] = ("authorization_code",),
        scope: str = "read write",
        public: bool = False,
        may_introspect: bool = False,
        verified: bool = True,
    ) -> App:
        metadata = ClientMetadata(
            client_name=name,
            redirect_uris=redirect_uris,
            grant_types=grant_types,
            scope=scope,
            token_endpoint_auth_method="none" if public else None,
            may_introspect=may_introspect,
        )
        client, secret = registration.register(metadata, verified=verified)
        return App(client.client_id, secret, redirect_uris[0] if redirect_uris else CALLBACK)

    def client(self, app: App) -> Client:
        client = Client.find(app.client_id)
        assert client
        return client

    def signed_in_browser(self, email: str = EMAIL, password: str = PASSWORD, stage: str = "") -> Browser:
        """Return a browser in which somebody is signed in."""
        browser = Browser(stage)
        app = self.add_app(name="Any application")
        page = browser.get(stage + app.authorization_url())
        assert browser.submit(page, email=email, password=password).status == 303
        return browser

    def code(self, app: App, browser: Browser | None = None, /, **parameters: str | None) -> str:
        """Let the user allow what an application asks for, and return the code."""
        browser = browser or self.signed_in_browser()
        page = browser.get(app.authorization_url(**parameters))
        if page.status == 303:  # Allowed before, and remembered.
            return page.redirect_params["code"]
        return browser.submit(page, decision="allow").redirect_params["code"]

    def tokens(self, app: App, browser: Browser | None = None, /, **parameters: str | None) -> Any:
        """Go through the whole flow and return the token response."""
        answer = app.exchange(self.code(app, browser, **parameters))
        assert answer.status == 200, answer
        return answer.json

    def decide(self, user_code: str, browser: Browser | None = None, /, **fields: str) -> Answer:
        """Let the user type a device's code and decide; by default they allow all of it."""
        browser = browser or self.signed_in_browser()
        page = browser.submit(browser.get("/device"), user_code=user_code)
        assert page.status == 200, page
        return browser.submit(page, **({"decision": "allow"} | fields))

    def snapshot(self) -> dict[str, Any]:
        """Return all that is stored, less the audit trail, and when a session was used last."""
        return {
            kind: sorted(
                (
                    {name: value for name, value in row.items() if name != "last_used_at"}
                    for row in _onlooker().scan(TableName=model.Meta.table_name)["Items"]
                ),
                key=lambda row: json.dumps(row, sort_keys=True),
            )
            for kind, model in TABLES.items()
            if model is not AuditRecord
        }

    def trail(self) -> list[dict[str, Any]]:
        """Return what the audit trail has, in the order in which it happened."""
        (page,) = _onlooker().get_paginator("scan").paginate(TableName=AuditRecord.Meta.table_name)
        records = [AuditRecord.from_raw_data(row) for row in page["Items"]]
        return [
            {"event": record.event, **(record.details or {})}
            | {name: value for name in COLUMNS if (value := getattr(record, name)) is not None}
            for record in sorted(records, key=lambda record: str(record.at))
        ]


@cache
def _onlooker() -> Any:
    """Return a client whose requests do not count. Making one takes 100 ms."""
    return boto3.client("dynamodb", region_name="us-east-1")


@contextmanager
def count_requests() -> Iterator[Counter[str]]:
    """Count the requests to DynamoDB, by operation."""
    requests: Counter[str] = Counter()

    def count(operation_name: str, **_: Any) -> None:
        requests[operation_name] += 1

    events = dynamodb.client.meta.events
    events.register("request-created.dynamodb", count)
    try:
        yield requests
    finally:
        events.unregister("request-created.dynamodb", count)


def query_of(url: str) -> dict[str, list[str]]:
    """Return the parameters of a URL."""
    return parse_qs(urlsplit(url).query)


@contextmanager
def changed_setting(name: str, value: object) -> Iterator[None]:
    """Change a setting until the end of the block."""
    before = getattr(settings, name)
    object.__setattr__(settings, name, value)
    try:
        yield
    finally:
        object.__setattr__(settings, name, before)
