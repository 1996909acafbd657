"""Requests that succeed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from tests.harness import FORM, App, Browser, event


@dataclass(frozen=True)
class Call:
    """A request that succeeds."""

    method: str
    path: str
    form: Mapping[str, str] | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    context: Mapping[str, str] = field(default_factory=dict)
    """What the authorizer told the gateway."""
    body: str | None = None
    essential: frozenset[str] = frozenset()
    """Parameters and headers without which it does not succeed."""

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return f"{self.method} {self.path}"

    def event(self) -> dict[str, Any]:
        """Return it as API Gateway sends it."""
        headers = {**self.headers, **({"Content-Type": FORM} if self.form is not None else {})}
        body = self.body if self.form is None else urlencode(self.form)
        sent = event(self.method, self.path, query=self.query, headers=headers, body=body)
        if self.context:
            sent["requestContext"]["authorizer"] = dict(self.context)
        return sent


def credentials_of(app: App) -> dict[str, str]:
    """Return the parameters by which an application authenticates."""
    return {"client_id": app.client_id, "client_secret": app.client_secret or ""}


def form_call(
    path: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None, *, optional: str = ""
) -> Call:
    """Return a request with a form, all of which is essential, but for one parameter perhaps."""
    headers = headers or {}
    return Call("POST", path, form, headers=headers, essential=frozenset({*form, *headers} - {optional}))


def cookie_of(browser: Browser) -> str:
    """Return the `Cookie` header of a browser."""
    return "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
