"""Requests to the stage, and what their answers may look like, whatever goes wrong behind it."""

import json
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urljoin

import requests

from tests.expect import DESCRIPTION
from tests.soak.model import Ledger

TIMEOUT = 40
"""Seconds: longer than API Gateway waits."""
DROPPED = 0.015
"""How many answers of a hundred are lost on their way back to who asked: 1.5."""
RETRY_AFTER = 2
AT_ONCE = 8
"""Requests. MiniStack starts a process for each; more than a small machine can bear do not race more."""

LET_IN, REFUSED, UNAVAILABLE, LOST, BROKEN, DROPPED_HERE = (
    "ok",
    "refused",
    "503",
    "no answer",
    "gateway's 5xx",
    "answer dropped",
)
UNKNOWN = (UNAVAILABLE, LOST, BROKEN, DROPPED_HERE)
"""Outcomes after which the request may have been done, or not."""


@dataclass(frozen=True)
class Reply:
    """What came of a request."""

    outcome: str
    began: float
    response: requests.Response | None = None

    @property
    def is_unknown(self) -> bool:
        return self.outcome in UNKNOWN

    @property
    def status(self) -> int:
        return self.response.status_code if self.response is not None else 0

    @property
    def text(self) -> str:
        return self.response.text if self.response is not None else ""

    @cached_property
    def members(self) -> dict[str, Any]:
        """The JSON object that it is."""
        try:
            found = json.loads(self.text)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def location(self) -> str:
        """Where it redirects to; nothing if it does not."""
        if self.response is None or not self.response.is_redirect:
            return ""
        return urljoin(self.response.url, self.response.headers["Location"])

    @property
    def error(self) -> str:
        return str(self.members.get("error", ""))

    def __str__(self) -> str:
        return (
            f"{self.outcome} {self.error}".strip() if self.outcome in (REFUSED, UNAVAILABLE) else self.outcome
        )


class Wire:
    """Sends, counts, and looks at the form of each answer."""

    def __init__(self, url: str, ledger: Ledger, seed: str) -> None:
        self.url = url
        self.ledger = ledger
        self.operations: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.dropped = 0
        self.calm = False
        """Whether nothing goes wrong any more, so that every answer has to be a proper one."""
        self._random = random.Random(f"{seed} wire")  # noqa: S311
        self._lock = threading.Lock()
        self._local = threading.local()
        self._places = threading.Semaphore(AT_ONCE)

    def post(self, operation: str, path: str, form: Mapping[str, str]) -> Reply:
        """Send a form to one of the endpoints that applications talk to."""
        reply = self._send(operation, "POST", path, data=dict(form))
        if reply.response is not None and reply.status != 200 and reply.outcome != BROKEN:
            self._check_error(operation, reply)
        return self._perhaps_dropped(reply)

    def call_api(self, operation: str, path: str, token: str) -> Reply:
        """Call the API with a token."""
        return self._send(operation, "GET", path, headers={"Authorization": f"Bearer {token}"})

    def visit(
        self,
        browser: requests.Session,
        operation: str,
        method: str,
        url: str,
        form: Mapping[str, str] | None = None,
    ) -> Reply:
        """Let a browser go somewhere: a page or a redirect is an answer, whatever its status."""
        return self._send(operation, method, url, browser, data=form)

    def count(self, operation: str, outcome: str) -> None:
        with self._lock:
            self.operations[operation][outcome] += 1

    def _send(
        self, operation: str, method: str, path: str, session: requests.Session | None = None, **more: Any
    ) -> Reply:
        url = path if path.startswith("http") else self.url + path
        began = time.time()  # What is sent was put together by now, and may wait for a place.
        with self._places:
            try:
                response = (session or self._session()).request(
                    method, url, allow_redirects=False, timeout=TIMEOUT, **more
                )
            except requests.RequestException:
                reply = Reply(LOST, began)
            else:
                reply = Reply(self._outcome(operation, response), began, response)
        self.count(operation, str(reply))
        if self.calm and reply.is_unknown:
            self.ledger.violation(
                f"{operation}: {reply} ({reply.status}), though nothing goes wrong any more"
            )
        return reply

    def _session(self) -> requests.Session:
        """Return the connection of this thread: sessions are not for several."""
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        session: requests.Session = self._local.session
        return session

    def _outcome(self, operation: str, response: requests.Response) -> str:
        if response.status_code < 400:
            return LET_IN
        if response.status_code < 500:
            return REFUSED
        if response.status_code == 503 and "Retry-After" in response.headers:
            return UNAVAILABLE
        if _is_ours(response):
            self.ledger.violation(
                f"{operation}: {response.status_code} from the app itself: {_shown(response)}"
            )
        return BROKEN

    def _check_error(self, operation: str, reply: Reply) -> None:
        """Check an error for its form (RFC 6749 section 5.2)."""
        assert reply.response is not None
        well_formed = (
            set(reply.members) == {"error", "error_description"}
            and DESCRIPTION.fullmatch(str(reply.members["error_description"]))
            and reply.response.headers.get("Cache-Control") == "no-store"
            and (reply.status == 401) == (reply.error == "invalid_client")
        )
        if not well_formed:
            self.ledger.violation(
                f"{operation}: an error without form: {reply.status} {_shown(reply.response)}"
            )

    def _perhaps_dropped(self, reply: Reply) -> Reply:
        with self._lock:
            dropped = not self.calm and self._random.random() < DROPPED
            self.dropped += dropped
        return Reply(DROPPED_HERE, reply.began) if dropped else reply


def _is_ours(response: requests.Response) -> bool:
    """Tell an answer of the app from the gateway's own, which has a `message` and nothing else."""
    try:
        members = response.json()
    except ValueError:
        return "<html" in response.text
    return not isinstance(members, dict) or "error" in members or "Code" in members


def _shown(response: requests.Response) -> str:
    """Return how an answer begins. What the server grants is never in an error."""
    return response.text[:200]
