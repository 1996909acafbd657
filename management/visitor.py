"""A stage as the world meets it: over HTTP, by an application and by a person with a browser."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

CONNECT_TIMEOUT, READ_TIMEOUT = 5, 30
"""Seconds. API Gateway answers within 29, cold start included."""

MAX_REDIRECTS = 5
"""More than there are between two pages."""


class Failed(Exception):
    """A check failed.

    Args:
        reason: what is wrong; no secret in it.
        advice: what to do about it.
    """

    def __init__(self, reason: str, advice: str = "") -> None:
        super().__init__(reason)
        self.reason, self.advice = reason, advice


def shown(value: object) -> str:
    """Return what somebody else's server sent, fit for a terminal."""
    text = "".join(char if char.isprintable() else "?" for char in str(value))
    return text if len(text) <= 100 else text[:100] + "..."


def json_of(answer: requests.Response) -> dict[str, Any]:
    """Return the JSON object that an answer is.

    Raises:
        Failed: it is none.
    """
    try:
        members = answer.json()
    except ValueError:
        members = None
    if not isinstance(members, dict):
        raise Failed(f"{path_of(answer)} answered {answer.status_code} and no JSON object")
    return members


def path_of(answer: requests.Response) -> str:
    """Return where an answer comes from, without its query, which may tell too much."""
    return shown(urlsplit(answer.url).path)


def _session() -> requests.Session:
    session = requests.Session()
    session.auth = lambda request: request  # Else a .netrc would authenticate us.
    return session


@dataclass
class Site:
    """The stage under its URL, which has no trailing slash."""

    url: str
    _application: requests.Session = field(default_factory=_session)
    _browser: requests.Session = field(default_factory=_session)

    @property
    def is_encrypted(self) -> bool:
        """Whether it is reached by https."""
        return self.url.startswith("https:")

    def get(self, path: str, token: str | None = None) -> requests.Response:
        """Send a request as an application does."""
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        return self._send(self._application, "GET", self.url + path, headers=headers)

    def post(self, path: str, **parameters: str) -> requests.Response:
        """Send a form as an application does."""
        return self._send(self._application, "POST", self.url + path, data=parameters)

    def open(self, url: str) -> requests.Response:
        """Go to a page as a browser does, and on where it leads, as long as that is within the stage."""
        answer = self._send(self._browser, "GET", url)
        for _ in range(MAX_REDIRECTS):
            if answer.status_code != 303 or not self.has(leads_to(answer)):
                return answer
            answer = self._send(self._browser, "GET", leads_to(answer))
        raise Failed(f"{path_of(answer)} redirects without end")

    def submit(self, page: requests.Response, form: "Form", **fields: str) -> requests.Response:
        """Fill in a form as a person does, send it, and go on as in `open`."""
        action = urljoin(page.url, form.action)
        if not self.has(action):
            raise Failed(f"a form of {path_of(page)} leads elsewhere: {shown(action)}")
        answer = self._send(self._browser, "POST", action, data=form.fields | fields)
        if answer.status_code == 303 and self.has(leads_to(answer)):
            return self.open(leads_to(answer))
        return answer

    def has(self, url: str) -> bool:
        """Tell whether a URL is within the stage."""
        return url.startswith(f"{self.url}/")

    def cookies(self) -> list[str]:
        """Return the values of the browser's cookies."""
        return [str(cookie.value) for cookie in self._browser.cookies]

    @staticmethod
    def _send(session: requests.Session, method: str, url: str, **what: Any) -> requests.Response:
        try:
            return session.request(
                method, url, allow_redirects=False, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT), **what
            )
        except requests.RequestException as error:
            raise _explained(error, url) from None


def _explained(error: requests.RequestException, url: str) -> Failed:
    """Say what it means, without the URL's query."""
    host = shown(urlsplit(url).netloc)
    if isinstance(error, requests.exceptions.SSLError):
        return Failed(f"{host} has no certificate that is trusted", "Renew it, or set REQUESTS_CA_BUNDLE.")
    if isinstance(error, requests.exceptions.ReadTimeout):
        return Failed(
            f"{host} did not answer within {READ_TIMEOUT} s", "Look at the function's log and its timeout."
        )
    if isinstance(error, requests.exceptions.ConnectionError):
        return Failed(f"{host} cannot be reached", "Is the URL right, and is something running there?")
    return Failed(f"{host} answered with what is no HTTP ({type(error).__name__})")


def leads_to(answer: requests.Response) -> str:
    """Return the absolute URL that a redirect leads to."""
    return urljoin(answer.url, answer.headers.get("Location", ""))


@dataclass
class Form:
    """A form of a page."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    """What is sent if nobody touches it."""
    buttons: set[str] = field(default_factory=set)

    @staticmethod
    def of(page: requests.Response, name: str) -> "Form | None":
        """Return the form of a page that has a field or a button of this name."""
        parser = _FormParser()
        parser.feed(page.text)
        return next((form for form in parser.forms if name in form.fields.keys() | form.buttons), None)


class _FormParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(attributes.get("action", "")))
        elif not self.forms or "name" not in attributes:
            return
        elif tag == "input" and (
            not re.fullmatch("checkbox|radio", attributes.get("type", "")) or "checked" in attributes
        ):
            self.forms[-1].fields[attributes["name"]] = attributes.get("value", "")
        elif tag == "button":
            self.forms[-1].buttons.add(attributes["name"])
