"""Refusals that must not be told apart: the same answer, by the same work in the same order.

Work is what takes time and may depend on a secret: requests to DynamoDB, password hashes with their
parameters, SHA-256, and comparisons. It is noted one by one, so that nothing depends on a clock.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import pytest

from chalicelib.accounts import accounts, passwords, throttle
from chalicelib.models.table import dynamodb
from chalicelib.oauth import clients, registration
from tests.conftest import Time
from tests.harness import DEVICE_CODE, EMAIL, PASSWORD, Answer, App, Browser, Deployment, basic, post

WRONG_SECRET = "ocs_" + "0" * 36
ALL_GRANTS = ("authorization_code", "refresh_token", DEVICE_CODE)

Step = tuple[Any, ...]


@contextmanager
def work() -> Iterator[list[Step]]:
    """Note what is done, in its order."""
    done: list[Step] = []

    def note_request(params: dict[str, Any], model: Any, **_: Any) -> None:
        done.append((model.name, params.get("TableName"), params.get("ConsistentRead")))

    def noting(name: str, function: Callable[..., Any], *about: Callable[[Any], Any]) -> Callable[..., Any]:
        def noted(*arguments: Any) -> Any:
            done.append((name, *(look(argument) for look, argument in zip(about, arguments, strict=False))))
            return function(*arguments)

        return noted

    hasher = mock.Mock(wraps=passwords._hasher)
    hasher.verify = noting("argon2", passwords._hasher.verify, parameters_of, len)
    events = dynamodb.client.meta.events
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(passwords, "_hasher", hasher))
        stack.enter_context(mock.patch.object(hashlib, "sha256", noting("sha256", hashlib.sha256, len)))
        compare = noting("compare", hmac.compare_digest, len, len)
        stack.enter_context(mock.patch.object(hmac, "compare_digest", compare))
        events.register("before-parameter-build.dynamodb", note_request)
        stack.callback(events.unregister, "before-parameter-build.dynamodb", note_request)
        yield done


def parameters_of(password_hash: str) -> str:
    """Return the algorithm and the cost of a hash, without salt and digest."""
    return password_hash.rpartition("$")[0].rpartition("$")[0]


def assert_alike(refusals: dict[str, Callable[[], Answer]], *, at_least: set[str]) -> None:
    """Check that all of them answer alike, by the same work, among which is some of a kind."""
    seen = {}
    for what, refuse in refusals.items():
        with work() as done:
            answer = refuse()
        assert answer.status in (400, 401, 422), (what, answer)
        seen[what] = (answer, done)
    (first, (answer, steps)), *others = seen.items()
    assert at_least <= {step[0] for step in steps}
    for what, (other, its_steps) in others:
        assert its_steps == steps, (first, what)
        assert other == answer, (first, what)


@pytest.fixture
def app(deployment: Deployment) -> App:
    deployment.add_account()
    return deployment.add_app(grant_types=ALL_GRANTS)


def test_unknown_account_wrong_password_and_disabled_account(
    deployment: Deployment, app: App, time: Time
) -> None:
    """The addresses have the same length: they are hashed, and shown in the form again."""
    for email in ("disabled@example.org", "disable2@example.org"):
        accounts.disable(deployment.add_account(email))
    accounts.add("upstream@example.org", None)
    deployment.add_account("known123@example.org")
    browser = Browser()
    page = browser.get("/sign-in")
    browser.submit(page, email="somebody@example.org", password="x")  # The network has failed before.

    def sign_in(email: str, password: str) -> Callable[[], Answer]:
        def send() -> Answer:
            answer = browser.submit(page, email=email, password=password)
            return Answer(answer.status, answer.headers, answer.set_cookies, answer.body.replace(email, ""))

        return send

    wrong = "x" * len(PASSWORD)
    refusals = {
        "wrong password": sign_in("known123@example.org", wrong),
        "unknown account": sign_in("unknown1@example.org", PASSWORD),
        "disabled account, right password": sign_in("disabled@example.org", PASSWORD),
        "disabled account, wrong password": sign_in("disable2@example.org", wrong),
        "account without a password": sign_in("upstream@example.org", wrong),
    }
    assert_alike(refusals, at_least={"argon2", "GetItem", "PutItem"})


@pytest.mark.parametrize("by_basic", [False, True], ids=["in the body", "by Basic"])
@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
def test_unknown_client_and_wrong_secret(
    deployment: Deployment, app: App, by_basic: bool, warm: bool
) -> None:
    disabled = deployment.add_app()
    registration.disable(deployment.client(disabled))
    known = {
        "wrong secret": app.client_id,
        "unknown client": "0123456789abcdef",
        "public client": deployment.add_app(public=True).client_id,
        "disabled client": disabled.client_id,
    }
    fields = {"grant_type": "refresh_token", "refresh_token": "ort_" + "0" * 36}

    def ask(client_id: str) -> Callable[[], Answer]:
        def send() -> Answer:
            if by_basic:
                return post("/oauth2/token", fields, basic(client_id, WRONG_SECRET))
            return post("/oauth2/token", fields | {"client_id": client_id, "client_secret": WRONG_SECRET})

        if warm:
            send()
        else:
            clients.forget()
        return send

    clients.forget()
    refusals = {what: ask(client_id) for what, client_id in known.items()}
    assert_alike(refusals, at_least={"sha256", "compare"} | (set() if warm else {"GetItem"}))


def test_codes_and_tokens_that_are_unknown_somebody_elses_or_over(
    deployment: Deployment, app: App, time: Time
) -> None:
    """To another client, whatever became of one is as if it had never been."""
    browser = deployment.signed_in_browser()
    thief = deployment.add_app(name="Thief", grant_types=ALL_GRANTS)
    unknown = "x" * 36

    codes = {name: deployment.code(app, browser) for name in ("alive", "redeemed", "expired", "revoked")}
    redeemed = app.exchange(codes["redeemed"]).json
    time.passes(61)
    codes["alive"] = deployment.code(app, browser)
    app.post("/oauth2/revoke", token=app.exchange(codes["alive"]).json["refresh_token"])
    codes["revoked"] = codes["alive"]
    codes["alive"] = deployment.code(app, browser)
    thief.exchange(unknown)  # From now on the function knows this client.
    assert_alike(
        {"unknown": lambda: thief.exchange("oac_" + unknown)}
        | {name: lambda code=code: thief.exchange(code) for name, code in codes.items()},
        at_least={"GetItem"},
    )

    rotated = redeemed["refresh_token"]
    tokens = {
        "rotated": rotated,
        "alive": app.refresh(rotated).json["refresh_token"],
        "revoked": deployment.tokens(app, browser)["refresh_token"],
    }
    app.post("/oauth2/revoke", token=tokens["revoked"])
    assert_alike(
        {"unknown": lambda: thief.refresh("ort_" + unknown)}
        | {name: lambda token=token: thief.refresh(token) for name, token in tokens.items()},
        at_least={"GetItem"},
    )

    waiting, denied = (app.start_device().json for _ in range(2))
    deployment.decide(denied["user_code"], browser, decision="deny")
    devices = {"waiting": waiting["device_code"], "denied": denied["device_code"]}
    assert_alike(
        {"unknown": lambda: thief.poll("odc_" + unknown)}
        | {name: lambda code=code: thief.poll(code) for name, code in devices.items()},
        at_least={"GetItem"},
    )


def test_a_guess_at_the_secret_of_a_grant_that_there_is_is_answered_like_one_at_none(
    deployment: Deployment, app: App
) -> None:
    """Or whoever guesses at ids of grants would learn when one is right."""
    browser = deployment.signed_in_browser()
    code = deployment.code(app, browser)
    token = deployment.tokens(app, browser)["refresh_token"]
    device_code = app.start_device().json["device_code"]
    for held, ask in ((code, app.exchange), (token, app.refresh), (device_code, app.poll)):
        guessed = held[:12] + "0" * 28
        assert ask(guessed) == ask(held[:4] + "0" * 36), held[:4]
        assert ask(guessed).json["error"] == "invalid_grant"


def test_the_address_of_an_account_is_not_found_by_how_it_is_throttled(app: App, time: Time) -> None:
    browser = Browser()
    page = browser.get("/sign-in")
    seen = []
    for email in (EMAIL, "nope@example.org"):
        throttle.ADDRESS.forget("192.0.2.1")
        answers = [browser.submit(page, email=email, password="x" * 8) for _ in range(8)]
        seen.append([(a.status, a.headers.get("retry-after"), a.body.replace(email, "")) for a in answers])
    assert seen[0] == seen[1]
    assert seen[0][-1][0] == 429
