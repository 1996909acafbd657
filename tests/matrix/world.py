"""A deployment that can be put back to where it was, with chance and time in the hands of the test."""

import copy
import json
import random
import string
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from email.message import EmailMessage
from typing import Any
from unittest import mock

import moto
from argon2 import PasswordHasher
from moto.backends import get_backend

from chalicelib import clock, logs
from chalicelib.accounts import mail, passwords
from chalicelib.accounts import provider as provider_module
from chalicelib.models.table import dynamodb
from chalicelib.oauth import clients
from chalicelib.settings import settings
from management.infrastructure.tables import TABLES, table_definition
from tests import harness
from tests.harness import Answer, Deployment
from tests.mails import CODE as CODE_IN_MAIL
from tests.openid_provider import CLIENT_ID, CLIENT_SECRET, Provider, running_provider

NOW = 1_800_000_000
URL_SAFE = string.ascii_letters + string.digits

Rows = dict[str, list[dict[str, Any]]]


class _Cheap(PasswordHasher):
    """Always the same hash of a password, and at once."""

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        return super().hash(password, salt=salt or b"saltsalt")


class World(Deployment):
    """The deployment, and what its clients were told."""

    def __init__(self) -> None:
        self.now = NOW
        self.told: set[str] = set()
        """The members of all token responses: what clients may have."""
        self.mails: list[EmailMessage] = []
        self.provider = Provider()
        self._chance = random.Random(0)  # noqa: S311 (it has to repeat itself)

    def capture(self) -> Any:
        """Return all that there is: what is stored, what was told, what was mailed."""
        items = {name: copy.deepcopy(table.items) for name, table in _tables().items()}
        return items, set(self.told), list(self.mails), self.now

    def restore(self, state: Any, seed: int) -> None:
        """Go back, into a fresh process.

        Args:
            state: what was captured.
            seed: of what is drawn by chance from now on.
        """
        items, told, mails, self.now = state
        for name, table in _tables().items():
            table.items = copy.deepcopy(items[name])
        self.told, self.mails = set(told), list(mails)
        self._chance.seed(seed)
        self.new_process()

    @staticmethod
    def new_process() -> None:
        """Forget what a warm function knows."""
        clients.forget()

    def rows(self) -> Rows:
        """Return all that is stored, by table."""
        return {
            kind: [item.to_json()["Attributes"] for item in _tables()[model.Meta.table_name].all_items()]
            for kind, model in TABLES.items()
        }

    def digest(self) -> str:
        """Return what tells one state from another: all that is stored, less the audit trail."""
        return json.dumps(
            {
                kind: sorted(json.dumps(row, sort_keys=True) for row in rows)
                for kind, rows in self.rows().items()
                if kind != "audit"
            }
        )

    @contextmanager
    def provided(self) -> Iterator[None]:
        """Let people sign in with the provider."""
        provider_module.forget()
        self.provider.claims = {"iat": self.now, "exp": self.now + 300}
        with _settings(
            upstream_issuer=self.provider.issuer,
            upstream_client_id=CLIENT_ID,
            upstream_client_secret=CLIENT_SECRET,
            upstream_name="Example",
        ):
            yield

    @property
    def mailed_code(self) -> str:
        """The code in the last mail."""
        (code,) = CODE_IN_MAIL.findall(self.mails[-1].get_content())
        return str(code)

    def seconds(self) -> int:
        """Stand in for `clock.now`."""
        return self.now

    def milliseconds(self) -> int:
        """Stand in for `clock.milliseconds`."""
        return self.now * 1000

    def choice(self, options: Any) -> Any:
        """Stand in for `secrets.choice`."""
        return self._chance.choice(options)

    def token_bytes(self, nbytes: int) -> bytes:
        """Stand in for `secrets.token_bytes`."""
        return self._chance.randbytes(nbytes)

    def token_urlsafe(self, nbytes: int) -> str:
        """Stand in for `secrets.token_urlsafe`."""
        return "".join(self._chance.choices(URL_SAFE, k=nbytes * 4 // 3))

    def listen(self, answer: Answer) -> Answer:
        """Note the credentials that an answer tells."""
        if answer.status == 200 and answer.body.startswith("{"):
            self.told |= {value for value in answer.json.values() if isinstance(value, str)}
        return answer


@contextmanager
def _settings(**changed: object) -> Iterator[None]:
    before = {name: getattr(settings, name) for name in changed}
    try:
        for name, value in changed.items():
            object.__setattr__(settings, name, value)
        yield
    finally:
        for name, value in before.items():
            object.__setattr__(settings, name, value)


@contextmanager
def new_world() -> Iterator[World]:
    """Set up a deployment. Nothing in it takes time: no log is written, and hashing is cheap."""
    world = World()
    cheap = _Cheap(time_cost=1, memory_cost=8, parallelism=1)
    send = harness.send
    usable = {
        "client_cache_lifetime": 0,
        "may_register": "everyone",
        "sign_up": True,
        "mail": "file:nowhere",
        "mail_from": "no-reply@maps.example",
    }
    with ExitStack() as stack:
        world.provider = stack.enter_context(running_provider())
        stack.enter_context(moto.mock_aws())
        stack.enter_context(_settings(**usable))
        stack.enter_context(logs.handed_to(lambda *_: None))
        for name in ("choice", "token_bytes", "token_urlsafe"):
            stack.enter_context(mock.patch(f"secrets.{name}", getattr(world, name)))
        stack.enter_context(mock.patch.object(clock, "now", world.seconds))
        stack.enter_context(mock.patch.object(clock, "milliseconds", world.milliseconds))
        stack.enter_context(mock.patch.object(passwords, "_hasher", cheap))
        stack.enter_context(mock.patch.object(passwords, "_NOBODYS", cheap.hash("nobody's password")))
        stack.enter_context(mock.patch.object(mail, "_append", lambda _, sent: world.mails.append(sent)))
        stack.enter_context(mock.patch.object(harness, "send", lambda sent: world.listen(send(sent))))
        stack.enter_context(mock.patch("management.revoking.INDEX_LAGS", 0))
        for model in TABLES.values():
            dynamodb.client.create_table(**table_definition(model))
        yield world


def _tables() -> Any:
    return get_backend("dynamodb")["123456789012"]["us-east-1"].tables
