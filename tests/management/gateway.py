"""API Gateway in this process: what `requests` sends becomes events, and answers can be spoilt."""

import io
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from chalicelib.authorizer.challenges import ACCESS_DENIED, UNAUTHORIZED, Challenge
from chalicelib.authorizer.decision import Unauthorized
from tests.harness import HOST, authorize, event, send

SECRET_MEMBERS = {"access_token", "refresh_token", "client_secret", "password", "code", "code_verifier"}


@dataclass
class Reply:
    """An answer on its way to who asked."""

    status: int
    headers: dict[str, str]
    """By names in lower case."""
    body: str
    cookies: list[str] = field(default_factory=list)

    def edit(self, **members: Any) -> None:
        """Change members of the JSON object that this is; None takes one away."""
        edited = json.loads(self.body) | members
        self.body = json.dumps({name: value for name, value in edited.items() if value is not None})


Spoiler = Callable[[Reply, int], None]
"""Changes an answer; the number says how many there were at this path, this one included."""


class Gateway(HTTPAdapter):
    """Stands between `requests` and the app, under any host and a stage."""

    def __init__(self, stage: str = "") -> None:
        super().__init__()
        self.stage = stage
        self.url = f"https://{HOST}{stage}"
        self.spoilers: dict[str, Spoiler] = {}
        """By path."""
        self.authorizations: set[str] = set()
        """Every `Authorization` header that there was."""
        self.secrets: set[str] = set()
        """All that went through, and nobody else may see."""
        self._count: Counter[str] = Counter()

    def send(  # type: ignore[override]
        self, request: requests.PreparedRequest, **_: object
    ) -> requests.Response:
        """Answer a request."""
        parts = urlsplit(str(request.url))
        path = parts.path.removeprefix(self.stage)
        body = request.body if isinstance(request.body, str) else None
        self.authorizations.add(str(request.headers.get("Authorization", "")))
        self._note(dict(parse_qsl(body or "")))
        reply = self._reply(request, path, parts.query, body)
        self._count[path] += 1
        if path in self.spoilers:
            self.spoilers[path](reply, self._count[path])
        if reply.headers.get("content-type") == "application/json" and reply.body.startswith("{"):
            self._note(json.loads(reply.body))
        self._note(dict(parse_qsl(urlsplit(reply.headers.get("location", "")).query)))
        return self.build_response(request, _raw(reply))

    def _reply(self, request: requests.PreparedRequest, path: str, query: str, body: str | None) -> Reply:
        method = str(request.method)
        headers = {name: str(value) for name, value in request.headers.items()}
        sent = event(
            method, path.rstrip("/"), query=parse_qsl(query), headers=headers, body=body, stage=self.stage
        )
        sent["headers"]["Host"] = HOST
        if path.startswith("/api/"):
            token = headers.get("Authorization", "").removeprefix("Bearer ") or None
            try:
                answer = authorize(token, method, path.strip("/"))
            except Unauthorized:
                return _refusal(UNAUTHORIZED)
            if answer["policyDocument"]["Statement"][0]["Effect"] != "Allow":
                return _refusal(ACCESS_DENIED)
            sent["requestContext"]["authorizer"] = answer["context"]
        answered = send(sent)
        return Reply(answered.status, dict(answered.headers), answered.body, list(answered.set_cookies))

    def _note(self, members: dict[str, Any]) -> None:
        self.secrets.update(
            str(value) for name, value in members.items() if name in SECRET_MEMBERS and len(str(value)) > 10
        )


def _refusal(challenge: Challenge) -> Reply:
    headers = {"www-authenticate": challenge.header, "content-type": "application/json"}
    return Reply(challenge.status, headers, challenge.body)


def _raw(reply: Reply) -> urllib3.HTTPResponse:
    headers = urllib3.HTTPHeaderDict(reply.headers)
    message = Message()
    for cookie in reply.cookies:
        headers.add("set-cookie", cookie)
        message["set-cookie"] = cookie
    original = type("Original", (), {"msg": message, "isclosed": lambda _: True, "close": lambda _: None})()
    return urllib3.HTTPResponse(
        io.BytesIO(reply.body.encode()),
        headers,
        reply.status,
        preload_content=False,
        original_response=original,
    )
