"""A stage on MiniStack, all who use it, and what goes wrong: for some minutes, and then the sum of it."""

import json
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import requests
from joserfc.jwk import ECKey

from chalicelib.accounts import passwords
from tests.harness import CALLBACK, DEVICE_CODE
from tests.interop.server import Server
from tests.soak import checks
from tests.soak.actors import (
    ACCESS_LIFETIME,
    CLIENT_CACHE,
    CODE_LIFETIME,
    IDLE_LIFETIME,
    REFRESH_LIFETIME,
    RETRY_WINDOW,
    SESSION_LIFETIME,
    TABLE_PREFIX,
    Actor,
    Client,
    World,
)
from tests.soak.applications import Application
from tests.soak.asking import new_key
from tests.soak.checks import Checker
from tests.soak.devices import DEVICE_CODE_LIFETIME, Device, DeviceApplication
from tests.soak.model import Ledger, Violation
from tests.soak.operators import Deployer, Killer, Operator, Thief
from tests.soak.people import Person
from tests.soak.weather import Weather, exposed
from tests.soak.wire import Wire
from tests.stack.checkout import Checkout, checkout
from tests.stack.ministack import running_ministack

STAGE = "dev"
PEOPLE, CHECKERS = 6, 6
DEPLOYMENT_PAUSE = (100.0, 160.0)
"""Seconds between two deployments; in a short run there is one."""
SHORT = 180
FINAL_CHECK = 20
"""Seconds at most that the last look at all tokens takes, in a short run; in a long one thrice that."""
QUIET = 4
"""Seconds after which what was on its way has arrived."""

CODES, REFRESHES, OWN = "authorization_code", "refresh_token", "client_credentials"
API, BY_KEY = "api", "by key"
CLIENTS: dict[str, tuple[str | None, tuple[str, ...]]] = {
    "confidential 1": ("the secret of confidential 1", (CODES, REFRESHES, OWN)),
    "public 1": (None, (CODES, REFRESHES)),
    "confidential 2": ("the secret of confidential 2", (CODES, REFRESHES, OWN)),
    "public 2": (None, (CODES, REFRESHES)),
    "only codes": ("the secret of only codes", (CODES,)),
    "device": ("the secret of device", (DEVICE_CODE, REFRESHES)),
    "public device": (None, (DEVICE_CODE, REFRESHES)),
    API: ("the secret of the api", (OWN,)),
    BY_KEY: (None, (CODES, REFRESHES, OWN)),
}
"""What is registered: the secret, and the grant types."""

SETTINGS = {
    "OAUTH_TABLE_PREFIX": TABLE_PREFIX,
    "OAUTH_AUTHORIZER_CACHE_LIFETIME": "0",
    "OAUTH_AUTHORIZATION_CODE_LIFETIME": str(CODE_LIFETIME),
    "OAUTH_ACCESS_TOKEN_LIFETIME": str(ACCESS_LIFETIME),
    "OAUTH_REFRESH_RETRY_WINDOW": str(RETRY_WINDOW),
    "OAUTH_REFRESH_TOKEN_IDLE_LIFETIME": str(IDLE_LIFETIME),
    "OAUTH_REFRESH_TOKEN_LIFETIME": str(REFRESH_LIFETIME),
    "OAUTH_SESSION_LIFETIME": str(SESSION_LIFETIME),
    "OAUTH_SESSION_IDLE_LIFETIME": str(SESSION_LIFETIME),
    "OAUTH_DEVICE_CODE_LIFETIME": str(DEVICE_CODE_LIFETIME),
    "OAUTH_CLIENT_CACHE_LIFETIME": str(CLIENT_CACHE),
}


@dataclass(frozen=True)
class Summary:
    """What a soak came to."""

    seed: str
    seconds: float
    actors: dict[str, int]
    operations: dict[str, dict[str, int]]
    faults: dict[str, int]
    """Between the functions and DynamoDB, and at the stage itself."""
    dynamodb_requests: int
    grants: int
    tokens: int
    looks: dict[str, int]
    """At tokens, by what had to be found."""
    either: dict[str, int]
    """Why the model did not know."""
    final: dict[str, Any]
    """The last look, with nothing going wrong any more."""
    violations: list[Violation] = field(repr=False)

    @property
    def requests(self) -> int:
        return sum(sum(outcomes.values()) for outcomes in self.operations.values())

    def json(self) -> str:
        return json.dumps(asdict(self) | {"requests": self.requests}, indent=2)


class Soak:
    """All of it."""

    def __init__(
        self, project: Checkout, server: Server, weather: Weather, seed: str, seconds: float
    ) -> None:
        self._project, self._weather = project, weather
        self._seed, self._seconds = seed, seconds
        self._began = time.time()
        ledger = Ledger(IDLE_LIFETIME, REFRESH_LIFETIME)
        wire = Wire(server.url, ledger, seed)
        metadata = wire.visit(
            requests.Session(), "metadata", "GET", "/.well-known/oauth-authorization-server"
        )
        issuer = metadata.members["issuer"]
        self.world = World(server, wire, ledger, issuer, seed)
        self._people = self._add_people()
        applications = self._add_applications()
        for person in self._people:
            person.applications = [
                one for one in applications if "authorization_code" in one.client.grant_types
            ]
        self._checkers = [Checker(f"checker {number}", self.world, self._api) for number in range(CHECKERS)]
        self._killer = Killer(self.world)
        thieves = [Thief(f"thief {one.name}", self.world, one.client) for one in applications[:3]]
        pause = DEPLOYMENT_PAUSE if seconds > SHORT else (seconds / 3, seconds / 3)
        deployer = Deployer(self.world, project, STAGE, pause)
        operator = Operator("operator", self.world, self._people, applications)
        self._actors: list[Actor] = [
            *self._people,
            *applications,
            *thieves,
            *self._checkers,
            operator,
            deployer,
            self._killer,
        ]

    def run(self, progress: Callable[[str], None], every: float) -> Summary:
        """Let all of them act, and then look at what is left.

        Args:
            progress: is told how far it is.
            every: so many seconds.
        """
        with self._weather.blowing():
            for actor in self._actors:
                actor.start()
            end, told = time.time() + self._seconds, 0
            while time.time() < end:
                time.sleep(min(every, max(end - time.time(), 0)))
                progress(self._so_far())
                for violation in self.world.ledger.violations[told:]:
                    progress(f"VIOLATION: {violation.what}")
                    told += 1
            self.world.over.set()
            for actor in self._actors:
                actor.join()
        progress("Nothing goes wrong any more: looking at everything once more")
        time.sleep(QUIET)
        final = self._look_again()
        return self._summary(final)

    def _look_again(self) -> dict[str, Any]:
        self.world.over = threading.Event()
        self.world.wire.calm = True
        checker = Checker("last look", self.world, self._api)
        seconds = FINAL_CHECK if self._seconds <= SHORT else 3 * FINAL_CHECK
        looks = checks.check_everything(checker, seconds)
        rows = checks.check_rows(self.world, self._project)
        return {"looks": dict(looks), **rows}

    def _so_far(self) -> str:
        summary = self._summary({})
        faults = sum(summary.faults.values())
        looks = ", ".join(f"{number:,} {what}" for what, number in summary.looks.items())
        return (
            f"{summary.seconds:5.0f} s: {summary.requests:,} requests, {faults:,} faults,"
            f" {summary.tokens:,} tokens told, looks: {looks}; {len(summary.violations)} violations"
        )

    def _summary(self, final: dict[str, Any]) -> Summary:
        wire, ledger = self.world.wire, self.world.ledger
        faults = Counter(self._weather.counts) + Counter(
            {
                "answer lost on its way to the client": wire.dropped,
                "process killed": self._killer.killed,
            }
        )
        return Summary(
            seed=self._seed,
            seconds=round(time.time() - self._began, 1),
            actors=dict(Counter(type(actor).__name__ for actor in self._actors)),
            operations={name: dict(wire.operations[name]) for name in sorted(wire.operations)},
            faults=dict(faults.most_common()),
            dynamodb_requests=self._weather.requests,
            grants=len(ledger.grants),
            tokens=len(ledger.tokens),
            looks=dict(sum((checker.found for checker in self._checkers), Counter())),
            either=dict(sum((checker.either for checker in self._checkers), Counter()).most_common()),
            final=final,
            violations=list(ledger.violations),
        )

    def _add_people(self) -> list[Person]:
        people = {f"person-{number}@example.org": f"correct horse {number}" for number in range(PEOPLE)}
        entries = [
            {"email": email, "password_hash": passwords.hash_password(password)}
            for email, password in people.items()
        ]
        self.world.server.manage("user", "import", "-", text=json.dumps(entries))
        return [Person(email.partition("@")[0], self.world, email, people[email]) for email in people]

    def _add_applications(self) -> list[Application]:
        key = new_key()
        clients = {kind: Client(kind, kind.replace(" ", "-"), *rest) for kind, rest in CLIENTS.items()}
        entries = [_entry(client, key) for client in clients.values()]
        self.world.server.manage("client", "import", "-", text=json.dumps(entries))
        self._api = clients.pop(API)
        return [
            DeviceApplication(kind, self.world, client, self._show)
            if DEVICE_CODE in client.grant_types
            else Application(kind, self.world, client, key if kind == BY_KEY else None)
            for kind, client in clients.items()
        ]

    def _show(self, device: Device) -> None:
        """Show a device's code to one of the people."""
        min(self._people, key=lambda person: person.devices.qsize()).devices.put(device)


def _entry(client: Client, key: ECKey) -> dict[str, Any]:
    """Return how a client is registered (`client import`)."""
    entry = {
        "client_id": client.client_id,
        "client_name": client.kind,
        "redirect_uris": [CALLBACK],
        "grant_types": list(client.grant_types),
        "scope": "read write",
        "may_introspect": client.kind == API,
        "verified_at": "2020-01-01T00:00:00Z",
    }
    if client.secret is not None:
        return entry | {"client_secret": client.secret}
    if client.kind != BY_KEY:
        return entry | {"token_endpoint_auth_method": "none"}
    keys = {"keys": [key.as_dict(private=False)]}
    return entry | {"token_endpoint_auth_method": "private_key_jwt", "jwks": keys}


@contextmanager
def soaking(seed: str, seconds: float) -> Iterator[Soak]:
    """Set all of it up, and yield it, ready to run.

    Args:
        seed: of all dice.
        seconds: how long it is to run, less the setting up and the last look.
    """
    with (
        running_ministack() as endpoint,
        tempfile.TemporaryDirectory() as folder,
        soaking_on(endpoint, Path(folder), seed, seconds) as soak,
    ):
        yield soak


@contextmanager
def soaking_on(endpoint: str, folder: Path, seed: str, seconds: float) -> Iterator[Soak]:
    """Do so on a MiniStack that runs already, which is a child of this process, in an empty folder."""
    weather = Weather(seed)
    project = checkout(folder, endpoint)
    with exposed(endpoint, weather) as dynamodb:
        project.configure(STAGE, environment_variables=SETTINGS | {"OAUTH_DYNAMODB_ENDPOINT": dynamodb})
        with project.deployed(STAGE) as server:
            yield Soak(project, server, weather, seed, seconds)
