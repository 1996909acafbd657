"""What the server tells about itself (RFC 8414, RFC 9728) is true."""

from collections.abc import Callable

import pytest

from tests.harness import HOST, Answer, App, Deployment, count_requests, event, post, send

SERVER = "/.well-known/oauth-authorization-server"
RESOURCE = "/.well-known/oauth-protected-resource"


def get(path: str, stage: str = "") -> Answer:
    return send(event("GET", path, stage=stage))


@pytest.mark.parametrize("stage", ["", "/prod"])
def test_the_issuer_and_its_endpoints_lie_under_the_same_url(stage: str) -> None:
    metadata = get(SERVER, stage).json
    assert metadata["issuer"] == f"https://{HOST}{stage}"
    endpoints = [url for name, url in metadata.items() if name.endswith("_endpoint")]
    assert len(endpoints) == 5
    assert all(url.startswith(f"https://{HOST}{stage}/oauth2/") for url in endpoints)


def test_the_configured_issuer_goes_first(change_setting: Callable[[str, object], None]) -> None:
    change_setting("issuer", "https://login.example.com")
    assert get(SERVER).json["issuer"] == "https://login.example.com"
    assert get(RESOURCE).json["authorization_servers"] == ["https://login.example.com"]


def test_every_endpoint_is_there(deployment: Deployment) -> None:
    metadata = get(SERVER).json
    for name in ("token", "device_authorization", "revocation", "introspection"):
        path = metadata[f"{name}_endpoint"].removeprefix(f"https://{HOST}")
        assert post(path, {}).json["error"] == "invalid_request"
    page = get(metadata["authorization_endpoint"].removeprefix(f"https://{HOST}"))
    assert "client_id is missing" in page.body


def test_every_grant_type_that_is_told_of_is_known(deployment: Deployment) -> None:
    app = deployment.add_app(grant_types=tuple(get(SERVER).json["grant_types_supported"]))
    for grant_type in get(SERVER).json["grant_types_supported"]:
        assert app.token(grant_type=grant_type).json.get("error") != "unsupported_grant_type"


def test_what_is_not_supported_is_not_told_of() -> None:
    metadata = get(SERVER).json
    assert metadata["response_types_supported"] == ["code"]
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["authorization_response_iss_parameter_supported"] is True
    assert "registration_endpoint" not in metadata


def test_scopes_are_those_of_the_settings(change_setting: Callable[[str, object], None]) -> None:
    change_setting("scopes", {"read": "Read", "maps:edit": "Edit maps"})
    assert get(SERVER).json["scopes_supported"] == ["read", "maps:edit"]
    assert get(RESOURCE).json["scopes_supported"] == ["read", "maps:edit"]


def test_the_api_tells_where_its_tokens_come_from() -> None:
    assert get(RESOURCE).json == {
        "resource": f"https://{HOST}",
        "resource_name": "Community Maps",
        "authorization_servers": [f"https://{HOST}"],
        "scopes_supported": ["read", "write"],
        "bearer_methods_supported": ["header"],
    }


def test_metadata_may_be_cached_and_costs_no_request(deployment: Deployment) -> None:
    with count_requests() as requests:
        assert get(SERVER).headers["cache-control"] == "public, max-age=300"
    assert requests.total() == 0


def test_the_authentication_methods_told_of_can_be_registered(deployment: Deployment) -> None:
    app: App = deployment.add_app()
    assert app.client_secret
    assert get(SERVER).json["token_endpoint_auth_methods_supported"] == [
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
        "none",
    ]
