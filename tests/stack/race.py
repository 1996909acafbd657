"""Races: many requests in the same moment, through the app's front door, onto one DynamoDB.

    python -m tests.stack.race redemption 500

A program of its own, because the app reads its settings and makes its connection to DynamoDB when
it is imported. On its last line it tells, as JSON, how often which answer came and what was found
out after each round; `test_races.py` judges that.
"""

import json
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit

from chalice.local import LocalChalice
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

import app
from chalicelib import clock, logs
from chalicelib.accounts import accounts
from chalicelib.models.table import dynamodb
from chalicelib.models.user import Account
from chalicelib.oauth import authorization, client_assertion, device_authorization, registration
from chalicelib.oauth.client_metadata import ClientMetadata
from chalicelib.oauth.granting import AccountChanged
from chalicelib.oauth.parameters import Parameters
from management.infrastructure import tables
from tests.harness import DEVICE_CODE, HOST, Answer, App, Deployment, is_alive, post

THREADS = 16
CODES_IN_HAND = 2
START_SECONDS = 30
ISSUER = f"https://{HOST}"

Outcome = TypeVar("Outcome")
Tokens = Mapping[str, str]

threads = ThreadPoolExecutor(THREADS)


@dataclass(frozen=True)
class Stage:
    """What all rounds of a race share."""

    application: App
    account: Account

    def code(self, account: Account | None = None) -> str:
        """Let a user allow what the application asks for, as the consent page does, for a code.

        The page itself would see that the account is disabled. Here it is always too late for
        that: the account is as it was read before, and only the write of the grant can notice.
        """
        asked = Parameters(parse_qsl(urlsplit(self.application.authorization_url()).query))
        request = authorization.read_request(asked, ISSUER)
        return authorization.allow(request, account or self.account, None, ISSUER, was_asked=True).members[
            "code"
        ]

    def device_code(self) -> str:
        """Let a user allow a device, as the page does."""
        started = self.application.start_device().json
        grant_id = device_authorization.find(started["user_code"].replace("-", ""))
        assert grant_id
        device_authorization.allow(device_authorization.read_request(grant_id), ["read"], self.account)
        return str(started["device_code"])

    def tokens(self) -> Tokens:
        return successes([self.application.exchange(self.code())])[0]

    def refresh(self, tokens: Tokens) -> Answer:
        return self.application.refresh(tokens["refresh_token"])

    def refreshed(self, tokens: Tokens) -> Tokens:
        return successes([self.refresh(tokens)])[0]


@dataclass(frozen=True)
class Round:
    """What one round of a race came to."""

    answers: list[Answer]
    facts: dict[str, object]


def redemption(stage: Stage, _: int) -> Round:
    """Everybody redeems the same code."""
    code = stage.code()
    answers = at_once([partial(stage.application.exchange, code)] * THREADS)
    redeemed = successes(answers)
    return Round(
        answers,
        {
            "redemptions": len(redeemed),
            "access tokens alive": access_tokens_alive(redeemed),
            "refresh tokens alive": refresh_tokens_alive(stage, redeemed),
        },
    )


def refresh(stage: Stage, _: int) -> Round:
    """Everybody refreshes with the same token, as an honest application with many threads does."""
    first = stage.tokens()
    answers = at_once([partial(stage.refresh, first)] * THREADS)
    second = successes(answers)
    alive = access_tokens_alive(second)
    # One of them goes on, and then the token that all of them used comes once more.
    further = [stage.refresh(tokens) for tokens in second[:1]]
    replay = stage.refresh(first)
    third = successes(further)
    return Round(
        answers,
        {
            "refresh tokens": len(refresh_tokens(second)),
            "access tokens": len(access_tokens(second)),
            "access tokens alive": alive,
            "further refresh": [kind(answer) for answer in further],
            "late replay": kind(replay),
            "access tokens alive after it": access_tokens_alive([first, *second, *third]),
            "refresh tokens alive after it": refresh_tokens_alive(stage, third),
        },
    )


def device(stage: Stage, _: int) -> Round:
    """Everybody polls with the same device code, which somebody has allowed."""
    code = stage.device_code()
    answers = at_once([partial(stage.application.poll, code)] * THREADS)
    told = successes(answers)
    alive = access_tokens_alive(told)
    # One of them goes on, and then the code comes once more.
    further = [stage.refresh(tokens) for tokens in told[:1]]
    replay = stage.application.poll(code)
    refreshed = successes(further)
    return Round(
        answers,
        {
            "refresh tokens": len(refresh_tokens(told)),
            "access tokens": len(access_tokens(told)),
            "access tokens alive": alive,
            "further refresh": [kind(answer) for answer in further],
            "late replay": kind(replay),
            "access tokens alive after it": access_tokens_alive([*told, *refreshed]),
            "refresh tokens alive after it": refresh_tokens_alive(stage, refreshed),
        },
    )


def theft(stage: Stage, _: int) -> Round:
    """Half of them refresh with the current token, half with one that was traded long before."""
    stolen = stage.tokens()
    traded = stage.refreshed(stolen)
    current = stage.refreshed(traded)
    honest = [partial(stage.refresh, current)] * (THREADS // 2)
    thieves = [partial(stage.refresh, stolen)] * (THREADS // 2)
    answers = at_once([*honest, *thieves])
    refreshed = successes(answers)
    return Round(
        answers,
        {
            "thefts that paid": len(successes(answers[len(honest) :])),
            "more than one chain": len(refresh_tokens(refreshed)) > 1,
            "access tokens alive": access_tokens_alive([stolen, traded, current, *refreshed]),
            "refresh tokens alive": refresh_tokens_alive(stage, [current, *refreshed]),
        },
    )


def disabling(stage: Stage, number: int) -> Round:
    """An account is disabled while eight threads complete authorizations in its name."""
    account = accounts.add(f"user-{number}@example.org", None)
    signed_in = Account.of(account.user_id)
    assert signed_in
    answers: list[Answer] = []
    disabled = threading.Event()

    def disable() -> bool:
        time.sleep(number % 5 * 0.003)
        accounts.disable(account)
        disabled.set()
        return False

    def authorize() -> bool:
        """Tell whether an authorization was granted that was asked for when all was over."""
        codes: list[str] = []
        over = late = False
        while not over:
            over = disabled.is_set()
            try:
                codes.append(stage.code(signed_in))
                late = over
            except AccountChanged:
                over = True
            # With codes in hand, so that the end comes before, during and after a redemption.
            if over or len(codes) == CODES_IN_HAND:
                answers.extend([stage.application.exchange(code) for code in codes])
                codes.clear()
        return late

    granted_late = at_once([disable, *[authorize] * (THREADS // 2)])
    return Round(
        answers,
        {
            "authorizations afterwards": sum(granted_late),
            "access tokens alive": access_tokens_alive(successes(answers)),
        },
    )


def assertion(_: Stage, __: int) -> Round:
    """Everybody authenticates with the same assertion (`private_key_jwt`)."""
    key = ECKey.generate_key("P-256")
    metadata = ClientMetadata(
        client_name="Service",
        grant_types=("client_credentials",),
        token_endpoint_auth_method="private_key_jwt",
        jwks=json.dumps(KeySet([key]).as_dict(private=False)),
    )
    client, _secret = registration.register(metadata)
    claims = {
        "iss": client.client_id,
        "sub": client.client_id,
        "aud": ISSUER,
        "jti": "only once",
        "exp": clock.now() + 60,
    }
    fields = {
        "grant_type": "client_credentials",
        "client_assertion_type": client_assertion.TYPE,
        "client_assertion": jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key),
    }
    answers = at_once([partial(post, "/oauth2/token", fields)] * THREADS)
    return Round(answers, {"authentications": len(successes(answers))})


RACES = {race.__name__: race for race in (redemption, refresh, device, theft, disabling, assertion)}


def at_once(requests: Sequence[Callable[[], Outcome]]) -> list[Outcome]:
    """Start all of it in the same moment, each in a thread of its own, and return the outcomes."""
    line = threading.Barrier(len(requests))

    def start(request: Callable[[], Outcome]) -> Outcome:
        line.wait(START_SECONDS)
        return request()

    return list(threads.map(start, requests))


def successes(answers: Sequence[Answer]) -> list[Tokens]:
    """Return the token responses among the answers."""
    return [answer.json for answer in answers if answer.status == 200]


def kind(answer: Answer) -> str:
    """Name an answer."""
    return "200" if answer.status == 200 else f"{answer.status} {answer.json['error']}"


def access_tokens(responses: Sequence[Tokens]) -> set[str]:
    """Return the access tokens in token responses; the same one may be in several."""
    return {tokens["access_token"] for tokens in responses}


def refresh_tokens(responses: Sequence[Tokens]) -> set[str]:
    """Return the refresh tokens in token responses."""
    return {tokens["refresh_token"] for tokens in responses}


def access_tokens_alive(responses: Sequence[Tokens]) -> int:
    """Count the access tokens that the authorizer lets through."""
    return sum(is_alive(token) for token in access_tokens(responses))


def refresh_tokens_alive(stage: Stage, responses: Sequence[Tokens]) -> int:
    """Count the refresh tokens that can be used. This uses them: look at other things first."""
    return sum(stage.application.refresh(token).status == 200 for token in refresh_tokens(responses))


def set_up() -> Stage:
    """Make an empty deployment and what the rounds share."""
    # Chalice keeps the request that it works on in an attribute of the app: in Lambda there is one
    # at a time. `chalice local` serves from threads, and makes the attribute a thread-local one, by
    # this class. Threads do as well as processes here: while one waits for DynamoDB, where the races
    # are decided, the others go on; and a barrier starts them closer together.
    app.app.__class__ = LocalChalice
    for model in tables.TABLES.values():
        dynamodb.client.create_table(**tables.table_definition(model))
    grant_types = ("authorization_code", "refresh_token", DEVICE_CODE)
    application = Deployment().add_app(grant_types=grant_types)
    return Stage(application, accounts.add("user@example.org", None))


def run(name: str, rounds: int) -> dict[str, object]:
    """Run a race and sum up its rounds."""
    stage = set_up()
    answers: Counter[str] = Counter()
    facts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    started = time.monotonic()
    for number in range(rounds):
        done = RACES[name](stage, number)
        answers.update(kind(answer) for answer in done.answers)
        for fact, value in done.facts.items():
            facts[fact][json.dumps(value)] += 1
    seconds = round(time.monotonic() - started, 1)
    return {"race": name, "rounds": rounds, "seconds": seconds, "answers": answers, "facts": facts}


if __name__ == "__main__":
    with logs.handed_to(lambda *_: None):
        report = run(sys.argv[1], int(sys.argv[2]))
    print(json.dumps(report))
