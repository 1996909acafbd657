"""Requests that schemathesis makes of `docs/openapi.yaml`: as it says, and against what it says.

Each is sent as it is, by nobody; then by somebody who is signed in, or an application with its secret;
and then with some values that are real, so that it gets as deep as the others let it.
"""

import random
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok

from tests.harness import ARN, FORM, HOST, event
from tests.hostile.calls import Call
from tests.hostile.promises import Sent
from tests.hostile.world import World
from tests.openapi import DOCUMENT

AT_ONCE = 5
"""Of each kind, before it is another one's turn."""

Pairs = list[tuple[str, str]]


def described(world: World, number: int) -> Iterator[Sent]:
    """Yield requests without end: some to every operation of the document, and so on.

    Args:
        world: has the values that are real.
        number: the seed.
    """
    chance = random.Random(number)  # noqa: S311 (it has to be the same again)
    while True:
        for operation, mode in product(operations(), (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)):
            strategy = operation.as_strategy(generation_mode=mode)
            for case in _cases(strategy, chance.randrange(1 << 32)):
                yield from _variants(world, case, chance)


@cache
def operations() -> list[Any]:
    """Return what the document describes."""
    schema = schemathesis.openapi.from_dict(DOCUMENT)
    return [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]


def _cases(strategy: Any, number: int) -> list[Case[Any]]:
    """Return what a strategy generates; nothing, if there is no way to contradict the document."""
    cases: list[Case[Any]] = []

    @seed(number)
    @settings(
        max_examples=AT_ONCE,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(case: Case[Any]) -> None:
        cases.append(case)

    try:
        collect()
    except Unsatisfiable:
        return []
    return cases[:AT_ONCE]


def _variants(world: World, case: Case[Any], chance: random.Random) -> Iterator[Sent]:
    try:
        request = requests.Request(**case.as_transport_kwargs(base_url=f"https://{HOST}")).prepare()
    except (ValueError, UnicodeError):  # No client could send it: a line break in a header, say.
        return
    url = urlsplit(str(request.url))
    query = parse_qsl(url.query, keep_blank_values=True)
    headers = {name: str(value) for name, value in request.headers.items() if name != "Content-Length"}
    body = request.body.encode() if isinstance(request.body, str) else request.body
    assert isinstance(body, bytes | None)
    yield from _as_sent(case.method, url.path, query, headers, body, {})
    call = chance.choice(_like(world, case.method, case.path))
    headers |= call.headers
    identity = {name: value for name, value in (call.form or {}).items() if name in _IDENTITY}
    yield from _as_sent(case.method, url.path, query, headers, _with(body, identity, headers), call.context)
    for share in (0.5, 1.0):
        real = {name: value for name, value in (call.form or {}).items() if chance.random() < share}
        asked = {name: value for name, value in call.query.items() if chance.random() < share}
        filled = [(name, value) for name, value in query if name not in asked] + list(asked.items())
        path = call.path if chance.random() < share else url.path
        yield from _as_sent(
            case.method, path, filled, headers, _with(body, identity | real, headers), call.context
        )


_IDENTITY = ("csrf_token", "client_id", "client_secret")


@cache
def _like(world: World, method: str, path: str) -> list[Call]:
    """Return the requests that succeed at an operation."""
    calls = [call for call in world.calls if call.method == method]
    return [call for call in calls if call.event()["resource"] == path] or calls


def _with(body: bytes | None, values: Mapping[str, str], headers: Mapping[str, str]) -> bytes | None:
    """Put values into a form in the place of others."""
    if body is None or headers.get("Content-Type") != FORM:
        return body
    pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, errors="replace")
    kept = [(name, value) for name, value in pairs if name not in values]
    return urlencode([*kept, *values.items()], errors="replace").encode()


def _as_sent(
    method: str,
    path: str,
    query: Pairs,
    headers: Mapping[str, str],
    body: bytes | None,
    context: Mapping[str, str],
) -> Iterator[Sent]:
    """Yield the invocations that API Gateway makes of a request, if it has a route for it."""
    if path.startswith("/api/"):
        asked = {"type": "TOKEN", "methodArn": f"{ARN}/prod/{method}{path}"}
        yield Sent("bearer", asked | {"authorizationToken": headers.get("Authorization", "")})
        if not context:
            return
    try:
        sent = event(method, path, query=query, headers=headers, body=body)
    except ValueError:
        return
    sent["requestContext"]["authorizer"] = dict(context)
    yield Sent("api", sent)
