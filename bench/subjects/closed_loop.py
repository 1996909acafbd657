"""A closed loop of clients: each sends its next request when it has the answer to the last.

    python -m bench.subjects.closed_loop < plan.json

The plan says who is called, by how many and for how long. It prints, for each kind of request, the
milliseconds that each took, and what went wrong. `plan["clients"]` threads share one process: what
they need of a processor is small beside what the emulator does for each request.
"""

import json
import random
import socket
import sys
import threading
import time
from base64 import b64encode
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

TIMEOUT = 60
FORM = "application/x-www-form-urlencoded"
WAVE = 4
"""So many clients more at a time, before anything counts: so many functions start at once."""
REDIRECT_URI = "https://app.example.com/callback"

MIX = {
    "client credentials": 30,
    "API, authorized": 40,
    "code, through the page": 10,
    "refresh": 10,
    "introspection": 5,
    "revocation": 5,
}
"""Percent of the steps. A code takes two requests: the page that leads back with it, and the exchange."""


class Failed(Exception):
    """An answer that is not as it should be."""


PROBLEMS = (Failed, OSError, HTTPException, ValueError, KeyError)
ATTEMPTS = 5


@dataclass
class Measured:
    """What one client saw."""

    milliseconds: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: list[str] = field(default_factory=list)
    early_errors: int = 0
    """Before anything counts, while functions start."""


class Connection(HTTPConnection):
    """A connection whose requests do not wait for acknowledgements."""

    def connect(self) -> None:
        """Connect."""
        super().connect()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Client:
    """One client, with a connection of its own."""

    def __init__(self, plan: Mapping[str, Any], number: int) -> None:
        self._plan = plan
        self._random = random.Random(number)  # nosec B311 # noqa: S311
        self._cookie = plan["cookies"][number % len(plan["cookies"])] if plan.get("cookies") else ""
        self._connection = Connection(plan["host"], plan["port"], timeout=TIMEOUT)
        self._tokens: dict[str, str] = {}
        self._counts_from = self._until = 0.0
        self.measured = Measured()

    def begin(self) -> None:
        """Send what needs every function, until it is answered as it should be."""
        for _ in range(ATTEMPTS):
            try:
                self._call_api() if self._plan["kind"] == "oauth" else self._step()
            except PROBLEMS:
                self.measured.early_errors += 1
                self._connection.close()
            else:
                return

    def run(self, counts_from: float, until: float) -> None:
        """Send one request after another. Times are of `time.monotonic`."""
        self._counts_from, self._until = counts_from, until
        while time.monotonic() < until:
            try:
                self._step()
            except PROBLEMS as error:
                if time.monotonic() < counts_from:
                    self.measured.early_errors += 1
                else:
                    self.measured.errors.append(repr(error)[:300])
                self._connection.close()

    def _step(self) -> None:
        if self._plan["kind"] == "empty":
            self._send("empty function", "GET", "/", {})
            return
        step = self._random.choices(list(MIX), list(MIX.values()))[0]
        steps: dict[str, Callable[[], None]] = {
            "client credentials": self._client_credentials,
            "API, authorized": self._call_api,
            "code, through the page": self._authorize,
            "refresh": self._refresh,
            "introspection": self._introspect,
            "revocation": self._revoke,
        }
        steps[step]()

    def _client_credentials(self) -> None:
        self._post("client credentials", "/oauth2/access_token", grant_type="client_credentials")

    def _authorize(self) -> None:
        asked = {"client_id": self._plan["client_id"], "redirect_uri": REDIRECT_URI, "response_type": "code"}
        path = "/oauth2/authorize?" + urlencode(asked | {"scope": "read write"})
        answer, _ = self._send("authorization page", "GET", path, {"Cookie": self._cookie}, expected=303)
        location = answer.headers["Location"]
        if not location.startswith(REDIRECT_URI):
            raise Failed(f"authorization page: leads to {location}")
        code = parse_qs(urlsplit(location).query)["code"][0]
        given = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI}
        self._tokens = self._post("code exchange", "/oauth2/access_token", **given)

    def _with_tokens(self) -> dict[str, str]:
        if not self._tokens:
            self._authorize()
        return self._tokens

    def _call_api(self) -> None:
        token = self._with_tokens()["access_token"]
        self._send("API, authorized", "GET", "/api/me", {"Authorization": f"Bearer {token}"})

    def _refresh(self) -> None:
        token = self._with_tokens()["refresh_token"]
        given = {"grant_type": "refresh_token", "refresh_token": token}
        self._tokens = self._post("refresh", "/oauth2/access_token", **given)

    def _introspect(self) -> None:
        token = self._with_tokens()["access_token"]
        if not self._post("introspection", "/oauth2/introspect", token=token)["active"]:
            raise Failed("introspection: a valid token is not active")

    def _revoke(self) -> None:
        token = self._with_tokens()["refresh_token"]
        self._tokens = {}
        self._post("revocation", "/oauth2/revoke", token=token)

    def _post(self, name: str, path: str, **fields: str) -> dict[str, Any]:
        secret = f"{self._plan['client_id']}:{self._plan['client_secret']}".encode()
        headers = {"Content-Type": FORM, "Authorization": "Basic " + b64encode(secret).decode()}
        _, content = self._send(name, "POST", path, headers, urlencode(fields))
        told: dict[str, Any] = json.loads(content)
        return told

    def _send(
        self,
        name: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: str | None = None,
        expected: int = 200,
    ) -> tuple[HTTPResponse, bytes]:
        started = time.monotonic()
        self._connection.request(
            method, self._plan["prefix"] + path, body, {"Host": self._plan["api"], **headers}
        )
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != expected:
            raise Failed(f"{name}: {answer.status} {content[:200]!r}")
        if self._counts_from <= time.monotonic() <= self._until:
            self.measured.milliseconds[name].append((time.monotonic() - started) * 1000)
        return answer, content


def _together(calls: Sequence[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main() -> None:
    """Let the plan's clients run."""
    plan = json.load(sys.stdin)
    clients = [Client(plan, number) for number in range(plan["clients"])]
    for size in range(WAVE, len(clients) + WAVE, WAVE):
        _together([client.begin for client in clients[:size]])
    counts_from = time.monotonic() + plan["warm_up"]
    until = counts_from + plan["seconds"]
    _together([partial(client.run, counts_from, until) for client in clients])
    spent: defaultdict[str, list[float]] = defaultdict(list)
    for client in clients:
        for name, times in client.measured.milliseconds.items():
            spent[name] += times
    errors = [error for client in clients for error in client.measured.errors]
    early_errors = sum(client.measured.early_errors for client in clients)
    found = {"milliseconds": spent, "errors": errors, "early_errors": early_errors}
    json.dump({**found, "seconds": plan["seconds"]}, sys.stdout)


if __name__ == "__main__":
    main()
