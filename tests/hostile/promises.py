"""What holds of every request, whoever sends it and whatever is in it.

- There is an answer, as `docs/openapi.yaml` has it, and it is no 5xx. An authorizer answers with a
  policy or a documented exception; the publisher does with what Lambda has to deliver again.
- Nobody is sent anywhere but to a path of ours or the redirect URI of the client, and no page has a
  script that is not in a file of ours.
- What is refused changes nothing, but for what counts attempts.
- Only who sends a valid token gets in.
- No credential gets into the log, whose lines are JSON and short.
- It takes no more than `MOST_SECONDS` of a processor, and `MOST_BYTES` more memory than the process had.

Of an event that API Gateway cannot send, the last three hold. It may be answered by an exception.
"""

import base64
import io
import json
import re
import resource
import sys
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from jsonschema import ValidationError

import app
from chalicelib.authorizer.bearer import bearer
from chalicelib.authorizer.decision import Unauthorized
from chalicelib.authorizer.gateway import authorizer
from chalicelib.endpoints.oauth2 import ALL_METHODS
from chalicelib.events.publisher import publish
from chalicelib.oauth import clients
from chalicelib.scope_rules import ScopeRulesError
from tests.harness import CALLBACK, Answer, answer_of
from tests.hostile.world import World
from tests.openapi import DOCUMENT, POST_ONLY, check_redirect, documented

MOST_SECONDS = 1.0
"""Of a processor. Two passwords take 0.06 of them, and 0.27 on a machine with ten times too much to do."""
MOST_BYTES = 64 << 20
"""More than the process had, for bodies of 10 MB: API Gateway takes no larger ones."""
LARGE = 100_000
"""Bytes of an event, from which on its memory is traced. That takes time."""
LONGEST_LOG = 20_000
"""Characters that one request may write."""

FUNCTIONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "api": app.app,
    "bearer": bearer,
    "authorizer": authorizer,
    "publisher": publish,
}
"""What is deployed, by its name."""

REFUSALS = {"bearer": (Unauthorized,), "authorizer": (Unauthorized, ScopeRulesError)}
"""The exceptions by which nobody gets in."""

WAITING = {"authorization_pending", "slow_down"}
"""Errors that change a grant: when its device came (RFC 8628 section 3.5)."""

COUNTED = {"throttle", "mailed-code", "assertion"}
"""Rows that a refusal may change: attempts that were made, and an assertion that was spent."""

_INLINE = re.compile(r"<script(?! src=\"/static/)", re.IGNORECASE)
_OWN_PATH = re.compile(r"/([^/\\\s][^\\\s]*)?")
_TOKEN = re.compile(r"\s*bearer +(\S+)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Sent:
    """An invocation of a function."""

    function: str
    event: Any
    possible: bool = True
    """Whether API Gateway, or a stream, may send such an event."""
    fails: bool = False
    """Whether something is spoilt without which it cannot succeed."""

    def packed(self) -> str:
        """Return it as text that fits into a command line."""
        return base64.b64encode(zlib.compress(json.dumps(self.__dict__).encode())).decode()

    @classmethod
    def unpacked(cls, text: str) -> Self:
        """Read what `packed` wrote."""
        return cls(**json.loads(zlib.decompress(base64.b64decode(text))))


@dataclass
class Outcome:
    """What came of it."""

    result: Any = None
    error: Exception | None = None
    log: str = ""
    changes: list[tuple[str, Any, Any]] = field(default_factory=list)
    seconds: float = 0.0
    bytes: int = 0
    """By which the process grew, as far as that is known."""

    @property
    def summary(self) -> str:
        """What to count it as."""
        if self.error is not None:
            return type(self.error).__name__
        if isinstance(self.result, dict) and "statusCode" in self.result:
            return str(self.result["statusCode"])
        return "allowed" if _lets_in(self.result) else "answered"


def invoke(world: World, sent: Sent) -> Outcome:
    """Hand an event to a function, and put back what it changed."""
    outcome, log = Outcome(), io.StringIO()
    world.chance.seed(1)
    text = json.dumps(sent.event)
    event = json.loads(text)
    traced = len(text) > LARGE
    grown = _peak()
    if traced:
        tracemalloc.start()
    began = time.process_time()
    try:
        with redirect_stdout(log):
            outcome.result = FUNCTIONS[sent.function](event, None)
    except Exception as error:
        outcome.error = error
    outcome.seconds = time.process_time() - began
    if traced:
        outcome.bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    else:
        outcome.bytes = _peak() - grown
    outcome.log = log.getvalue()
    if world.storage.writes:
        outcome.changes = world.storage.changes()
        world.storage.put_back()
        clients.forget()
    world.storage.writes = 0
    return outcome


def _peak() -> int:
    """Return the most memory that this process ever had, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def broken(world: World, sent: Sent, outcome: Outcome) -> list[str]:
    """Return which promises an outcome breaks."""
    found = [*_of_any(world, outcome)]
    if sent.function == "api":
        found += _of_the_api(sent, outcome)
    elif sent.function == "publisher":
        found += _of_the_publisher(sent, outcome)
    else:
        found += _of_an_authorizer(world, sent, outcome)
    return found


def _of_any(world: World, outcome: Outcome) -> Iterator[str]:
    if outcome.seconds > MOST_SECONDS:
        yield f"it took {outcome.seconds:.2f} s of a processor"
    if outcome.bytes > MOST_BYTES:
        yield f"it took {outcome.bytes >> 20} MB"
    if len(outcome.log) > LONGEST_LOG:
        yield f"it logged {len(outcome.log)} characters"
    if any(secret in outcome.log for secret in world.secrets):
        yield "a credential is in the log"
    if not all(map(_is_object, outcome.log.split("\n")[:-1])):
        yield "a line of the log is no JSON object"


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _of_the_api(sent: Sent, outcome: Outcome) -> Iterator[str]:
    if outcome.error is not None or not isinstance(outcome.result, dict):
        if sent.possible:
            yield f"no answer: {outcome.error!r}"
        return
    answer = answer_of(outcome.result)
    if answer.status >= 500 and sent.possible:
        yield f"status {answer.status}: {outcome.log[-2000:]}"
    elif sent.possible:
        yield from _undocumented(sent.event, answer)
    yield from _unsafe(answer)
    yield from _misleading(answer)
    harm = [change for change in outcome.changes if not _may_change(change, answer)]
    if sent.possible and harm and (_is_refusal(answer) or sent.fails):
        yield f"status {answer.status}, and yet it changed {harm}"
    if sent.fails and '"access_token":' in answer.body:
        yield "there is a token in the answer to what cannot succeed"


def _undocumented(event: Any, answer: Answer) -> Iterator[str]:
    """Hold an answer against the document."""
    context = event["requestContext"]
    path, method = context["resourcePath"], context["httpMethod"]
    if method.lower() not in DOCUMENT["paths"][path] or not method.isupper():
        if answer.status != 405:
            yield f"status {answer.status} for a method that is not documented"
        if path not in POST_ONLY or method not in ALL_METHODS:  # Chalice answers, if API Gateway asks at all.
            return
        method = "POST"
    try:
        documented(answer, method, path, answer.status)
    except KeyError as error:
        yield f"status {answer.status} or its content type is not documented: {error}"
    except (ValidationError, AssertionError, ValueError) as error:
        yield f"status {answer.status} is not as documented: {str(error)[:500]}"


def _unsafe(answer: Answer) -> Iterator[str]:
    for name, value in [*answer.headers.items(), *(("set-cookie", value) for value in answer.set_cookies)]:
        if not value.isascii() or not value.isprintable():
            yield f"the header {name} is {value!r}"
    if "Traceback" in answer.body:
        yield "a stack trace is in the answer"
    if answer.headers.get("content-type", "").startswith("text/html"):
        if _INLINE.search(answer.body):
            yield "there is a script in the page"
        if "content-security-policy" not in answer.headers:
            yield "the page has no policy"


def _misleading(answer: Answer) -> Iterator[str]:
    """Hold where an answer leads to against where it may."""
    location = answer.headers.get("location", "/")
    if not location.startswith(f"{CALLBACK}?"):
        if not _OWN_PATH.fullmatch(location):
            yield f"it leads to {location}"
        return
    try:
        check_redirect(answer)
    except (ValidationError, KeyError, AssertionError, ValueError) as error:
        yield f"the redirect is not as documented: {str(error)[:500]}"


def _is_refusal(answer: Answer) -> bool:
    location = answer.headers.get("location", "")
    return (
        answer.status >= 400
        or location.startswith("/sign-in?")
        or "error" in dict(parse_qsl(urlsplit(location).query))
    )


def _may_change(change: tuple[str, Any, Any], answer: Answer) -> bool:
    """Tell whether a refused request may have changed a row."""
    table, before, now = change
    if table == "audit":
        return True
    if table == "grants":
        return answer.status == 400 and bool(answer.json.get("error") in WAITING)
    kind = (now or before).get("kind", {}).get("S")
    if kind == "browser" and before and now:
        return bool(before | {"last_used_at": None} == now | {"last_used_at": None})
    return table == "sessions" and kind in COUNTED


def _of_an_authorizer(world: World, sent: Sent, outcome: Outcome) -> Iterator[str]:
    if outcome.changes:
        yield f"it changed {outcome.changes}"
    if outcome.error is not None:
        if not isinstance(outcome.error, REFUSALS[sent.function]) and (
            sent.possible or sent.function == "authorizer"
        ):
            yield f"no documented exception: {outcome.error!r}"
    elif _lets_in(outcome.result) and not (_tokens_in(sent.event) & world.access_tokens):
        yield "it lets somebody in who has no token"


def _lets_in(result: Any) -> bool:
    if not isinstance(result, dict):
        return False
    statements = result.get("policyDocument", {}).get("Statement", ())
    return bool(result.get("isAuthorized")) or any(one["Effect"] == "Allow" for one in statements)


def _tokens_in(event: Any) -> set[str]:
    """Return what may be a token anywhere in an event."""
    if isinstance(event, str):
        bearer = _TOKEN.fullmatch(event)
        return {bearer[1]} if bearer else set()
    if isinstance(event, list):
        return set().union(*map(_tokens_in, event))
    return set().union(*map(_tokens_in, event.values())) if isinstance(event, dict) else set()


def _of_the_publisher(sent: Sent, outcome: Outcome) -> Iterator[str]:
    if outcome.changes:
        yield f"it changed {outcome.changes}"
    if sent.possible and (outcome.error or outcome.result != {"batchItemFailures": []}):
        yield f"records are held up: {outcome.result} {outcome.error!r}"
