"""Events of API Gateway and of streams, odd in every way that the services let through, and beyond."""

import base64
import copy
import random
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from tests.authorizer.test_gateway import EVENTS
from tests.harness import ARN
from tests.hostile.promises import Sent
from tests.hostile.spoilt import BAD_CREDENTIALS, METHODS, ODD_TEXT
from tests.hostile.world import RULES, World

MOST_BODY = 10 << 20
"""Bytes that API Gateway takes."""
HEADER_BYTES = 10_240
"""All headers of a request, with the request line."""

ODD_JSON: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 1 << 70, "", "x", "x" * 5000, "\0", "\ud800", "2.0", "TOKEN", "REQUEST"),
    *(
        [],
        ["x"],
        [None],
        [[]],
        {},
        {"S": 5},
        {"S": "x"},
        {"N": "x"},
        {"N": "1e9"},
        {"N": "9" * 40},
        {"M": {}},
    ),
)
ODD_NAMES = (
    "",
    "x",
    "é",
    "a[b][c]",
    "a" + "[b]" * 500,
    "client_id ",
    "CLIENT_ID",
    "\0",
    "__proto__",
    "a" * 5000,
)
ODD_BASE64 = (
    "=",
    "====",
    "YQ",
    "YQ=",
    "YQ==YQ==",
    "Y Q = =",
    "YQ\n==",
    "-_-_",
    "é",
    "\0",
    "YWJj" * 5000,
    "//8=",
)
ODD_HEADERS: Mapping[str, tuple[str, ...]] = {
    "Cookie": ("", ";", "=;=", "a=b;" * 2000, "__Host-session", "__Host-session=", "\0;=é", 'x="a;b"', "é=é"),
    "Content-Type": ("", ";", "a/b;c=d", "APPLICATION/X-WWW-FORM-URLENCODED", "*/*", "x" * 5000, "text/html"),
    "Host": ("", "é", "a b", "evil.example", "[::1]:80", "x" * 5000, "auth.example.org\0"),
    "Authorization": ("bearer", "Bearer  x", "Bearer \0", "B" * 9000, *BAD_CREDENTIALS),
    "Accept": ("", "*/*", "image/png", "application/octet-stream", "é", "," * 5000),
    "Accept-Language": ("de", "*", "x;q=2", "," * 5000),
    "Origin": ("null", "https://evil.example", ""),
    "X-Forwarded-For": ("1.2.3.4, 5.6.7.8", "é"),
    "X-HTTP-Method-Override": ("DELETE",),
    "Content-Length": ("-1", "99999999999"),
}
ODD_ADDRESSES = ("", "x", "2001:db8::1", "::ffff:1.2.3.4", "fe80::1%eth0", "1.2.3.4:5", "999.1.1.1", None)
ODD_PATHS = (
    "",
    "/",
    "//",
    "/a//b",
    "/..",
    "/%2e%2e/",
    "/maps/1;x",
    "/é",
    "/\0",
    "/" * 8000,
    "/maps/" + "a/" * 4000,
)

Event = dict[str, Any]
Change = Callable[[Event, random.Random], None]


def events(world: World, chance: random.Random) -> Sent:
    """Return an event for one of the functions."""
    make = chance.choice((_api, _api, _api, _bearer, _authorizer, _authorizer, _publisher))
    return make(world, chance)


def _api(world: World, chance: random.Random) -> Sent:
    event = chance.choice(world.calls).event()
    for _ in range(chance.choice((1, 1, 2, 4))):
        chance.choice(_API_CHANGES)(event, chance)
    possible = chance.random() < 0.8
    if not possible:
        _break(event, chance)
    return Sent("api", event, possible)


def large(world: World, chance: random.Random) -> Sent:
    """Return an event with as large a body as there may be."""
    event = chance.choice([call for call in world.calls if call.method == "POST"]).event()
    body = chance.choice(_large_bodies())
    event["isBase64Encoded"] = chance.random() < 0.5
    event["body"] = base64.b64encode(body.encode()).decode() if event["isBase64Encoded"] else body
    if event["isBase64Encoded"] and len(body) > MOST_BODY * 3 // 4:
        event["body"] = event["body"][: MOST_BODY // 4 * 4]
    return Sent("api", event)


@cache
def _large_bodies() -> tuple[str, ...]:
    return (
        "x" * MOST_BODY,
        "a=b&" * (MOST_BODY // 4),
        "%" * MOST_BODY,
        "%41" * (MOST_BODY // 3),
        "é" * (MOST_BODY // 2),
        "[" * MOST_BODY,
        '{"text": "' + "x" * (MOST_BODY - 20) + '"}',
        '{"a":' * (MOST_BODY // 5),
        "token=" + "x" * (MOST_BODY - 10),
    )


def _spoil_headers(event: Event, chance: random.Random) -> None:
    name = chance.choice(list(ODD_HEADERS))
    event["headers"][name] = chance.choice(ODD_HEADERS[name])


def _repeat_header(event: Event, chance: random.Random) -> None:
    """Send a header twice, in different case, as HTTP/2 and old clients might spell it."""
    name = chance.choice(list(event["headers"]) or ["Host"])
    event["headers"][chance.choice((name.lower(), name.upper()))] = chance.choice(
        (event["headers"].get(name, ""), *ODD_HEADERS.get(name, ("x",)))
    )


def _add_multi_value_headers(event: Event, chance: random.Random) -> None:
    headers = {name: [value, value] for name, value in event["headers"].items()}
    event["multiValueHeaders"] = chance.choice((headers, None, {}, {"Cookie": ["a=b", "c=d"]}))


def _add_headers(event: Event, chance: random.Random) -> None:
    count = chance.choice((1, 50, 500))
    for number in range(count):
        event["headers"][f"x-{number}"] = "x" * (HEADER_BYTES // count)


def _drop_headers(event: Event, chance: random.Random) -> None:
    for name in list(event["headers"]):
        if chance.random() < 0.5:
            del event["headers"][name]


def _spoil_query(event: Event, chance: random.Random) -> None:
    query = event["multiValueQueryStringParameters"] or {}
    name = chance.choice([*query, *ODD_NAMES])
    value = chance.choice(ODD_TEXT)
    query[name] = chance.choice(([value], [value] * 2, ["x"] * 1000, [""]))
    many = {f"x{number}": [""] for number in range(2000)}
    event["multiValueQueryStringParameters"] = chance.choice((query, query, query, query | many, None))


def _spoil_body(event: Event, chance: random.Random) -> None:
    event["body"] = chance.choice((None, "", *ODD_BASE64, *ODD_TEXT))
    event["isBase64Encoded"] = chance.random() < 0.5


def _spoil_path(event: Event, chance: random.Random) -> None:
    if event["pathParameters"]:
        event["pathParameters"] = dict.fromkeys(event["pathParameters"], chance.choice(ODD_TEXT))
    event["path"] = event["requestContext"]["path"] = chance.choice(ODD_PATHS)


def _spoil_method(event: Event, chance: random.Random) -> None:
    method = chance.choice((*METHODS, "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "", "é"))
    event["httpMethod"] = event["requestContext"]["httpMethod"] = method


def _spoil_context(event: Event, chance: random.Random) -> None:
    """Change what API Gateway says itself, as it may: nobody else writes there."""
    context = event["requestContext"]
    name = chance.choice(("stage", "domainName", "requestId", "identity", "authorizer"))
    if name == "identity":
        context["identity"] = {"sourceIp": chance.choice(ODD_ADDRESSES), "userAgent": chance.choice(ODD_TEXT)}
    elif name != "authorizer":
        context[name] = chance.choice(("x", "$default", "api.example.org")) if chance.random() < 0.7 else ""
    elif "authorizer" in context:
        context[name] |= {"principalId": "x", "integrationLatency": 5}


def _add_stage_variables(event: Event, chance: random.Random) -> None:
    event["stageVariables"] = chance.choice(({}, {"oauth_scope_rules": chance.choice(ODD_TEXT)}, {"x": "y"}))


_API_CHANGES: tuple[Change, ...] = (
    *(_spoil_headers, _spoil_headers, _repeat_header, _add_multi_value_headers, _add_headers, _drop_headers),
    *(
        _spoil_query,
        _spoil_query,
        _spoil_body,
        _spoil_path,
        _spoil_method,
        _spoil_context,
        _add_stage_variables,
    ),
)


def _break(node: Any, chance: random.Random) -> None:
    """Take away or replace something, anywhere in an event."""
    places = _places(node)
    if places:
        inside, key = chance.choice(places)
        if isinstance(inside, dict) and chance.random() < 0.3:
            del inside[key]
        else:
            inside[key] = copy.deepcopy(chance.choice(ODD_JSON))


def _places(node: Any) -> list[tuple[Any, Any]]:
    """Return each member of each object and list in an event."""
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    return [(node, key) for key in keys] + [place for key in keys for place in _places(node[key])]


def _header(world: World, chance: random.Random) -> str:
    token = chance.choice((world.tokens["access_token"], world.machine_token, world.tokens["refresh_token"]))
    guess = token[:12] + "".join(chance.choices("0123456789abcXYZ", k=28))  # Of the same grant.
    changed = chance.choice(
        (guess, guess, token[:-1], f"{token}0", token.swapcase(), f"{token}\n", f"{token} x")
    )
    scheme = chance.choice(("Bearer ", "bearer  ", "BEARER\t", "Basic ", "", "Bearer\u00a0"))
    return chance.choice(
        (
            f"Bearer {token}",
            f"{scheme}{token}",
            f"Bearer {changed}",
            *ODD_HEADERS["Authorization"],
            *ODD_TEXT[:8],
        )
    )


def _arn(chance: random.Random) -> str:
    path = chance.choice((*ODD_PATHS, "/maps/1", "/maps/1/members"))
    return f"{ARN}/{chance.choice(('prod', '$default', 'x'))}/{chance.choice((*METHODS, 'x'))}{path}"


def _bearer(world: World, chance: random.Random) -> Sent:
    event = {"type": "TOKEN", "authorizationToken": _header(world, chance), "methodArn": _arn(chance)}
    possible = chance.random() < 0.7
    if not possible:
        _break(event, chance)
    return Sent("bearer", event, possible)


def _authorizer(world: World, chance: random.Random) -> Sent:
    rules = chance.choice(
        (None, {}, {"oauth_scope_rules": RULES}, {"oauth_scope_rules": chance.choice(ODD_BASE64)})
    )
    header = _header(world, chance)
    event = chance.choice(EVENTS)(header, variables=rules)
    event["routeArn" if "routeArn" in event else "methodArn"] = _arn(chance)
    if "headers" in event and chance.random() < 0.4:
        chance.choice((_repeat_header, _add_headers, _drop_headers))(event, chance)
    possible = chance.random() < 0.6
    for _ in range(0 if possible else chance.choice((1, 3))):
        _break(event, chance)
    return Sent("authorizer", event, possible)


def _publisher(world: World, chance: random.Random) -> Sent:
    records = [copy.deepcopy(one) for one in chance.choices(world.records, k=chance.choice((1, 3, 20)))]
    for record in records:
        change = record["dynamodb"]
        if chance.random() < 0.3:
            change["OldImage"] = copy.deepcopy(change["NewImage"])
        for part in (change, *(change[name] for name in ("OldImage", "NewImage", "Keys") if name in change)):
            if chance.random() < 0.2:
                _break(part, chance)
    possible = chance.random() < 0.9
    event = {"Records": records}
    if not possible:
        _break(event, chance)
    return Sent("publisher", event, possible)
