"""Requests that would succeed, of real clients and signed-in people, spoilt in at least one point.

So each gets as deep as the point that is spoilt.
"""

import base64
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote_from_bytes

from tests.harness import FORM
from tests.hostile.calls import Call
from tests.hostile.promises import Sent
from tests.hostile.world import World

CONTROLS = ("\0", "\n", "\r", "\t", "\x1b", "\x7f", "\x80", "\u2028", "\u202e", "\ufffd", "\ufeff")
NOT_UTF_8 = (b"\xff", b"\xc3(", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80")
ODD_TEXT = (
    *("", " ", "\0", "é", "%", "%00", "%FF", "+", "&=;", "null", "{}", "[]", "true", "0", "-1", "1e999", "x"),
    *("\ud7ff", "\ue000", "😀" * 100, "a" * 5000, "../../etc/passwd", "{0}"),
    *("' OR 1=1 --", "${jndi:x}", "https://evil.example/", "//evil.example", "javascript:x", "\r\nX: y"),
    *("none", "login consent", "S256", "plain", "form_post", "token", "id_token", "allow", "deny", "*"),
)
MARKUP = ("<script>alert(1)</script>", '"><script>alert(1)</script>', "'><script>alert(1)</script>")
UNKNOWN_NAMES = ("x", "é", "", "grant_type ", "Code", "code[]", "a" * 5000, "<script>", "__proto__")
BAD_CREDENTIALS = (
    "",
    "Basic",
    "Basic !",
    "Basic é",
    "Basic OnM=",
    "Basic YQ==",
    "Basic /zo=",
    "Bearer x",
    "\0",
)
BAD_CONTENT_TYPES = (
    "",
    "application/json",
    "text/plain",
    "multipart/form-data",
    "x" * 5000,
    "é",
    f"{FORM};é",
)
BAD_BODIES = ("", "{}", "[]", "null", "a", "é", "=" * 9, "&" * 9000, "x" * 70_000, '{"text":' * 9000)
METHODS = ("GET", "HEAD", "PUT", "PATCH", "DELETE", "POST")
MOST_RAW = "".join(chr(byte) for byte in range(0x21, 0x7F) if chr(byte) not in "&=+%")

Values = list[bytes]
"""What is sent under one name: nothing, once, or more often."""


def spoilt(world: World, chance: random.Random) -> Sent:
    """Return a request that was spoilt."""
    call = chance.choice(world.calls)
    flaws = _flaws(call, chance)
    fails = bool(flaws & call.essential)
    headers = {
        name: value for name, value in call.headers.items() if name not in flaws or chance.random() < 0.8
    }
    for name in flaws & headers.keys():
        headers[name] = _spoilt_header(headers[name], world.values[name], chance)
    method = chance.choice(METHODS) if "method" in flaws else call.method
    spoilt_call = replace(call, method=method, headers=headers, form=None, query={})
    sent = spoilt_call.event()
    if call.form is not None:
        sent["headers"]["Content-Type"] = chance.choice(BAD_CONTENT_TYPES) if "type" in flaws else FORM
        form = _pairs(call.form, flaws, world, chance)
        sent["body"], sent["isBase64Encoded"] = _form(form, chance)
    if "body" in flaws:
        sent["body"] = chance.choice(BAD_BODIES)
    query: dict[str, list[str]] = {}
    for name, value in _pairs(call.query, flaws, world, chance):
        query.setdefault(name, []).append(value.decode("utf-8", "replace"))
    sent["multiValueQueryStringParameters"] = query or None
    return Sent("api", sent, fails=fails)


def _flaws(call: Call, chance: random.Random) -> set[str]:
    """Return what is spoilt: one thing most often, and three at most."""
    names = [*call.query, *(call.form or {}), *call.headers]
    points = [*names * 4, "method", "type", "body"]
    return {chance.choice(points) for _ in range(chance.choice((1, 1, 1, 2, 3)))}


def _pairs(valid: Any, flaws: set[str], world: World, chance: random.Random) -> list[tuple[str, bytes]]:
    """Return parameters, with some spoilt, in any order, and some that nobody knows."""
    sent: list[tuple[str, bytes]] = []
    for name, value in valid.items():
        values = spoilt_values(value, world, name, chance) if name in flaws else [value.encode()]
        sent += [(name, each) for each in values]
    if valid and chance.random() < 0.2:
        sent.append((chance.choice(UNKNOWN_NAMES), chance.choice(ODD_TEXT).encode()))
    if chance.random() < 0.5:
        chance.shuffle(sent)
    return sent


def spoilt_values(value: str, world: World, name: str, chance: random.Random) -> Values:
    """Return what is sent instead of a valid value: it never is that value."""
    while True:
        values = chance.choice(_SPOILERS)(value, world, name, chance)
        if values != [value.encode()]:
            return values


def _twice(value: str, world: World, name: str, chance: random.Random) -> Values:
    return [value.encode(), chance.choice((value, "", "other")).encode()]


def _too_long(value: str, world: World, name: str, chance: random.Random) -> Values:
    return [(value + "x" * chance.choice((2100, 4097, 17_000, 60_000))).encode()]


def _with_control(value: str, world: World, name: str, chance: random.Random) -> Values:
    at = chance.randrange(len(value) + 1)
    return [(value[:at] + chance.choice(CONTROLS) + value[at:]).encode()]


def _not_utf_8(value: str, world: World, name: str, chance: random.Random) -> Values:
    return [value.encode() + chance.choice(NOT_UTF_8)]


def _nearly(value: str, world: World, name: str, chance: random.Random) -> Values:
    at = chance.randrange(len(value) or 1)
    other = value[:at] + chance.choice("0aZ-._~") + value[at + 1 :]
    return [chance.choice((value[:-1], value[1:], value + "0", value.swapcase(), other)).encode()]


def _another(value: str, world: World, name: str, chance: random.Random) -> Values:
    """Return what is valid elsewhere."""
    names = chance.choice((name, chance.choice(list(world.values))))
    return [chance.choice(world.values[names]).encode()]


def _odd(value: str, world: World, name: str, chance: random.Random) -> Values:
    return [chance.choice(ODD_TEXT).encode()]


def _markup(value: str, world: World, name: str, chance: random.Random) -> Values:
    return [(value + chance.choice(MARKUP)).encode()]


def _any_bytes(value: str, world: World, name: str, chance: random.Random) -> Values:
    return [chance.randbytes(chance.randrange(60))]


def _any_text(value: str, world: World, name: str, chance: random.Random) -> Values:
    length = chance.choice((1, 8, 43, 130))
    return ["".join(chance.choices("-._~ 0123456789abcxyzABCXYZé😀", k=length)).encode()]


def _missing(value: str, world: World, name: str, chance: random.Random) -> Values:
    return chance.choice(([], [b""]))


_SPOILERS = (
    *(_twice, _too_long, _with_control, _not_utf_8, _any_bytes, _missing, _odd, _markup),
    *(_nearly, _nearly, _another, _another, _any_text),
)


def _spoilt_header(value: str, others: Sequence[str], chance: random.Random) -> str:
    """Return what a header is instead. White space around it would not matter, so it gets none."""
    header = chance.choice((value[:-1], value[1:], value.swapcase(), *others, *BAD_CREDENTIALS))
    return header if header != value else "x"


def _form(pairs: list[tuple[str, bytes]], chance: random.Random) -> tuple[str, bool]:
    """Return a body as it is in an event, and whether it is base64."""
    raw = chance.random() < 0.3
    body = b"&".join(
        quote_from_bytes(name.encode(), MOST_RAW).encode() + b"=" + _encoded(value, raw)
        for name, value in pairs
    )
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = ""
    if text and chance.random() < 0.7:
        return text, False
    return base64.b64encode(body).decode(), True


def _encoded(value: bytes, raw: bool) -> bytes:
    """Percent-encode a value, or only what has to be."""
    if not raw:
        return quote_from_bytes(value).encode()
    return b"".join(b"%%%02X" % byte if byte in b"&=+% " else bytes([byte]) for byte in value)
