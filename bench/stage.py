"""A deployment in this process, with an account and applications, on a clock that stands still."""

import io
import json
import os
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from unittest import mock

os.environ.setdefault("OAUTH_TABLE_PREFIX", "oauth-bench")
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
os.environ.setdefault("AWS_ACCESS_KEY_ID", "bench")
os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "bench")

import boto3
import moto
from joserfc import jws
from joserfc.jwk import ECKey, KeySet

from bench.capacity import Meter
from chalicelib import clock, logs
from chalicelib.models.table import dynamodb
from chalicelib.oauth import clients, registration
from chalicelib.oauth.client_assertion import TYPE
from chalicelib.oauth.client_metadata import ClientMetadata
from management.infrastructure import tables
from tests.harness import DEVICE_CODE, HOST, Answer, Browser, Deployment, post

GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials", DEVICE_CODE)


@dataclass
class Service:
    """An application that authenticates by signatures (`private_key_jwt`)."""

    client_id: str
    key: ECKey
    signed: int = 0

    def assertion(self) -> str:
        """Sign a new assertion."""
        self.signed += 1
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": f"https://{HOST}",
            "jti": str(self.signed),
            "iat": clock.now(),
            "exp": clock.now() + 60,
        }
        header = {"alg": "ES256", "kid": self.key.kid}
        return jws.serialize_compact(header, json.dumps(claims).encode(), self.key, algorithms=["ES256"])

    def token(self, assertion: str) -> Answer:
        """Ask for a token with it."""
        return post(
            "/oauth2/token",
            {
                "grant_type": "client_credentials",
                "client_assertion_type": TYPE,
                "client_assertion": assertion,
            },
        )


class Stage:
    """What operations are measured on.

    Attributes:
        deployment: the tables.
        account: a person.
        app: an application, registered for all grant types.
        api: an API, which may introspect.
        service: an application with a key instead of a secret.
        browser: the person is signed in there.
        now: epoch seconds; stands still.
        log: what the functions printed.
        meter: counts what the app asks of DynamoDB.
    """

    def __init__(self) -> None:
        self.now = clock.now()
        self.log = io.StringIO()
        self.deployment = Deployment()
        names = {model.Meta.table_name: name for name, model in tables.TABLES.items()}
        self.meter = Meter(dynamodb.client, boto3.client("dynamodb"), names)

    def populate(self) -> None:
        """Add the account and the applications."""
        self.account = self.deployment.add_account()
        self.app = self.deployment.add_app(grant_types=GRANT_TYPES)
        self.api = self.deployment.add_app(grant_types=("client_credentials",), may_introspect=True)
        key = ECKey.generate_key("P-256", {"kid": "key"})
        client, _ = registration.register(
            ClientMetadata(
                client_name="Service",
                grant_types=("client_credentials",),
                token_endpoint_auth_method="private_key_jwt",
                jwks=json.dumps(KeySet([key]).as_dict(private=False)),
            )
        )
        self.service = Service(client.client_id, key)
        self.browser = self.deployment.signed_in_browser()

    def tokens(self) -> dict[str, Any]:
        """Let the user allow the application everything, and return the token response."""
        return dict(self.deployment.tokens(self.app, self.browser, scope="read write"))

    def own_token(self) -> str:
        """Return an access token of the application itself."""
        return str(self.app.token(grant_type="client_credentials").json["access_token"])

    def own_application(self) -> None:
        """Make the application one of the user's own, as if registered on the pages."""
        client = self.deployment.client(self.app)
        client.owner = self.account.user_id
        client.write()

    def logged_since(self, position: int) -> int:
        """Return how many bytes the functions printed, had the requests had ids as long as AWS's."""
        text = self.log.getvalue()[position:]
        return len(text.replace('"test"', f'"{uuid.UUID(int=0)}"').encode())

    def pkce(self) -> tuple[str, str]:
        """Return a code_verifier and its code_challenge."""
        verifier = "v" * 43
        return verifier, urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()

    def warm(self) -> None:
        """Let this process know every client."""
        for client_id in (self.app.client_id, self.api.client_id, self.service.client_id):
            clients.find(client_id)

    def stranger(self) -> Browser:
        """Return a browser in which nobody is signed in."""
        return Browser()


@contextmanager
def stage() -> Iterator[Stage]:
    """Make the tables in moto, and a stage on them."""
    with moto.mock_aws():
        for model in tables.TABLES.values():
            dynamodb.client.create_table(**tables.table_definition(model))
        clients.forget()
        made = Stage()
        standing_still = mock.patch.object(clock, "now", side_effect=lambda: made.now)
        in_lambda = mock.patch.object(logs, "IN_LAMBDA", True)
        with standing_still, in_lambda, redirect_stdout(made.log):
            made.populate()
            yield made
