"""Each credential at each door, by whoever it is not for: nobody gets anything, and nothing is used up."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from chalicelib.authorizer.decision import Unauthorized
from tests.endpoints.test_authorization_code import PKCE, VERIFIER
from tests.harness import CALLBACK, DEVICE_CODE, Answer, App, Browser, Deployment, authorize, is_alive, post

ALL_GRANTS = ("authorization_code", "refresh_token", DEVICE_CODE)


@dataclass(frozen=True)
class Loot:
    """What one client was issued, none of it used so far."""

    client: App
    browser: Browser
    credentials: dict[str, str]

    def still_works(self) -> bool:
        """Tell whether all of it does, which uses it up."""
        held = self.credentials
        return (
            is_alive(held["access token"])
            and self.client.refresh(held["refresh token"]).status == 200
            and self.client.exchange(held["code"], code_verifier=VERIFIER).status == 200
            and self.client.poll(held["device code"]).status == 200
            and self.browser.get("/connections").status == 200
        )


@pytest.fixture
def loot(deployment: Deployment) -> Loot:
    deployment.add_account()
    browser = deployment.signed_in_browser()
    client = deployment.add_app(grant_types=ALL_GRANTS)
    tokens = deployment.tokens(client, browser)
    device = client.start_device().json
    deployment.decide(device["user_code"], browser)
    held = {
        "code": deployment.code(client, browser, **PKCE),
        "access token": tokens["access_token"],
        "refresh token": tokens["refresh_token"],
        "device code": device["device_code"],
        "session": browser.cookies["__Host-session"],
        "secret": client.client_secret or "",
        "user code": device["user_code"],
    }
    return Loot(client, browser, held)


DOORS: dict[str, Callable[[App, str], Answer]] = {
    "code": lambda thief, stolen: thief.exchange(stolen),
    "code with verifier": lambda thief, stolen: thief.exchange(stolen, code_verifier=VERIFIER),
    "refresh token": lambda thief, stolen: thief.refresh(stolen),
    "device code": lambda thief, stolen: thief.poll(stolen),
    "introspection": lambda thief, stolen: thief.post("/oauth2/introspect", token=stolen),
    "revocation": lambda thief, stolen: thief.post("/oauth2/revoke", token=stolen),
}


@pytest.mark.parametrize("public", [False, True], ids=["with a secret", "public"])
def test_nothing_that_one_client_was_issued_is_of_use_to_another(
    deployment: Deployment, loot: Loot, public: bool
) -> None:
    thief = deployment.add_app(name="Thief", grant_types=ALL_GRANTS, public=public)
    before = deployment.snapshot()
    for what, stolen in loot.credentials.items():
        for door, open_ in DOORS.items():
            answer = open_(thief, stolen)
            assert "access_token" not in answer.json, (what, door)
            assert "active" not in answer.json, (what, door)
            assert door == "revocation" or answer.status in (400, 401), (what, door)
    assert deployment.snapshot() == before
    assert loot.still_works()


def test_no_credential_does_the_work_of_another_kind(deployment: Deployment, loot: Loot) -> None:
    """Not even for its own client, under its own name or under that of the other kind."""
    before = deployment.snapshot()
    prefixes = {"code": "oac_", "refresh token": "ort_", "device code": "odc_"}
    for what, held in loot.credentials.items():
        for door, prefix in prefixes.items():
            if door == what:
                continue
            for presented in (held, prefix + held[4:]):
                answer = DOORS[door](loot.client, presented)
                assert answer.json["error"] in ("invalid_grant", "invalid_request"), (what, door)
        if what != "access token":
            for presented in (held, "oat_" + held[4:]):
                with pytest.raises(Unauthorized):
                    authorize(presented)
    assert deployment.snapshot() == before
    assert loot.still_works()


def test_no_credential_is_a_session(deployment: Deployment, loot: Loot) -> None:
    for what, held in loot.credentials.items():
        for cookie in (held, "obs_" + held[4:]):
            if cookie != loot.credentials["session"]:
                browser = Browser()
                browser.cookies = {"__Host-session": cookie}
                assert browser.get("/connections").status == 303, what


def test_nobody_authenticates_with_what_is_no_secret(deployment: Deployment, loot: Loot) -> None:
    for what, held in loot.credentials.items():
        if what != "secret":
            code = loot.credentials["code"]
            answer = loot.client.exchange(code, code_verifier=VERIFIER, client_secret=held)
            assert (answer.status, answer.json["error"]) == (401, "invalid_client"), what
    assert loot.still_works()


def test_a_code_that_was_planted_in_another_clients_session_yields_nothing(
    deployment: Deployment, loot: Loot
) -> None:
    """Code injection (RFC 9700 section 4.5): the attacker's browser hands a stolen code to its own client."""
    honest = deployment.add_app(name="Honest")
    stolen = loot.credentials["code"]
    for victim, verifier in (
        (honest, None),
        (honest, VERIFIER),
        (loot.client, "x" * 43),
        (loot.client, None),
    ):
        answer = victim.exchange(stolen, code_verifier=verifier)
        assert answer.json["error"] == "invalid_grant"
    assert loot.still_works()


def test_pkce_that_was_stripped_on_the_way_is_noticed(deployment: Deployment, loot: Loot) -> None:
    """PKCE downgrade (RFC 9700 section 4.8): the client sends a verifier, and the code has no challenge."""
    code = deployment.code(loot.client, loot.browser)
    assert loot.client.exchange(code, code_verifier=VERIFIER).json["error"] == "invalid_grant"
    assert loot.client.exchange(code).status == 200


def test_sending_the_consent_twice_makes_two_grants_and_one_click_ends_both(
    deployment: Deployment, loot: Loot
) -> None:
    app = deployment.add_app(name="Twice")
    page = loot.browser.get(app.authorization_url())
    tokens = [
        app.exchange(loot.browser.submit(page, decision="allow").redirect_params["code"]).json["access_token"]
        for _ in range(2)
    ]
    assert [is_alive(token) for token in tokens] == [True, True]
    assert tokens[0][4:12] != tokens[1][4:12]
    connections = loot.browser.get("/connections")
    (form,) = [form for form in connections.forms if form.fields.get("client_id") == app.client_id]
    loot.browser.submit(connections, form)
    assert [is_alive(token) for token in tokens] == [False, False]


def test_two_servers_cannot_be_mixed_up(deployment: Deployment, loot: Loot) -> None:
    """Mix-up (RFC 9700 section 4.4): each answer, good or bad, has our `iss` and no other."""
    url = loot.client.authorization_url(iss="https://evil.example", state="s&iss=https://evil.example")
    for answer in (
        loot.browser.submit(loot.browser.get(url + "&prompt=consent"), decision="allow"),
        loot.browser.submit(loot.browser.get(url + "&prompt=consent"), decision="deny"),
        loot.browser.get(url + "&scope=unknown"),
    ):
        assert answer.redirect_params["iss"] == "https://auth.example.org"
        assert answer.location.startswith(CALLBACK + "?")


def test_a_client_that_authenticates_in_two_ways_at_once_is_neither(
    deployment: Deployment, loot: Loot
) -> None:
    thief = deployment.add_app(name="Thief", grant_types=ALL_GRANTS)
    fields = {
        "grant_type": "refresh_token",
        "refresh_token": loot.credentials["refresh token"],
        "client_secret": thief.client_secret or "",
    }
    for names in ((thief.client_id, loot.client.client_id), (loot.client.client_id, thief.client_id)):
        pairs = [*fields.items(), *(("client_id", name) for name in names)]
        assert post("/oauth2/token", pairs).json["error"] == "invalid_request"
    assert loot.still_works()
