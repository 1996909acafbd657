"""Looks at tokens, and at what is stored: does the server agree with the model?"""

import time
from collections import Counter
from typing import Any

from chalicelib.models.audit import AuditRecord
from management import stage_rows
from management.infrastructure.tables import TABLES
from tests.soak.actors import TABLE_PREFIX, Actor, Client, World
from tests.soak.life import Verdict
from tests.soak.model import ACCESS, Token
from tests.soak.wire import LET_IN, REFUSED, UNAVAILABLE, Reply
from tests.stack.checkout import Checkout

RECENT, CHOICE = 250, 40
"""Tokens: those that came last are looked at most, and of some of them rather those that have to work."""


class Checker(Actor):
    """Asks the authorizer or the introspection endpoint about one token after another."""

    pause = (0.02, 0.15)

    def __init__(self, name: str, world: World, api: Client) -> None:
        """Make it.

        Args:
            name: of the thread.
            world: whose tokens.
            api: a client that may introspect.
        """
        super().__init__(name, world)
        self._api = api
        self.found: Counter[str] = Counter()
        self.either: Counter[str] = Counter()
        """Why it did not matter what the answer was."""

    def act(self) -> None:
        tokens = list(self.ledger.tokens)
        if not tokens:
            return
        recent = tokens[-RECENT:]
        some = self.dice.sample(recent, min(len(recent), CHOICE)) if self.chance(0.9) else tokens
        if self.chance(0.7):  # Most are over soon.
            some = [token for token in some if token.standing().verdict is Verdict.ALIVE] or some
        self.check(self.dice.choice(some))

    def check(self, token: Token) -> Verdict:
        """Compare the server's answer with what must be; return what that was."""
        before = token.standing()
        works, reply = self._ask(token)
        after = token.standing()
        verdict, why = Verdict.EITHER, after.why or before.why or "something began and passed meanwhile"
        if before.verdict is Verdict.DEAD:
            verdict, why = Verdict.DEAD, before.why
        elif (
            after.verdict is Verdict.ALIVE
            and before.verdict is Verdict.ALIVE
            and after.threats == before.threats
        ):
            verdict, why = Verdict.ALIVE, "nothing ended it"
        if works is None:
            self.found["no answer"] += 1
            return Verdict.EITHER
        self.found[verdict.value] += 1
        if verdict is Verdict.EITHER:
            self.either[why] += 1
        elif works is (verdict is Verdict.DEAD):
            state = "works" if works else f"does not work ({reply.status})"
            token.grant.note(f"the {token.kind} no. {token.number} {state}")
            self.ledger.violation(f"the {token.kind} {verdict.value} ({why}), and {state}", token.grant)
        return verdict

    def _ask(self, token: Token) -> tuple[bool | None, Reply]:
        """Tell whether it works; None if there is no telling."""
        if token.kind == ACCESS and self.chance(0.7):
            reply = self.wire.call_api("API", "/api/me", token.value)
            if (
                reply.outcome == UNAVAILABLE
            ):  # The authorizer let it through; what is behind it had no answer.
                return True, reply
            return {LET_IN: True, REFUSED: False}.get(reply.outcome), reply
        form = {
            "token": token.value,
            "client_id": self._api.client_id,
            "client_secret": str(self._api.secret),
        }
        reply = self.wire.post("introspect", "/oauth2/introspect", form)
        if reply.outcome == REFUSED:
            self.ledger.violation(f"introspection: {reply}")
        return (reply.members.get("active") if reply.outcome == LET_IN else None), reply


def check_everything(checker: Checker, seconds: float) -> Counter[str]:
    """With nothing going wrong any more: look at each token that may matter still, the latest first."""
    found: Counter[str] = Counter()
    deadline = time.time() + seconds
    for token in reversed(list(checker.ledger.tokens)):
        if time.time() > deadline:
            break
        found[checker.check(token).value] += 1
    return found


def check_rows(world: World, project: Checkout) -> dict[str, Any]:
    """Look for rows that should not be there, and for what is missing beside those that are."""
    stored = {kind: _rows(project, kind) for kind in TABLES if TABLES[kind] is not AuditRecord}
    rows = [stage_rows.read(kind, item) for kind, items in stored.items() for item in items]
    facts = {fact for row in rows for fact in stage_rows.facts(row)}
    for row in rows:
        for need in stage_rows.needs(row):
            if need.fact not in facts:
                world.ledger.violation(f"a row of the kind {stage_rows.name(row)} without {need.fact}")
    known = {grant.grant_id for grant in world.ledger.grants}
    grants = stored["grants"]
    untold = Counter(row["client_id"]["S"] for row in grants if row["grant_id"]["S"] not in known)
    for client_id, number in untold.items():
        most = world.ledger.untold.get(client_id, 0)
        if number > most:
            what = f"{number} grants of a client are there that nobody was told of"
            world.ledger.violation(f"{what}, and {most} answers were lost")
    return {"rows": len(rows), "grants": len(grants), "grants that nobody was told of": untold.total()}


def _rows(project: Checkout, kind: str) -> list[dict[str, Any]]:
    """Return all rows of a table, those that are over as well, without anything in between."""
    pages = project.client("dynamodb").get_paginator("scan").paginate(TableName=f"{TABLE_PREFIX}-{kind}")
    return [row for page in pages for row in page["Items"]]
