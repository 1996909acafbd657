"""The revocation endpoint (RFC 7009)."""

import pytest

from tests.harness import App, Deployment, count_requests, is_alive

GRANTS = ("authorization_code", "refresh_token")


@pytest.fixture
def app(deployment: Deployment) -> App:
    deployment.add_account()
    return deployment.add_app(grant_types=GRANTS)


def revoke(app: App, token: str, **parameters: str | None) -> int:
    return app.post("/oauth2/revoke", **({"token": token} | parameters)).status


def test_a_revoked_access_token_is_dead_at_once(deployment: Deployment, app: App) -> None:
    token = deployment.tokens(app)["access_token"]
    assert is_alive(token)
    assert revoke(app, token) == 200
    assert not is_alive(token)


def test_revoking_an_access_token_leaves_the_refresh_token(deployment: Deployment, app: App) -> None:
    tokens = deployment.tokens(app)
    revoke(app, tokens["access_token"])
    assert app.refresh(tokens["refresh_token"]).status == 200


def test_revoking_a_refresh_token_ends_the_grant(deployment: Deployment, app: App) -> None:
    tokens = deployment.tokens(app)
    assert revoke(app, tokens["refresh_token"]) == 200
    assert not is_alive(tokens["access_token"])
    assert app.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"


def test_revoking_a_rotated_refresh_token_ends_the_grant_too(deployment: Deployment, app: App) -> None:
    first = deployment.tokens(app)
    second = app.refresh(first["refresh_token"]).json
    assert revoke(app, first["refresh_token"]) == 200
    assert not is_alive(second["access_token"])


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "nonsense"])
def test_the_hint_is_only_a_hint(deployment: Deployment, app: App, hint: str) -> None:
    token = deployment.tokens(app)["access_token"]
    assert revoke(app, token, token_type_hint=hint) == 200
    assert not is_alive(token)


@pytest.mark.parametrize(
    "token", ["x", "oat_" + "A" * 36, "ort_" + "A" * 36, "oac_" + "A" * 36, "obs_" + "A" * 36, "ü" * 40]
)
def test_what_is_no_token_of_ours_is_revoked_already(app: App, token: str) -> None:
    assert revoke(app, token) == 200


def test_revoking_twice_is_fine(deployment: Deployment, app: App) -> None:
    tokens = deployment.tokens(app)
    for _ in range(2):
        assert revoke(app, tokens["access_token"]) == 200
        assert revoke(app, tokens["refresh_token"]) == 200


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_a_client_revokes_only_its_own(deployment: Deployment, app: App, kind: str) -> None:
    tokens = deployment.tokens(app)
    stranger = deployment.add_app(name="Stranger")
    answer = stranger.post("/oauth2/revoke", token=tokens[kind])
    assert (answer.status, answer.json["error"]) == (400, "invalid_grant")
    assert is_alive(tokens["access_token"])
    assert app.refresh(tokens["refresh_token"]).status == 200


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_a_guess_at_a_token_revokes_nothing(deployment: Deployment, app: App, kind: str) -> None:
    tokens = deployment.tokens(app)
    guess = tokens[kind][:-1] + ("A" if tokens[kind][-1] != "A" else "B")
    assert revoke(app, guess) == 200
    assert is_alive(tokens["access_token"])


def test_a_public_client_revokes_by_its_id(deployment: Deployment, app: App) -> None:
    public = deployment.add_app(name="Native", public=True)
    answer = public.post("/oauth2/revoke", token="oat_" + "A" * 36)
    assert answer.status == 200


@pytest.mark.parametrize(
    ("parameters", "status", "error"),
    [
        ({}, 400, "invalid_request"),
        ({"token": "x", "client_secret": "wrong"}, 401, "invalid_client"),
        ({"token": "x", "client_id": "unknown"}, 401, "invalid_client"),
    ],
)
def test_errors_are_those_of_the_token_endpoint(
    app: App, parameters: dict[str, str], status: int, error: str
) -> None:
    answer = app.post("/oauth2/revoke", **parameters)
    assert (answer.status, answer.json["error"]) == (status, error)
    assert answer.headers["cache-control"] == "no-store"


def test_revocation_takes_two_requests(deployment: Deployment, app: App) -> None:
    token = deployment.tokens(app)["access_token"]
    with count_requests() as requests:
        revoke(app, token)
    assert requests.total() == 2
