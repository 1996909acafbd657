"""What the programs of the Python peers share: requests by WSGI, and counting and timing them.

Runs in the peers' environments, so it needs nothing but Python.
"""

import base64
import io
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from statistics import median
from typing import Any
from urllib.parse import urlencode

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Any]

CLIENT_ID, CLIENT_SECRET = "benchmark", "s" * 43
REDIRECT_URI = "https://app.example.com/callback"
CODE_VERIFIER = "v" * 43


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        """The body, as JSON."""
        return json.loads(self.body)


def post(app: Wsgi, path: str, fields: Mapping[str, str]) -> Answer:
    """Send a form, authenticated as the client by HTTP Basic."""
    credentials = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
    return _send(app, "POST", path, f"Basic {credentials}", urlencode(fields).encode())


def get(app: Wsgi, path: str, token: str) -> Answer:
    """Ask for something with a bearer token."""
    return _send(app, "GET", path, f"Bearer {token}", b"")


def _send(app: Wsgi, method: str, path: str, authorization: str, body: bytes) -> Answer:
    status: list[str] = []
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost",
        "HTTP_AUTHORIZATION": authorization,
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    chunks = app(environ, lambda line, *_: status.append(line))
    content = b"".join(chunks)
    if hasattr(chunks, "close"):
        chunks.close()
    return Answer(int(status[0].split()[0]), content)


@dataclass(frozen=True)
class Operation:
    """One operation: `prepare` makes what it needs, `run` does it, and what it answers has to be 200."""

    run: Callable[[Any], Answer]
    prepare: Callable[[], Any] = lambda: None


@dataclass(frozen=True)
class Paths:
    """Where a peer has what."""

    token: str
    introspection: str
    revocation: str
    resource: str = "/resource"


def of_a_grant(app: Wsgi, paths: Paths, code: Callable[[], str]) -> dict[str, Operation]:
    """Return what is done with an authorization, by the operations' names.

    Args:
        app: the peer.
        paths: its endpoints.
        code: makes an authorization code.
    """

    def exchange(value: str) -> Answer:
        fields = {"grant_type": "authorization_code", "code": value, "redirect_uri": REDIRECT_URI}
        return post(app, paths.token, fields | {"code_verifier": CODE_VERIFIER})

    def about(value: str) -> dict[str, str]:
        return {"token": value, "token_type_hint": "access_token"}

    def token(kind: str = "access_token") -> str:
        return str(exchange(code()).json[kind])

    return {
        "code_exchange": Operation(exchange, code),
        "refresh": Operation(
            lambda value: post(app, paths.token, {"grant_type": "refresh_token", "refresh_token": value}),
            lambda: token("refresh_token"),
        ),
        "bearer": Operation(lambda value: get(app, paths.resource, value), token),
        "introspection": Operation(lambda value: post(app, paths.introspection, about(value)), token),
        "revocation": Operation(lambda value: post(app, paths.revocation, about(value)), token),
    }


def main(
    name: str,
    versions: Mapping[str, str],
    how: str,
    operations: Mapping[str, Operation],
    count: Callable[[], AbstractContextManager[list[str]]],
) -> None:
    """Count the statements of each operation, time it if the command line says so, and print both.

    Args:
        name: of the peer.
        versions: of what it is made of.
        how: it is configured, in a sentence.
        operations: by name.
        count: a context in which SQL statements are collected.
    """
    repeat = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    found = {}
    for operation_name, operation in operations.items():
        _once(operation)  # What is done but once is not counted.
        prepared = operation.prepare()
        with count() as statements:
            _check(operation.run(prepared))
        found[operation_name] = {
            "storage": Counter(statement.split(None, 1)[0].upper() for statement in statements),
            "cpu_ms": median(_once(operation) for _ in range(repeat)) if repeat else None,
        }
    print(json.dumps({"name": name, "versions": versions, "how": how, "operations": found}))


def _once(operation: Operation) -> float:
    prepared = operation.prepare()
    started = time.process_time()
    answer = operation.run(prepared)
    spent = (time.process_time() - started) * 1000
    _check(answer)
    return spent


def _check(answer: Answer) -> None:
    if answer.status != 200:
        raise SystemExit(f"The peer answered {answer.status}: {answer.body[:500]!r}")
