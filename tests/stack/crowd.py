"""A crowd: an application that thousands of people have connected, and a look at what is left of that.

    python -m tests.stack.crowd fill 10000
    python -m tests.stack.crowd look <tokens>

A program of its own, as `race.py` is, and for the same reason. It prints JSON.
"""

import json
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from chalicelib import logs
from chalicelib.models.grant import Grant, client_shard
from chalicelib.models.user import UserGrant
from chalicelib.oauth import credentials
from chalicelib.oauth.credentials import Kind
from tests.harness import Deployment, is_alive
from tests.stack.race import Stage, set_up

SAMPLES = 50
THREADS = 4
BATCH = 250


def fill(people: int) -> dict[str, object]:
    """Let people connect an application, and one of them another one."""
    started = time.monotonic()
    stage = set_up()
    other = Deployment().add_app(grant_types=("authorization_code",))
    unrelated = Stage(other, stage.account).tokens()["access_token"]
    first = stage.tokens()["access_token"]
    pattern = Grant.find(first[4:12])
    assert pattern
    tokens = connect(pattern, people - 1)
    samples = [first, *tokens[:: people // SAMPLES]]
    return {
        "client_id": stage.application.client_id,
        "seconds": round(time.monotonic() - started, 1),
        "samples": samples,
        "unrelated": unrelated,
        "alive": sum(map(is_alive, [*samples, unrelated])),
    }


def connect(pattern: Grant, people: int) -> list[str]:
    """Write what the app wrote for somebody for others as well, and return an access token of each."""
    grants, tokens = [], []
    for _ in range(people):
        grant_id = credentials.random_text(credentials.GRANT_ID_LENGTH)
        token = credentials.new(Kind.ACCESS_TOKEN, grant_id)
        grant = Grant.from_raw_data(pattern.serialize())
        grant.grant_id = grant_id
        grant.client_shard = client_shard(grant.client_id, grant_id)
        grant.user_id = credentials.random_text(credentials.USER_ID_LENGTH)
        grant.access_tokens[0].hash = credentials.digest(token)
        grants.append(grant)
        tokens.append(token)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(write, (grants[start : start + BATCH] for start in range(0, people, BATCH))))
    return tokens


def write(grants: Sequence[Grant]) -> None:
    """Write grants, and the pointers of their users to them."""
    with Grant.batch_write() as batch:
        for grant in grants:
            batch.save(grant)
    with UserGrant.batch_write() as batch:
        for grant in grants:
            item = UserGrant.items_of(grant.client_id) + grant.grant_id
            pointer = UserGrant(
                grant.user_id,
                item,
                grant_id=grant.grant_id,
                client_id=grant.client_id,
                expires_at=grant.expires_at,
            )
            batch.save(pointer)


def look(tokens: Iterable[str]) -> dict[str, object]:
    """Tell which tokens the authorizer lets through, and which grants are revoked."""
    wanted = ["grant_id", "revision", "revoked_at"]
    grants = list(Grant.scan(attributes_to_get=wanted, consistent_read=True))
    return {
        "alive": [token for token in tokens if is_alive(token)],
        "revoked": {grant.grant_id: grant.revision for grant in grants if grant.revoked_at},
        "unrevoked": sum(not grant.revoked_at for grant in grants),
    }


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    with logs.handed_to(lambda *_: None):
        outcome = fill(int(arguments[0])) if command == "fill" else look(arguments)
    print(json.dumps(outcome))
