"""At least 10,000 requests that nobody should send: no 5xx, no change of state, bounded time and memory.

`make fuzz` sends more, and `promises.py` says what holds. What fails is printed with the command that
sends it again. `FUZZ_SEED` sends others.
"""

import os
from collections.abc import Iterator

import pytest

from tests.hostile.described import operations
from tests.hostile.promises import Sent, broken, invoke
from tests.hostile.runs import Run, requests
from tests.hostile.world import World, world
from tests.last_words import say

SEED = int(os.environ.get("FUZZ_SEED", "1"))
REQUESTS = {"described": 1800, "spoilt": 5000, "events": 3200, "large bodies": 20}

DEEP = {
    "described": [f"api {status}" for status in (200, 201, 303, 400, 401, 403, 404, 422)],
    "spoilt": [f"api {status}" for status in (200, 303, 400, 401, 403, 404, 405, 413, 415, 422)],
    "events": [
        *("api 200", "api 400", "bearer allowed", "bearer Unauthorized", "publisher answered"),
        *("authorizer allowed", "authorizer Unauthorized", "authorizer ScopeRulesError"),
    ],
    "large bodies": ["api 400", "api 413"],
}
"""What has to come out, so that what was sent was not refused at the first glance."""

OPERATIONS = [(operation.path, operation.method) for operation in operations()]
NOT_SET_UP = {("/sign-in/upstream", "POST")}
"""Without an OpenID provider there is no form to spoil."""


@pytest.fixture(scope="module")
def deployment() -> Iterator[World]:
    with world() as made:
        yield made


def test_what_is_not_spoilt_succeeds(deployment: World) -> None:
    """So the requests that are spoilt get as deep as what is spoilt."""
    for call in deployment.calls:
        sent = Sent("api", call.event())
        outcome = invoke(deployment, sent)
        assert not broken(deployment, sent, outcome), call
        assert outcome.result["statusCode"] < 400 or call.path == "/sign-in/upstream/callback", call
        if call.form is not None and not call.path.endswith(("/introspect",)):
            assert outcome.changes, call


def test_there_are_enough_of_them() -> None:
    assert sum(REQUESTS.values()) >= 10_000


@pytest.mark.parametrize("kind", REQUESTS)
def test_every_promise_is_kept(deployment: World, pytestconfig: pytest.Config, kind: str) -> None:
    run = Run(kind, SEED)
    run.send(deployment, requests(kind, deployment, SEED, REQUESTS[kind]))
    say(pytestconfig, run.summary())
    assert not run.failures
    assert run.requests == REQUESTS[kind]
    assert set(DEEP[kind]) <= set(run.outcomes)
    if kind in ("described", "spoilt"):
        assert {(path, method.upper()) for path, method in OPERATIONS} - NOT_SET_UP <= run.called


def test_the_deployment_is_the_same_each_time(deployment: World) -> None:
    """So what was printed can be sent again."""
    sent = next(requests("spoilt", deployment, SEED, 1))
    assert Sent.unpacked(sent.packed()) == sent
    values = deployment.values
    with world() as again:
        assert again.values == values
        assert next(requests("spoilt", again, SEED, 1)) == sent
