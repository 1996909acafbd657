"""The judge itself: a server that says the wrong thing about a token has to be noticed."""

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.soak.actors import World
from tests.soak.checks import Checker
from tests.soak.life import Threat, Verdict
from tests.soak.model import ACCESS, Grant, Ledger, Token
from tests.soak.wire import BROKEN, LET_IN, REFUSED, Reply


class Judged:
    """A token, a server that says what it is told to say of it, and a judge."""

    def __init__(self) -> None:
        self.ledger = Ledger(600, 600)
        self.grant = Grant("client", "somebody", made_at=time.time())
        self.outcome = LET_IN
        self.meanwhile: Callable[[], object] = lambda: None
        wire: Any = SimpleNamespace(call_api=self.answer, post=self.answer)
        server: Any = SimpleNamespace()
        self.checker = Checker("judge", World(server, wire, self.ledger, "", "1"), SimpleNamespace())  # type: ignore[arg-type]
        self.checker.chance = lambda probability: True  # type: ignore[method-assign]
        now = time.time()
        self.token = Token(ACCESS, "token", self.grant, (now + 60, now + 60), number=0)

    def answer(self, *_: object) -> Reply:
        self.meanwhile()
        return Reply(self.outcome, time.time())

    def check(self, outcome: str) -> tuple[Verdict, int]:
        """Return what had to be found, and how many violations there are."""
        self.outcome = outcome
        return self.checker.check(self.token), len(self.ledger.violations)


@pytest.fixture
def judged() -> Judged:
    return Judged()


@pytest.mark.parametrize(("outcome", "violations"), [(LET_IN, 0), (REFUSED, 1)])
def test_a_good_token_has_to_work(judged: Judged, outcome: str, violations: int) -> None:
    assert judged.check(outcome) == (Verdict.ALIVE, violations)


@pytest.mark.parametrize(("outcome", "violations"), [(LET_IN, 1), (REFUSED, 0)])
def test_a_token_of_a_grant_that_ended_must_not(judged: Judged, outcome: str, violations: int) -> None:
    Threat([judged.grant.life], "somebody ends it").killed()
    assert judged.check(outcome) == (Verdict.DEAD, violations)


@pytest.mark.parametrize(("outcome", "violations"), [(LET_IN, 1), (REFUSED, 0)])
def test_a_token_that_expired_must_not(judged: Judged, outcome: str, violations: int) -> None:
    judged.token.ends = (time.time() - 5, time.time() - 5)
    assert judged.check(outcome) == (Verdict.DEAD, violations)


@pytest.mark.parametrize("outcome", [LET_IN, REFUSED])
def test_a_token_that_somebody_is_ending_may_do_either(judged: Judged, outcome: str) -> None:
    Threat([judged.grant.life], "somebody ends it")
    assert judged.check(outcome) == (Verdict.EITHER, 0)


def test_a_token_may_do_either_if_somebody_began_to_end_it_while_it_was_looked_at(judged: Judged) -> None:
    judged.meanwhile = lambda: Threat([judged.token.life], "somebody ends it").passed()
    assert judged.check(REFUSED) == (Verdict.EITHER, 0)
    judged.meanwhile = lambda: None
    assert judged.check(REFUSED) == (Verdict.ALIVE, 1)


def test_no_answer_tells_nothing(judged: Judged) -> None:
    assert judged.check(BROKEN) == (Verdict.EITHER, 0)


@pytest.mark.parametrize("whose", [{"client_id": "client"}, {"person": "somebody"}])
def test_who_ends_all_of_somebody_ends_what_was_there_and_may_end_what_comes_meanwhile(
    judged: Judged, whose: dict[str, str]
) -> None:
    ledger = judged.ledger
    ledger.add(judged.grant)
    other = ledger.add(Grant("other", None, made_at=time.time()))
    with ledger.sweep("somebody ends all of it", **whose) as sweep:
        newcomer = ledger.add(Grant("client", "somebody"))
        newcomer.made_at = time.time()
        sweep.done()
    assert judged.grant.is_over
    assert not newcomer.is_over
    assert newcomer.life.threat()
    assert not other.life.threatened_since(0)
