"""What every response keeps to, whichever route it is from and whatever was sent: all routes, all at once.

The routes are those of the app. A new page, form or parameter is attacked as soon as it is there.
"""

import re
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import pytest

import app as application
from tests.conftest import Log
from tests.faults import FAULTS, storage_fails
from tests.harness import CALLBACK, HOST, Answer
from tests.scene import ACTIONS, FIRST, Scene, csrf_token, routes

MAY_BE_KEPT = ("/static/", "/.well-known/")
"""What has no secret, and may stay in caches."""

EVIL = (
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example/",
    "/\t/evil.example",
    "/./\\evil.example",
    "javascript:alert(1)//evil.example",
    "/%0d%0aLocation:https://evil.example",
    "/x\r\nLocation: https://evil.example/\r\nSet-Cookie: evil=1",
)

GOING_ON = ("continue", "next", "return_to", "redirect", "redirect_uri", "redirect_url", "url", "target")
"""What parameters are called that say where to go on; those of ours are among them."""

FORGED_HEADERS = {
    "Host": "evil.example",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Prefix": "//evil.example",
    "X-Forwarded-Server": "evil.example",
    "X-Host": "evil.example",
    "X-Original-URL": "https://evil.example/",
    "X-Rewrite-URL": "https://evil.example/",
    "X-HTTP-Method-Override": "DELETE",
    "Forwarded": "host=evil.example;proto=http",
    "Origin": "https://evil.example",
    "Referer": "https://evil.example/",
}

ENDING = {
    "/sign-out",
    "/account/sign-out-everywhere",
    "/account/password",
    "/applications/{client_id}/delete",
}
"""Forms after which there is nothing left to try."""

LINK = re.compile(r'\b(?:href|src|action|formaction|content)="([^"]*)"')


def all_routes() -> list[tuple[str, str]]:
    """Return each method and route of the app that needs no token."""
    return sorted(
        (method, path)
        for path, methods in application.app.routes.items()
        for method, entry in methods.items()
        if entry.authorizer is None
    )


def answers(scene: Scene) -> Iterator[tuple[str, Answer]]:
    """Send each route an empty request, as a stranger and as the owner; and each form as it is meant."""
    for cookies in ({}, dict(scene.browser.cookies)):
        for method, route in all_routes():
            yield f"{method} {route}", scene.send(method, route, cookies, query=scene.query(route))
    for route in sorted(ACTIONS):
        cookies = dict(scene.deployment.signed_in_browser().cookies)
        yield f"POST {route}, forged", scene.post(route, cookies, "0" * 64)
        if route in FIRST:
            scene.post(FIRST[route], cookies, csrf_token(cookies))
        if route not in ENDING:
            yield f"POST {route}", scene.post(route, cookies, csrf_token(cookies))


def broken_answers(scene: Scene) -> Iterator[tuple[str, Answer]]:
    """Do the same while the storage fails."""
    with storage_fails(FAULTS["no table"]):
        for method, route in all_routes():
            fields = {"csrf_token": csrf_token(scene.browser.cookies)} if method == "POST" else None
            yield (
                f"{method} {route}",
                scene.send(method, route, scene.browser.cookies, query=scene.query(route), fields=fields),
            )


def test_every_response_keeps_to_the_rules(scene: Scene) -> None:
    seen = {"page": 0, "redirect": 0}
    for what, answer in [*answers(scene), *broken_answers(scene)]:
        headers = answer.headers
        assert answer.status in (200, 202, 303, 400, 401, 403, 404, 405, 409, 415, 422, 429, 503), what
        if not what.partition(" ")[2].startswith(MAY_BE_KEPT) and answer.status not in (405, 415):
            assert headers["cache-control"] == "no-store", what
        if headers.get("content-type", "").startswith("text/html"):
            seen["page"] += 1
            check_page(what, answer)
        if "location" in headers:
            seen["redirect"] += 1
            assert (answer.status, answer.body) == (303, ""), what  # RFC 9700 section 4.12
            assert headers["referrer-policy"] == "no-referrer", what
        for cookie in answer.set_cookies:
            assert re.fullmatch(
                r"__Host-(session|notice)=\w*; Path=/; HttpOnly; SameSite=Lax; Secure(; Max-Age=0)?", cookie
            ), what
    assert seen["page"] > 60
    assert seen["redirect"] > 30


def check_page(what: str, answer: Answer) -> None:
    headers = answer.headers
    policy = dict(part.partition(" ")[::2] for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'", what
    assert policy["frame-ancestors"] == "'none'", what  # Clickjacking: RFC 9700 section 4.16
    assert policy["base-uri"] == "'none'", what
    assert policy["script-src"] in ("'none'", "'self'"), what
    assert policy.get("form-action", "'self'") == "'self'", what
    assert "unsafe" not in headers["content-security-policy"], what
    assert headers["x-frame-options"] == "DENY", what
    assert headers["referrer-policy"] == "no-referrer", what  # RFC 9700 section 4.2
    assert headers["x-content-type-options"] == "nosniff", what
    assert headers["strict-transport-security"], what
    assert answer.body.count("<script") == ("form_post.js" in answer.body), what
    assert not re.search(r"<[^>]+\s(?:on\w+|style)=", answer.body), what


def test_no_header_of_a_request_changes_where_anything_leads(scene: Scene) -> None:
    for method, route in all_routes():
        for cookies in ({}, dict(scene.browser.cookies)):
            answer = scene.send(method, route, cookies, query=scene.query(route), headers=FORGED_HEADERS)
            assert "evil.example" not in answer.body, (method, route)
            assert "evil.example" not in str(answer.headers), (method, route)


def leads_elsewhere(answer: Answer) -> list[str]:
    """Return where a response leads that is neither ours nor the application's registered address.

    Browsers take a backslash for a slash, and leave tabs out.
    """
    links = [*LINK.findall(answer.body), answer.headers.get("location", "/")]
    read = [urljoin(f"https://{HOST}/sign-in", link.replace("\\", "/").replace("\t", "")) for link in links]
    return [
        link for link in read if urlsplit(link).netloc != HOST and not link.startswith((CALLBACK, "data:,"))
    ]


@pytest.mark.parametrize("evil", EVIL)
def test_no_parameter_leads_elsewhere(scene: Scene, evil: str) -> None:
    """Open redirectors (RFC 6819 section 4.2.4), and headers that are split."""
    cookies = dict(scene.browser.cookies)
    token = csrf_token(cookies)
    everywhere = dict.fromkeys(GOING_ON, evil)
    sent = [
        *(scene.get(route, cookies, **everywhere) for route in sorted(routes("GET"))),
        *(scene.get("/sign-in", {}, **{name: evil}) for name in GOING_ON),
        *(scene.get("/oauth2/authorize", cookies, **{name: evil}) for name in (*GOING_ON, "state", "prompt")),
        *(scene.post(route, cookies, token, **everywhere) for route in sorted(set(ACTIONS) - ENDING)),
        *(scene.post("/sign-in", cookies, token, **{name: evil}) for name in (*GOING_ON, "email")),
    ]
    for answer in sent:
        assert leads_elsewhere(answer) == []
        assert not re.search(r"[\x00-\x1f]", "".join(answer.headers.values())), answer
        assert not any("evil" in cookie for cookie in answer.set_cookies)


CANARY = 'canary\n{"event":"forged"}\r\n\x1b[2J'


def test_nothing_that_is_sent_gets_into_the_log(scene: Scene, log: Log) -> None:
    """Log injection, and secrets in logs: each field of each form, each parameter, and the headers."""
    headers = dict.fromkeys(
        (
            "User-Agent",
            "Referer",
            "X-Forwarded-For",
            "Authorization",
            "Origin",
            "Accept-Language",
            "X-Amzn-Trace-Id",
        ),
        CANARY,
    )
    cookies = dict(scene.browser.cookies)
    token = csrf_token(cookies)
    for method, route in all_routes():
        for canaries in (dict.fromkeys(("x", "client_id", "state", "scope", "continue", "type"), CANARY), {}):
            fields = dict.fromkeys(("grant_type", "token", "client_id", "code", CANARY), CANARY)
            scene.send(
                method,
                route,
                {"x": "canary"},
                query=canaries,
                fields=fields if method == "POST" else None,
                headers=headers,
            )
    for route in sorted(set(ACTIONS) - ENDING):
        for name in ACTIONS[route]:
            scene.post(route, cookies, token, **{name: CANARY})
            scene.post(route, cookies, token, **{name: "canary"})
    told = log.events()
    assert len(told) > 100
    assert not [event for event in told if event["event"] == "forged"]
    assert "canary" not in log.text
    assert log.text.isascii()
