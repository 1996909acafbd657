"""Changing a grant: read it, decide, write it if nobody else did in between, else do so again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from chalicelib import deadline
from chalicelib.catalogue import Event
from chalicelib.journal import tell
from chalicelib.models.grant import Grant
from chalicelib.models.table import Conflict
from chalicelib.oauth.errors import InvalidGrant, OAuthError, TemporarilyUnavailable

ATTEMPTS = 10

Outcome = TypeVar("Outcome")


class GrantNotFound(InvalidGrant):
    """There is no such grant, or it is long over."""


@dataclass(frozen=True)
class Unchanged(Generic[Outcome]):
    """What a step returns that found nothing to change."""

    outcome: Outcome


@dataclass(frozen=True)
class Theft:
    """What a step returns that revoked the grant, because somebody used a credential that was used up."""

    event: Event
    error: OAuthError
    """What the request is answered."""


Step = Callable[[Grant], Outcome | Unchanged[Outcome] | Theft | OAuthError]


def transition(grant_id: str, step: Step[Outcome]) -> Outcome:
    """Let `step` change a grant, atomically, whoever else is at it.

    Args:
        grant_id: which grant.
        step: changes the grant that it is given and returns the outcome. It is called anew
            whenever another request was faster, so it tells nobody what it does. To refuse and
            leave the grant as it is, it raises; to change the grant and refuse all the same, it
            returns the error, or the theft that it found.

    Raises:
        GrantNotFound: there is no such grant.
        TemporarilyUnavailable: others were faster too often.
        OAuthError: what the step raised or returned.
    """
    for attempt in range(ATTEMPTS):
        grant = Grant.find(grant_id)
        if grant is None:
            raise GrantNotFound
        outcome = step(grant)
        if isinstance(outcome, Unchanged):
            return outcome.outcome
        try:
            grant.write()
        except Conflict:
            deadline.pause(attempt)
            continue
        if isinstance(outcome, Theft):
            tell(outcome.event, client_id=grant.client_id, grant_id=grant_id, user_id=grant.user_id)
            raise outcome.error
        if isinstance(outcome, OAuthError):
            raise outcome
        return outcome
    raise TemporarilyUnavailable
