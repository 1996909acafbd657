"""Those who act: each a thread that does one thing after another, by its own dice."""

import random
import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from tests.interop.server import Server
from tests.soak.life import Fact
from tests.soak.model import Grant, Ledger
from tests.soak.wire import Wire

CODE_LIFETIME, ACCESS_LIFETIME, RETRY_WINDOW = 30, 60, 20
IDLE_LIFETIME, REFRESH_LIFETIME = 120, 600
SESSION_LIFETIME = 300
CLIENT_CACHE = 2
"""All of them in seconds, and as short as the settings allow or as makes sense here."""

TABLE_PREFIX = "oauth-soak"

Outcome = TypeVar("Outcome")


@dataclass(eq=False)
class Client:
    """A registered application, as those see it who know it."""

    kind: str
    client_id: str
    secret: str | None = field(repr=False)
    grant_types: Sequence[str]
    enabled: Fact = field(default_factory=lambda: Fact(True, CLIENT_CACHE + 2))
    secret_holds: Fact = field(default_factory=lambda: Fact(True, CLIENT_CACHE + 2))
    """Whether the secret that it uses is the one that functions know."""


@dataclass
class World:
    """What all of them share."""

    server: Server
    wire: Wire
    ledger: Ledger
    issuer: str
    seed: str
    over: threading.Event = field(default_factory=threading.Event)
    clients: list[Client] = field(default_factory=list)

    def grants_of_client(self, client_id: str) -> list[Grant]:
        return [grant for grant in list(self.ledger.grants) if grant.client_id == client_id]

    def grants_of_person(self, email: str) -> list[Grant]:
        return [grant for grant in list(self.ledger.grants) if grant.person == email]


class Actor(threading.Thread):
    """Somebody who acts until it is over."""

    pause = (0.05, 0.6)
    """Seconds between two acts."""

    def __init__(self, name: str, world: World) -> None:
        super().__init__(name=name, daemon=True)
        self.world, self.wire, self.ledger = world, world.wire, world.ledger
        self.dice = random.Random(f"{world.seed} {name}")  # noqa: S311

    def act(self) -> None:
        """Do one thing."""
        raise NotImplementedError

    def run(self) -> None:
        while not self.world.over.wait(self.dice.uniform(*self.pause)):
            try:
                self.act()
            except Exception:
                self.ledger.violation(f"the soak itself broke down: {traceback.format_exc(limit=-4)}")

    def wait(self, seconds: float) -> bool:
        """Wait; tell whether to go on."""
        return not self.world.over.wait(seconds)

    def chance(self, probability: float) -> bool:
        return self.dice.random() < probability

    def one_of(self, weights: dict[Callable[[], object], int]) -> Callable[[], object]:
        (chosen,) = self.dice.choices(list(weights), list(weights.values()))
        return chosen


def at_once(act: Callable[[], Outcome], copies: int) -> list[Outcome]:
    """Do the same several times at once, and return what came of it."""
    if copies == 1:
        return [act()]
    with ThreadPoolExecutor(copies) as pool:
        return list(pool.map(lambda _: act(), range(copies)))


def mutated(credential: str) -> str:
    """Return a credential that was never issued."""
    return credential[:-1] + ("A" if credential[-1] != "A" else "B")
