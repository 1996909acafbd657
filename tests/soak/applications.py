"""Applications: they redeem, refresh, repeat and revoke, and do so wrongly at times."""

import queue
import time
from collections import deque
from dataclasses import dataclass, field

from joserfc.jwk import ECKey

from chalicelib.clock import SKEW
from tests.harness import CALLBACK
from tests.soak.actors import CODE_LIFETIME, RETRY_WINDOW, Client, World, mutated
from tests.soak.asking import Asked, Asking
from tests.soak.life import Threat, Verdict
from tests.soak.model import MARGIN, Grant, Token, Trade
from tests.soak.wire import LET_IN, UNKNOWN, Reply

KEPT = 30
"""Grants that an application goes on with."""
SLOW = 10
"""Seconds that a request may take here: so long before the window's end a repetition may come too late."""


@dataclass(eq=False)
class Code:
    """An authorization code."""

    grant: Grant
    value: str = field(repr=False)
    verifier: str = field(repr=False)
    ends: tuple[float, float]
    """The earliest and the latest moment at which it can be over."""
    tried: bool = False
    redemptions: int = 0

    @property
    def form(self) -> dict[str, str]:
        return {
            "grant_type": "authorization_code",
            "code": self.value,
            "redirect_uri": CALLBACK,
            "code_verifier": self.verifier,
        }


class Application(Asking):
    """One application, with all of its users."""

    def __init__(self, name: str, world: World, client: Client, key: ECKey | None = None) -> None:
        super().__init__(name, world, client, key)
        self.codes: queue.Queue[Code] = queue.Queue()
        self.grants: deque[Grant] = deque(maxlen=KEPT)

    def act(self) -> None:
        try:
            self.begin(self.codes.get_nowait())
            return
        except queue.Empty:
            pass
        if "client_credentials" in self.client.grant_types and self.chance(0.4):
            self.own_token()
            return
        refreshable = [grant for grant in self.grants if grant.refresh_tokens and not grant.is_over]
        if not refreshable:
            return
        grant = self.dice.choice(refreshable)
        with grant.turn:
            self.one_of(
                {
                    lambda: self.refresh(grant): 10,
                    lambda: self.refresh(grant, copies=self.dice.randint(2, 4)): 3,
                    lambda: self.repeat(grant): 4,
                    lambda: self.guess(grant): 1,
                    lambda: self.revoke_access_token(grant): 2,
                    lambda: self.revoke(grant): 1,
                }
            )()

    def begin(self, code: Code) -> None:
        """Do with a new code what applications do, or what they should not."""
        with code.grant.turn:
            if self.chance(0.1):
                self.exchange_wrongly(code)
            if self.chance(0.03) and self.wait(max(code.ends[1] - time.time() + MARGIN, 0)):
                pass  # It comes too late.
            self.redeem(code, copies=self.dice.choice((1, 1, 1, 1, 1, 3)))
            if code.redemptions and self.chance(0.06):
                self.replay(code)

    def redeem(self, code: Code, copies: int = 1) -> None:
        """Redeem a code."""
        grant = code.grant
        if copies > 1:
            grant.own_threats.append(Threat([grant.life], "its code was sent several times at once"))
        grant.issued += 1
        asked = self.insist("redeem", grant, code.form, copies=copies, unclear=code.tried, deadly_from=0)
        code.tried = code.tried or asked.unclear
        if asked.granted:
            self._redeemed(code, asked, copies)
        elif self.is_about_the_client(asked, grant):
            if time.time() < code.ends[0] and self.wait(1):
                self.codes.put(code)
        elif asked.refused:
            # Of several at once the others are replays; who won may not know its own write again, if its
            # answer from DynamoDB was lost and the row has changed since.
            if not (copies > 1 or asked.excuse or asked.unclear or time.time() > code.ends[0] - MARGIN):
                self.ledger.violation(f"a good code was refused: {asked.reply.error}", grant)
            grant.life.kill("its code was refused")
        else:
            self.codes.put(code)

    def _redeemed(self, code: Code, asked: Asked, copies: int) -> None:
        grant = code.grant
        code.redemptions += len(asked.granted)
        if code.redemptions > 1:
            self.ledger.violation("a code was redeemed twice", grant)
        if asked.reply.began > code.ends[1] + MARGIN:
            self.ledger.violation("a code was redeemed that was over", grant)
        self.accept(asked, grant, asked.reply.began)
        self.grants.append(grant)
        if any(reply.error == "invalid_grant" for reply in asked.refused):
            grant.life.kill("its code was sent several times")
        elif copies > 1:
            Threat([grant.life], "its code may have been replayed")

    def exchange_wrongly(self, code: Code) -> None:
        """Redeem a code in a way that must fail, and must consume nothing."""
        what, wrong = self.dice.choice(
            (
                ("a code with another redirect_uri", {"redirect_uri": "https://evil.example/"}),
                ("a code with another code_verifier", {"code_verifier": "w" * 43}),
                ("a guess at a code", {"code": mutated(code.value)}),
            )
        )
        self.expect_refusal(what, code.grant, self._send("wrong code", code.form | wrong))

    def replay(self, code: Code) -> None:
        """Redeem a code once more, much too late."""
        grant = code.grant
        threat = Threat([grant.life], "its code was replayed")
        asked = self.insist("replay", grant, code.form)
        if asked.granted:
            self.ledger.violation("a code was redeemed twice", grant)
        if asked.refused and asked.reply.error == "invalid_grant":
            threat.killed()

    def refresh(self, grant: Grant, copies: int = 1) -> None:
        """Trade the current refresh token."""
        token = grant.refresh_tokens[-1]
        form = {"grant_type": "refresh_token", "refresh_token": token.value}
        trading = Threat([token.life], "it is being traded")
        grant.issued += token.tried_at is None
        unclear = token.tried_at is not None
        token.tried_at = began = token.tried_at or time.time()
        asked = self.insist(
            "refresh" if copies == 1 else "refresh at once",
            grant,
            form,
            copies=copies,
            unclear=unclear,
            deadly_from=began + RETRY_WINDOW - SLOW,
        )
        if asked.granted:
            self._check_one_chain(asked, grant, began)
            pair = self.accept(asked, grant, began)
            trading.killed("it was traded")
            grant.last_trade = Trade(form, pair, began, time.time())
        elif self.is_about_the_client(asked, grant):
            if not unclear and not asked.unclear:
                token.tried_at = None
                trading.passed()
        elif asked.refused:
            self._refused(asked, grant, token, began)

    def _check_one_chain(self, asked: Asked, grant: Grant, began: float) -> None:
        pairs = {
            (reply.members.get("access_token"), reply.members.get("refresh_token")) for reply in asked.granted
        }
        if len(pairs) > 1:
            self.ledger.violation("one refresh token was traded for several", grant)
        if any(reply.error != "invalid_client" for reply in asked.refused):
            if not asked.excuse and time.time() < began + RETRY_WINDOW - MARGIN:
                self.ledger.violation("of several refreshes at once, one was refused", grant)
            # It came too late: on a machine that was busy elsewhere for so long.
            grant.life.kill("its refresh token was sent several times")

    def _refused(self, asked: Asked, grant: Grant, token: Token, began: float) -> None:
        """Judge that a current refresh token was refused."""
        now = time.time()
        is_old = now > token.ends[0] - MARGIN
        late = asked.unclear and now > began + RETRY_WINDOW - MARGIN
        if not (asked.excuse or is_old or late):
            self.ledger.violation(f"a good refresh token was refused: {asked.reply.error}", grant)
        if is_old:
            Threat([grant.life], "refused, when it was old")
            self.grants.remove(grant)
        else:
            grant.life.kill("its refresh token was refused")

    def repeat(self, grant: Grant) -> None:
        """Ask once more what was answered before, as who never saw the answer."""
        trade = grant.last_trade
        if trade is None or (grant.refresh_tokens and self._is_used(grant, trade)):
            return
        if self.chance(0.2) and not self.wait(
            max(trade.ended + RETRY_WINDOW + SKEW + 2 * MARGIN - time.time(), 0)
        ):
            return
        in_time = time.time() < trade.began + RETRY_WINDOW - SLOW
        threat = Threat([] if in_time else [grant.life], "a used credential was presented")
        asked = self.insist("repeat", grant, trade.form)
        if asked.granted:
            threat.passed()
            if asked.reply.began > trade.ended + RETRY_WINDOW + SKEW + MARGIN:
                self.ledger.violation("a used credential was traded again, too late", grant)
            if self.accept(asked, grant, trade.began) != trade.pair:
                self.ledger.violation("a repeated request was told something else", grant)
        elif asked.refused and not self.is_about_the_client(asked, grant):
            self._repeat_refused(asked, grant, trade)

    def _is_used(self, grant: Grant, trade: Trade) -> bool:
        current = grant.refresh_tokens[-1]
        return current.value != trade.pair[1] or current.tried_at is not None

    def _repeat_refused(self, asked: Asked, grant: Grant, trade: Trade) -> None:
        in_time = time.time() < trade.began + RETRY_WINDOW - MARGIN
        yielded = next(token for token in grant.access_tokens if token.value == trade.pair[0])
        gone = yielded.standing().verdict is not Verdict.ALIVE
        if in_time and not asked.excuse and not gone:
            self.ledger.violation(f"a repeated request was refused: {asked.reply.error}", grant)
        if asked.reply.began > trade.ended + RETRY_WINDOW + SKEW + MARGIN:
            grant.life.kill("a used credential was presented")

    def guess(self, grant: Grant) -> None:
        """Present what was never issued: it must change nothing."""
        form = {"grant_type": "refresh_token", "refresh_token": mutated(grant.refresh_tokens[-1].value)}
        self.expect_refusal("a guess at a refresh token", grant, self._send("guess", form))

    def revoke_access_token(self, grant: Grant) -> None:
        token = self.dice.choice(grant.access_tokens)
        self._revoke("revoke access token", grant, token, Threat([token.life], "the application revoked it"))

    def revoke(self, grant: Grant) -> None:
        """End a grant, by any refresh token of it."""
        threat = Threat([grant.life], "the application revoked it")
        self._revoke("revoke refresh token", grant, self.dice.choice(grant.refresh_tokens), threat)

    def _revoke(self, operation: str, grant: Grant, token: Token, threat: Threat) -> None:
        tried = False
        for attempt in range(4):
            reply = self.wire.post(operation, "/oauth2/revoke", {"token": token.value} | self.credentials())
            grant.note(f"{operation}: {reply}")
            tried = tried or reply.is_unknown
            if reply.outcome == LET_IN:
                threat.killed()
                return
            if not reply.is_unknown:
                if not self.is_about_the_client(Asked([reply], tried, None, None), grant):
                    self.ledger.violation(f"{operation}: {reply}", grant)
                if not tried:
                    threat.passed()
                return
            if not self._may_repeat(reply, attempt):
                return

    def own_token(self) -> None:
        """Get a token of its own (client credentials)."""
        grant = self.ledger.add(Grant(self.client.client_id))
        grant.issued = 1
        reply = self._send("client credentials", {"grant_type": "client_credentials"})
        asked = Asked([reply], False, None, None)
        if reply.outcome == LET_IN:
            grant.made_at = time.time()
            self.accept(asked, grant, reply.began)
            return
        if reply.outcome in UNKNOWN:
            self.ledger.maybe_untold(self.client.client_id)
        elif not self.is_about_the_client(asked, grant):
            self.ledger.violation(f"client credentials: {reply}", grant)
        grant.life.kill("nobody was told of it")

    def receive(self, grant: Grant, value: str, verifier: str, reply: Reply) -> None:
        """Take a code from a user's browser."""
        ends = (reply.began - 1 + CODE_LIFETIME, time.time() + CODE_LIFETIME + SKEW)
        self.codes.put(Code(grant, value, verifier, ends))
