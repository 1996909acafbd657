"""Runs a flow with each fault at each of its requests to DynamoDB."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

from tests.harness import DEVICE_CODE, Answer
from tests.matrix.flow import Flow, State, assert_well_formed, copied
from tests.matrix.injection import OURS, ROOT, Fault, Injection, Killed, Request, injected
from tests.matrix.invariants import broken, untold
from tests.matrix.world import World

GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials", DEVICE_CODE)

Line = tuple[str, int]


@dataclass
class Outcome:
    """What became of a fault."""

    state: str
    """How much had been done when the request had failed: so many of its writes."""
    went_on: str
    """`at once`: nobody noticed. `again`: the same request did it. `anew`: another start did."""


@dataclass
class Row:
    """What became of the faults of a flow."""

    flow: str
    requests: list[Request]
    outcomes: dict[tuple[int, Fault], Outcome] = field(default_factory=dict)
    lines: set[Line] = field(default_factory=set)
    """Of chalicelib, that the flow ran without a fault."""

    @property
    def summary(self) -> str:
        """One line."""
        count = Counter(outcome.went_on for outcome in self.outcomes.values())
        told = ", ".join(f"{count[name]} {name}" for name in ("at once", "again", "anew") if count[name])
        return f"  {self.flow:<40} {len(self.requests):>3} requests {len(self.outcomes):>4} faults: {told}"

    def cells(self) -> list[str]:
        """Return a line for each request: for each fault how much was done, and what it took."""
        found: dict[int, list[str]] = {}
        for (index, fault), outcome in self.outcomes.items():
            found.setdefault(index, []).append(f"{fault} ({outcome.state}): {outcome.went_on}")
        return [f"    {self.requests[index]}: {', '.join(cells)}" for index, cells in found.items()]


def common(world: World) -> State:
    """Return what all flows start from: somebody who is signed in, and an application."""
    world.add_account()
    app = world.add_app(grant_types=GRANT_TYPES, may_introspect=True)
    return State(app=app, browser=world.signed_in_browser())


def run(world: World, start: Any, flow: Flow, faults: Callable[[Request], list[Fault]]) -> Row:
    """Run a flow once as it is meant to be, and once with each fault at each request.

    Of requests that a loop makes, the first and the last are taken: they come from the same place.
    """
    where, with_what = start
    world.restore(where, seed=1)
    state = copied(with_what)
    flow.start(world, state)
    before = world.capture()
    world.restore(before, seed=2)
    injection, states = Injection(), [world.digest()]
    injection.after_each = lambda: states.append(world.digest())
    going = copied(state)
    with injected(injection), _lines() as lines:
        meant = flow.attempt(world, going)
    assert flow.reached(world, going, meant), meant
    steps = {digest: number for number, digest in enumerate(dict.fromkeys(states))}
    row = Row(flow.name, injection.requests, lines=lines)
    for index in _ends_of_loops(injection.requests):
        for fault in faults(injection.requests[index]):
            world.restore(before, seed=2)
            try:
                row.outcomes[index, fault] = _replay(world, copied(state), flow, meant, steps, (index, fault))
            except AssertionError as error:
                at = f"{flow.name}: {fault} at {index}, {injection.requests[index]}"
                raise AssertionError(f"{at}: {error}") from error
    return row


def _replay(
    world: World, state: State, flow: Flow, meant: Answer, steps: dict[str, int], cell: tuple[int, Fault]
) -> Outcome:
    answer = None
    try:
        with injected(Injection(*cell)):
            answer = flow.attempt(world, state)
    except Killed:
        world.new_process()
    assert not broken(world.rows()), broken(world.rows())
    step = steps.get(world.digest())
    reached = f"{step}/{len(steps) - 1}" if step is not None else "?"
    if answer is not None and _alike(answer, meant):
        assert flow.reached(world, state, answer), ("it looks done, and is not", answer)
        went_on = "at once"
    else:
        if answer is not None:
            assert_well_formed(flow, answer)
        with injected(Injection()):
            went_on = flow.go_on(world, state)
    rows = world.rows()
    assert not broken(rows), broken(rows)
    assert not untold(rows, world.told, world.now), untold(rows, world.told, world.now)
    return Outcome(reached, went_on)


def _alike(answer: Answer, meant: Answer) -> bool:
    if answer.status != meant.status:
        return False
    return answer.status != 303 or urlsplit(answer.location).path == urlsplit(meant.location).path


def _ends_of_loops(requests: list[Request]) -> Iterator[int]:
    places = [str(request) + str(request.stack) for request in requests]
    for index, place in enumerate(places):
        if place not in places[:index] or place not in places[index + 1 :]:
            yield index


@contextmanager
def _lines() -> Iterator[set[Line]]:
    """Note the lines of chalicelib that run."""
    lines: set[Line] = set()

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        file = frame.f_code.co_filename
        if not file.startswith(OURS):
            return None
        if event == "line":
            lines.add((file.removeprefix(ROOT), frame.f_lineno))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield lines
    finally:
        sys.settrace(before)
