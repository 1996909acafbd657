"""How an application asks the token endpoint: it insists until it knows, and judges the answer."""

import itertools
import time
import uuid
from dataclasses import dataclass

from joserfc import jwt
from joserfc.jwk import ECKey

from tests.soak.actors import Actor, Client, World, at_once
from tests.soak.life import Threat
from tests.soak.model import Grant
from tests.soak.wire import LET_IN, REFUSED, RETRY_AFTER, UNAVAILABLE, Reply

TOKEN_ENDPOINT = "/oauth2/access_token"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ATTEMPTS = 6
FIRST_PAUSE = 0.3
NEVER = float("inf")


@dataclass(frozen=True)
class Asked:
    """What an application got to know in the end."""

    replies: list[Reply]
    """Of the last time that it asked; several, if it asked several times at once."""
    unclear: bool
    """Whether an earlier request, or one at the same time, may have been done without its knowing."""
    was_over: str | None
    """Why the grant was over before it asked for the last time."""
    excuse: str | None
    """Why the grant may have been over when the answer came: others were at it."""

    @property
    def granted(self) -> list[Reply]:
        return [reply for reply in self.replies if reply.outcome == LET_IN]

    @property
    def refused(self) -> list[Reply]:
        return [reply for reply in self.replies if reply.outcome == REFUSED]

    @property
    def reply(self) -> Reply:
        """The one that tells most."""
        return next(itertools.chain(self.granted, self.refused, self.replies))


class Asking(Actor):
    """Somebody who talks to the token endpoint as a client."""

    def __init__(self, name: str, world: World, client: Client, key: ECKey | None = None) -> None:
        super().__init__(name, world)
        self.client, self.key = client, key

    def credentials(self) -> dict[str, str]:
        """Return what proves who asks, anew for each request."""
        if self.key is not None:
            return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": self.assertion()}
        if self.client.secret is None:
            return {"client_id": self.client.client_id}
        return {"client_id": self.client.client_id, "client_secret": self.client.secret}

    def assertion(self) -> str:
        assert self.key is not None
        now = int(time.time())
        claims = {
            "iss": self.client.client_id,
            "sub": self.client.client_id,
            "aud": self.world.issuer,
            "jti": uuid.UUID(int=self.dice.getrandbits(128)).hex,
            "iat": now,
            "exp": now + 60,
        }
        return jwt.encode({"alg": "ES256", "kid": self.key.kid}, claims, self.key)

    def insist(
        self,
        operation: str,
        grant: Grant,
        form: dict[str, str],
        *,
        copies: int = 1,
        unclear: bool = False,
        deadly_from: float = NEVER,
    ) -> Asked:
        """Ask until there is an answer that tells what was done, as clients do.

        Args:
            operation: what to count it as.
            grant: what it is about.
            form: less what proves who asks.
            copies: how many requests there are at once, the first time.
            unclear: whether it was asked before, and nobody knows what came of it.
            deadly_from: from when on to ask again ends the grant, if it was done before.
        """
        for attempt in range(ATTEMPTS):
            if unclear and time.time() > deadly_from:
                grant.own_threats.append(Threat([grant.life], f"{operation}: repeated, its answer was lost"))
            begun, was_over = grant.life.begun, grant.life.dead
            replies = at_once(lambda: self._send(operation, form), 1 if attempt else copies)
            excuse = grant.life.threatened_since(begun, grant.own_threats)
            for reply in replies:
                grant.note(f"{operation}: {reply}")
            told = any(not reply.is_unknown for reply in replies)
            if told or attempt == ATTEMPTS - 1 or not self._may_repeat(replies[0], attempt):
                unclear = unclear or any(reply.is_unknown for reply in replies)
                return Asked(replies, unclear, was_over, excuse)
            unclear = True
        raise AssertionError

    def _send(self, operation: str, form: dict[str, str]) -> Reply:
        return self.wire.post(operation, TOKEN_ENDPOINT, form | self.credentials())

    def _may_repeat(self, reply: Reply, attempt: int) -> bool:
        return self.wait(RETRY_AFTER if reply.outcome == UNAVAILABLE else FIRST_PAUSE * 2**attempt)

    def is_about_the_client(self, asked: Asked, grant: Grant | None = None) -> bool:
        """Tell whether it was the client that was refused, and not what it asked for."""
        reply = asked.reply
        if reply.outcome != REFUSED or reply.error != "invalid_client":
            return False
        settled = self.client.enabled.is_certainly(True, reply.began)
        if settled and self.client.secret_holds.is_certainly(True, reply.began):
            self.ledger.violation(f"{self.client.kind}: an enabled client with its secret was refused", grant)
        return True

    def accept(self, asked: Asked, grant: Grant, began: float) -> tuple[str, str | None]:
        """Take the tokens that came, and return them.

        Args:
            asked: what came.
            grant: whose they are.
            began: when they can have been made at the earliest.
        """
        reply = asked.granted[0]
        if asked.was_over:
            self.ledger.violation(f"tokens of a grant that was over: {asked.was_over}", grant)
        if self.client.enabled.is_certainly(False, reply.began):
            self.ledger.violation("tokens for a client that is disabled", grant)
        members = reply.members
        if members.get("token_type") != "Bearer" or not isinstance(members.get("expires_in"), int):
            self.ledger.violation("a token response without form", grant)
        access, refresh = str(members["access_token"]), members.get("refresh_token")
        self.ledger.told_access(grant, access, members["expires_in"], reply.began)
        if refresh is not None and refresh not in (token.value for token in grant.refresh_tokens):
            self.ledger.told_refresh(grant, refresh, began)
        for threat in grant.own_threats:
            threat.passed()
        grant.own_threats.clear()
        return access, refresh

    def expect_refusal(
        self, what: str, grant: Grant, reply: Reply, errors: tuple[str, ...] = ("invalid_grant",)
    ) -> None:
        """Note a violation if something wrong was not refused."""
        grant.note(f"{what}: {reply}")
        if reply.is_unknown or reply.error == "invalid_client":
            return
        if reply.outcome == LET_IN or reply.error not in errors:
            self.ledger.violation(f"{what} was answered {reply.status} {reply.error}", grant)


def new_key() -> ECKey:
    """Make a key to sign assertions with (`private_key_jwt`)."""
    return ECKey.generate_key("P-256", {"kid": "soak"})
