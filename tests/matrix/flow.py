"""A flow: one request that somebody makes of us, and how they go on when it failed."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from pynamodb.exceptions import PynamoDBException

from tests.endpoints.test_client_assertion import Signer
from tests.expect import assert_error, assert_error_page
from tests.harness import Answer, App, Browser
from tests.matrix.world import World


class State(SimpleNamespace):
    """What whoever makes the request has. A flow has what its start brought about."""

    app: App
    browser: Browser
    page: Answer
    """The one with the form that is sent."""
    url: str
    code: str
    tokens: dict[str, Any]
    device: dict[str, Any]
    signer: Signer
    assertion: str
    context: dict[str, str]
    """What the authorizer says of the token."""
    old: Browser
    """Another one with the same session."""
    path: str
    email: str
    mine: App
    """The application that somebody registered."""
    grant_id: str
    back: str
    """Where the provider sends the browser."""
    request: dict[str, str]
    """What the provider was asked."""


FAILED_CLOSED = 500
"""The authorizer lets nobody in: it raises, of which API Gateway makes a 500 and our template a 503."""


@dataclass(frozen=True)
class Flow:
    """One request, and what follows."""

    name: str
    start: Callable[[World, State], None]
    """Brings about what has to be before, beside what all flows start from (`world.common`)."""
    act: Callable[[World, State], Answer]
    """Makes the request."""
    reached: Callable[[World, State, Answer], bool]
    """Whether all is as it was wanted, as far as it can be seen from outside."""
    again: Callable[[World, State], Answer] | None = None
    """How one tries again; None: by the same request."""
    anew: Callable[[World, State], Answer] | None = None
    """How one starts anew where trying again is refused; None: that never happens."""
    refusals: tuple[int, ...] = (503,)
    """How it is said that it did not work, or not all of it. A command ends with 1."""

    def attempt(self, world: World, state: State) -> Answer:
        """Make the request; what it raises is an answer too."""
        return _answer(lambda: self.act(world, state))

    def go_on(self, world: World, state: State) -> str:
        """Do as somebody does whose request failed, and return what it took."""
        answer = _answer(lambda: (self.again or self.act)(world, state))
        if self.reached(world, state, answer):
            return "again"
        assert self.anew is not None, ("there is no way on", answer)
        answer = self.anew(world, state)
        assert self.reached(world, state, answer), ("nor does a new start lead there", answer)
        return "anew"


def _answer(act: Callable[[], Answer]) -> Answer:
    try:
        return act()
    except PynamoDBException:
        return Answer(FAILED_CLOSED, {}, [], "")


def assert_well_formed(flow: Flow, answer: Answer) -> None:
    """Check that somebody whose request failed is told so as the protocol has it, or by a page."""
    if answer.status == FAILED_CLOSED and answer.body == "":
        return
    assert answer.status in flow.refusals, (answer.status, answer.body)
    if answer.status in (0, 1, 303):
        return
    if answer.headers.get("content-type") == "text/html; charset=utf-8":
        assert_error_page(answer, answer.status)
        assert answer.status != 503 or int(answer.headers["retry-after"]) > 0
    elif answer.status == 503 and "error_description" in answer.body:
        assert_error(answer, "temporarily_unavailable", 503)
    else:
        assert answer.json["error"], answer


def copied(state: State) -> State:
    """Return a copy that one may change: cookies of browsers are among it."""
    return copy.deepcopy(state)
