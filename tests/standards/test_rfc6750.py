"""Bearer tokens at the resource server: what the authorizer takes, and how the gateway refuses."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import chalice.local
import pytest
from chalice.config import Config
from chalice.local import ForbiddenError, LocalGateway, NotAuthorizedError

import app
from chalicelib.authorizer.challenges import ACCESS_DENIED, UNAUTHORIZED, Challenge
from chalicelib.authorizer.local import GatewayAuthorizer
from tests.harness import FORM, Answer, Deployment

Call = Callable[..., Answer]

CHALLENGE = re.compile(
    r'Bearer error="(?P<error>[\x20-\x21\x23-\x5B\x5D-\x7E]+)",'
    r' error_description="(?P<description>[\x20-\x21\x23-\x5B\x5D-\x7E]+)"'
)


@pytest.fixture
def token(deployment: Deployment) -> str:
    deployment.add_account()
    return str(deployment.tokens(deployment.add_app(), scope="read write")["access_token"])


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Call:
    """Call the app as a client does: through a gateway, with the authorizer in front."""
    monkeypatch.setattr(chalice.local, "LocalGatewayAuthorizer", GatewayAuthorizer)
    gateway = LocalGateway(app.app, Config())

    def call(method: str, path: str, headers: Mapping[str, str], body: str = "") -> Answer:
        try:
            response: dict[str, Any] = gateway.handle_request(method, path, dict(headers), body.encode())
        except (NotAuthorizedError, ForbiddenError) as refused:
            status = 401 if isinstance(refused, NotAuthorizedError) else 403
            response = {
                "statusCode": status,
                "headers": refused.headers,
                "body": (refused.body or b"").decode(),
            }
        received = {name.lower(): value for name, value in response["headers"].items()}
        return Answer(response["statusCode"], received, [], response["body"])

    return call


def test_a_token_in_the_authorization_header_is_taken(token: str, call: Call) -> None:
    """Section 2.1."""
    answer = call("GET", "/api/me", {"Authorization": f"Bearer {token}"})
    assert (answer.status, answer.json["scope"]) == (200, "read write")


def test_a_token_in_the_uri_or_the_body_is_not_taken(token: str, call: Call) -> None:
    """Sections 2.2 and 2.3."""
    sent = urlencode({"access_token": token})
    for answer in (
        call("GET", f"/api/me?{sent}", {}),
        call("POST", "/api/notes", {"Content-Type": FORM}, sent),
    ):
        assert answer.status == 401


@pytest.mark.parametrize("challenge", [UNAUTHORIZED, ACCESS_DENIED], ids=lambda challenge: challenge.error)
def test_a_challenge_names_the_scheme_and_each_attribute_once(challenge: Challenge) -> None:
    """Section 3: `Bearer` and at least one attribute, in the characters that they may have."""
    matched = CHALLENGE.fullmatch(challenge.header)
    assert matched
    assert json.loads(challenge.body) == {
        "error": matched["error"],
        "error_description": matched["description"],
    }
