"""What applications ask of the protocol's endpoints and of the authorizer."""

from collections.abc import Callable
from typing import Any

from chalicelib import clock
from chalicelib.authorizer.gateway import authorizer
from chalicelib.oauth import registration
from chalicelib.oauth.client_metadata import ClientMetadata
from chalicelib.settings import settings
from tests import harness
from tests.authorizer.test_gateway import http_api_event_2, request_event, token_event
from tests.endpoints.test_client_assertion import KEYS, Signer, public_keys
from tests.faults import CONFLICT, TRANSACTION_CONFLICT, Fault, intercepted
from tests.harness import Answer, authorize, event, is_alive
from tests.matrix.flow import Flow, State
from tests.matrix.world import World

TOO_LATE = settings.refresh_retry_window + clock.SKEW
"""Seconds."""

Act = Callable[[World, State], Answer]


def nothing(world: World, s: State) -> None:
    """Need no more than what all flows start from."""


def gives_tokens(world: World, s: State, answer: Answer) -> bool:
    """Tell whether an application got a token that works, and a refresh token that does, if any."""
    if answer.status != 200 or not is_alive(answer.json["access_token"]):
        return False
    refresh_token = answer.json.get("refresh_token")
    return refresh_token is None or s.app.refresh(refresh_token).status == 200


def has_code(world: World, s: State) -> None:
    s.code = world.code(s.app, s.browser)


def redeem(world: World, s: State) -> Answer:
    return s.app.exchange(s.code)


def authorize_anew(world: World, s: State) -> Answer:
    """Send the user around once more."""
    return s.app.exchange(world.code(s.app, s.browser))


def has_tokens(world: World, s: State) -> None:
    s.tokens = world.tokens(s.app, s.browser)


def has_used_code(world: World, s: State) -> None:
    has_code(world, s)
    s.tokens = s.app.exchange(s.code).json


def has_traded_token(world: World, s: State) -> None:
    has_tokens(world, s)
    refresh(world, s)
    world.now += TOO_LATE


def refresh(world: World, s: State) -> Answer:
    return s.app.refresh(s.tokens["refresh_token"])


def ends_all(world: World, s: State, answer: Answer) -> bool:
    return not is_alive(s.tokens["access_token"]) and redeem_or_refresh_fails(s)


def redeem_or_refresh_fails(s: State) -> bool:
    return bool(s.app.refresh(s.tokens["refresh_token"]).json.get("error") == "invalid_grant")


WRITE = (CONFLICT, "PutItem")
"""Another write to the same row, just before."""
TRANSACTION = (TRANSACTION_CONFLICT, "TransactWriteItems")
"""Another transaction at the same row, just now."""


def meeting(what: tuple[Fault, str], act: Act) -> Act:
    """Let something be in the way of the first request that writes."""

    def acting(world: World, s: State) -> Answer:
        refusals = [what[0]]
        with intercepted(lambda _: refusals.pop()() if refusals else None, what[1]):
            return act(world, s)

    return acting


def has_device(world: World, s: State) -> None:
    s.device = s.app.start_device().json


def has_allowed_device(world: World, s: State) -> None:
    has_device(world, s)
    world.decide(s.device["user_code"], s.browser)


def has_used_device(world: World, s: State) -> None:
    has_allowed_device(world, s)
    s.tokens = s.app.poll(s.device["device_code"]).json
    world.now += TOO_LATE


def poll(world: World, s: State) -> Answer:
    return s.app.poll(s.device["device_code"])


def is_asked_for(world: World, s: State, answer: Answer) -> bool:
    if answer.status != 200:
        return False
    return bool(s.app.poll(answer.json["device_code"]).json["error"] == "authorization_pending")


def is_told_to_wait(world: World, s: State, answer: Answer) -> bool:
    return answer.json["error"] in ("authorization_pending", "slow_down")


def has_signer(world: World, s: State) -> None:
    metadata = ClientMetadata(
        client_name="Service",
        grant_types=("client_credentials",),
        token_endpoint_auth_method="private_key_jwt",
        jwks=public_keys(KEYS["EdDSA"]),
    )
    s.signer = Signer(registration.register(metadata)[0].client_id, world.now)
    s.assertion = s.signer.assertion("EdDSA")


def sign_anew(world: World, s: State) -> Answer:
    """Prove it once more: an assertion counts once, as the client knows."""
    return s.signer.send(s.signer.assertion("EdDSA"))


def revoke(name: str) -> Act:
    return lambda world, s: s.app.post("/oauth2/revoke", token=s.tokens[name])


def is_revoked(world: World, s: State, answer: Answer) -> bool:
    return answer.status == 200 and not is_alive(s.tokens["access_token"])


def introspect(name: str) -> Act:
    return lambda world, s: s.app.post("/oauth2/introspect", token=s.tokens[name])


def is_active(world: World, s: State, answer: Answer) -> bool:
    return answer.status == 200 and answer.json["active"] is True


def gateway(make: Callable[[str], dict[str, Any]]) -> Act:
    """Ask the authorizer of any API."""

    def act(world: World, s: State) -> Answer:
        answer = authorizer(make(f"Bearer {s.tokens['access_token']}"), None)
        return Answer(200, {}, [], "yes" if "Allow" in str(answer) or answer.get("isAuthorized") else "no")

    return act


def bearer(world: World, s: State) -> Answer:
    return Answer(200, {}, [], "yes" if "Allow" in str(authorize(s.tokens["access_token"])) else "no")


def lets_in(world: World, s: State, answer: Answer) -> bool:
    return answer.body == "yes"


def has_context(world: World, s: State) -> None:
    has_tokens(world, s)
    s.context = authorize(s.tokens["access_token"])["context"]


def call_api(world: World, s: State) -> Answer:
    sent = event("GET", "/api/me")
    sent["requestContext"]["authorizer"] = s.context
    return harness.send(sent)


def tells_who(world: World, s: State, answer: Answer) -> bool:
    return answer.status == 200 and answer.json["acts_for"] == "user"


def client_credentials(world: World, s: State) -> Answer:
    return s.app.token(grant_type="client_credentials")


FLOWS = [
    Flow("client credentials", nothing, client_credentials, gives_tokens),
    Flow(
        "client credentials, whose id is taken",
        nothing,
        meeting(WRITE, client_credentials),
        gives_tokens,
        again=client_credentials,
    ),
    Flow(
        "private_key_jwt", has_signer, lambda _, s: s.signer.send(s.assertion), gives_tokens, again=sign_anew
    ),
    Flow("code", has_code, redeem, gives_tokens, anew=authorize_anew),
    Flow(
        "code, with another write",
        has_code,
        meeting(WRITE, redeem),
        gives_tokens,
        again=redeem,
        anew=authorize_anew,
    ),
    Flow("code, used before", has_used_code, redeem, ends_all),
    Flow("refresh", has_tokens, refresh, gives_tokens),
    Flow("refresh, with another write", has_tokens, meeting(WRITE, refresh), gives_tokens, again=refresh),
    Flow("refresh, reused", has_traded_token, refresh, ends_all),
    Flow("device: asks", nothing, lambda _, s: s.app.start_device(), is_asked_for),
    Flow(
        "device: asks, with another transaction",
        nothing,
        meeting(TRANSACTION, lambda _, s: s.app.start_device()),
        is_asked_for,
        again=lambda _, s: s.app.start_device(),
    ),
    Flow("device: waits", has_device, poll, is_told_to_wait),
    Flow("device: gets tokens", has_allowed_device, poll, gives_tokens),
    Flow("device: code used before", has_used_device, poll, ends_all),
    Flow("revoke an access token", has_tokens, revoke("access_token"), is_revoked),
    Flow("revoke a refresh token", has_tokens, revoke("refresh_token"), is_revoked),
    Flow("introspect an access token", has_tokens, introspect("access_token"), is_active),
    Flow("introspect a refresh token", has_tokens, introspect("refresh_token"), is_active),
    Flow("authorizer", has_tokens, bearer, lets_in),
    Flow("authorizer, REST TOKEN", has_tokens, gateway(token_event), lets_in),
    Flow("authorizer, REST REQUEST", has_tokens, gateway(request_event), lets_in),
    Flow("authorizer, HTTP API", has_tokens, gateway(http_api_event_2), lets_in),
    Flow("sample API", has_context, call_api, tells_who),
]
