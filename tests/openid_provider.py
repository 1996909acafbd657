"""An OpenID provider in this process, which tests make misbehave. It answers real HTTP on a free port."""

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from joserfc import jws
from joserfc.jwk import ECKey, OctKey, RSAKey

CLIENT_ID, CLIENT_SECRET = "us-at-the-provider", "secret-canary-of-ours"
SUBJECT, PERSON_EMAIL = "248289761001", "person@example.org"
CODE = "code-canary"

Keys = RSAKey | ECKey | OctKey


@cache
def rsa_key(kid: str) -> RSAKey:
    """Return a key; making one takes a while."""
    return RSAKey.generate_key(2048, {"kid": kid})


@dataclass
class Provider:
    """A provider with one person, who is signed in. What is set here is what it does."""

    issuer: str = ""
    key: Keys = field(default_factory=lambda: rsa_key("one"))
    algorithm: str = "RS256"
    published: list[dict[str, Any]] = field(default_factory=list)
    """Its JWK Set."""
    claims: dict[str, Any] = field(default_factory=dict)
    """What its ID token says instead of the truth; None leaves a claim out."""
    person: dict[str, Any] = field(
        default_factory=lambda: {"sub": SUBJECT, "email": PERSON_EMAIL, "email_verified": True}
    )
    userinfo: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    """What its metadata says instead of the truth; None leaves a member out."""
    header: dict[str, Any] = field(default_factory=dict)
    tokens: dict[str, Any] = field(default_factory=dict)
    """What its token response says instead of the truth."""
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    """What it answers, by path, instead of the truth: status and body."""
    secret: str | None = CLIENT_SECRET
    asked: list[str] = field(default_factory=list)
    """The paths of the requests that it got."""
    forms: list[dict[str, str]] = field(default_factory=list)
    """The forms that it got."""
    headers: list[dict[str, str]] = field(default_factory=list)
    request: dict[str, str] = field(default_factory=dict)
    """The authorization request."""

    def publish(self, *keys: Keys) -> None:
        """Replace the JWK Set."""
        self.published = [key.as_dict(private=False) for key in keys]

    def sign_in(self, url: str, **changes: str | None) -> str:
        """Go where we send the browser, and return the query that it comes back with.

        Args:
            url: the authorization request.
            changes: members of the response; None leaves one out.
        """
        parts = urlsplit(url)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{self.issuer}/authorize"
        self.request = dict(parse_qsl(parts.query, strict_parsing=True))
        response = {"code": CODE, "state": self.request["state"], "iss": self.issuer} | changes
        return urlencode({name: value for name, value in response.items() if value is not None})

    def answer(self, path: str, form: dict[str, str]) -> tuple[int, bytes]:
        """Answer a request."""
        self.asked.append(path)
        if path in self.answers:
            return self.answers[path]
        document = self._document(path, form)
        return (400 if "error" in document else 200), json.dumps(document).encode()

    def _document(self, path: str, form: dict[str, str]) -> dict[str, Any]:
        if path == "/token":
            return self._redeem(form)
        if path == "/keys":
            return {"keys": self.published}
        return {"sub": SUBJECT} | self.userinfo if path == "/userinfo" else self._metadata()

    def _metadata(self) -> dict[str, Any]:
        truth = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "authorization_response_iss_parameter_supported": True,
        }
        return {name: value for name, value in (truth | self.metadata).items() if value is not None}

    def _redeem(self, form: dict[str, str]) -> dict[str, Any]:
        self.forms.append(form)
        challenge = _base64url(sha256(form["code_verifier"].encode()).digest())
        if form.get("client_id") != CLIENT_ID or form.get("client_secret") != self.secret:
            return {"error": "invalid_client"}
        if (
            form["code"] != CODE
            or challenge != self.request["code_challenge"]
            or form["redirect_uri"] != self.request["redirect_uri"]
        ):
            return {"error": "invalid_grant"}
        issued = {
            "access_token": "access-token-canary",
            "token_type": "Bearer",
            "expires_in": 3600,
            "id_token": self._id_token(),
        }
        return issued | self.tokens

    def _id_token(self) -> str:
        now = int(time.time())
        truth = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "exp": now + 300,
            "iat": now,
            "nonce": self.request["nonce"],
            **self.person,
        }
        claims = {name: value for name, value in (truth | self.claims).items() if value is not None}
        header = {"alg": self.algorithm, "kid": self.key.kid} | self.header
        protected = {name: value for name, value in header.items() if value is not None}
        payload = json.dumps(claims).encode()
        return jws.serialize_compact(protected, payload, self.key, algorithms=[self.algorithm])


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


@contextmanager
def running_provider() -> Iterator[Provider]:
    """Run a provider until the end of the block."""
    provider = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._answer({name: value for name, (value,) in parse_qs(body, keep_blank_values=True).items()})

        def _answer(self, form: dict[str, str]) -> None:
            provider.headers.append(dict(self.headers.items()))
            status, body = provider.answer(urlsplit(self.path).path, form)
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", body.decode())
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    provider.publish(provider.key)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
