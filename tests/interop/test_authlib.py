"""Authlib's client, unmodified: stricter than requests-oauthlib, and with JWTs for authentication."""

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url
from joserfc.jwk import RSAKey

from tests.interop.server import Person, RegisteredClient, Server

ISSUED = {"access_token", "token_type", "expires_in", "scope", "expires_at"}
"""The members of the reference page, and the one that the library adds."""


def test_documented_flow_with_the_secret_in_the_body(
    server: Server, person: Person, documented_client: RegisteredClient
) -> None:
    oauth = _session(documented_client, token_endpoint_auth_method="client_secret_post")
    token = _fetch_token(oauth, server, person)
    assert set(token) == ISSUED
    assert token["scope"] == "read"
    assert oauth.get(f"{server.url}/api/me").json()["user"]["email"] == person.account.email


def test_the_dialect_of_the_page_yields_a_code_that_the_library_redeems(
    server: Server, person: Person, documented_client: RegisteredClient
) -> None:
    asked = {
        "client_id": documented_client.client_id,
        "redirect_url": documented_client.redirect_uri,
        "response_type": "token",
    }
    oauth = _session(documented_client, token_endpoint_auth_method="client_secret_post")
    oauth.fetch_token(
        server.token_endpoint,
        authorization_response=person.authorize(f"{server.authorization_endpoint}?{urlencode(asked)}"),
    )
    assert oauth.get(f"{server.url}/api/me").status_code == 200


def test_basic_authentication_which_is_the_library_s_default(
    server: Server, person: Person, documented_client: RegisteredClient
) -> None:
    oauth = _session(documented_client)
    _fetch_token(oauth, server, person)
    assert oauth.get(f"{server.url}/api/me").status_code == 200


def test_a_public_client_with_pkce(server: Server, person: Person, public_client: RegisteredClient) -> None:
    oauth = _session(public_client, code_challenge_method="S256")
    _fetch_token(oauth, server, person, code_verifier=generate_token(48))
    assert oauth.get(f"{server.url}/api/me").status_code == 200


def test_a_wrong_code_verifier_is_an_invalid_grant(
    server: Server, person: Person, public_client: RegisteredClient
) -> None:
    oauth = _session(public_client, code_challenge_method="S256")
    url, state = oauth.create_authorization_url(
        server.authorization_endpoint, code_verifier=generate_token(48)
    )
    allowed = person.authorize(url)
    with pytest.raises(OAuthError) as refused:
        oauth.fetch_token(
            server.token_endpoint,
            authorization_response=allowed,
            state=state,
            code_verifier=generate_token(48),
        )
    assert refused.value.error == "invalid_grant"


def test_a_public_client_refreshes(server: Server, person: Person, public_client: RegisteredClient) -> None:
    oauth = _session(public_client, code_challenge_method="S256")
    first = dict(_fetch_token(oauth, server, person, code_verifier=generate_token(48)))
    second = oauth.refresh_token(server.token_endpoint)
    assert second["refresh_token"] != first["refresh_token"]
    assert oauth.get(f"{server.url}/api/me").status_code == 200


def test_an_expired_token_is_refreshed_on_the_way(
    server: Server, person: Person, confidential_client: RegisteredClient
) -> None:
    oauth = _session(confidential_client, token_endpoint=server.token_endpoint)
    token = dict(_fetch_token(oauth, server, person))
    oauth.token = {**token, "expires_at": 1}
    assert oauth.get(f"{server.url}/api/me").status_code == 200
    assert oauth.token["access_token"] != token["access_token"]


def test_client_credentials_act_for_the_application(
    server: Server, confidential_client: RegisteredClient
) -> None:
    oauth = _session(confidential_client, scope="write")
    token = oauth.fetch_token(server.token_endpoint, grant_type="client_credentials")
    assert set(token) == ISSUED
    assert oauth.post(f"{server.url}/api/notes", json={"text": "Hello"}).json()["author"] is None


def test_a_token_with_write_scope_may_add_a_note(
    server: Server, person: Person, confidential_client: RegisteredClient
) -> None:
    oauth = _session(confidential_client, scope="read write")
    _fetch_token(oauth, server, person)
    assert oauth.post(f"{server.url}/api/notes", json={"text": "Hello"}).status_code == 201


def test_the_metadata_is_valid_and_leads_through_the_flow(
    server: Server, person: Person, documented_client: RegisteredClient
) -> None:
    metadata = _metadata(server)
    metadata.validate()
    assert metadata["issuer"] == server.url
    oauth = _session(documented_client)
    url, state = oauth.create_authorization_url(metadata["authorization_endpoint"])
    oauth.fetch_token(metadata["token_endpoint"], authorization_response=person.authorize(url), state=state)
    assert oauth.get(f"{server.url}/api/me").status_code == 200


def test_a_revoked_access_token_is_refused_by_the_api(
    server: Server, person: Person, confidential_client: RegisteredClient
) -> None:
    oauth = _session(confidential_client)
    token = _fetch_token(oauth, server, person)
    answer = oauth.revoke_token(f"{server.url}/oauth2/revoke", token["access_token"], "access_token")
    assert answer.status_code == 200
    assert oauth.get(f"{server.url}/api/me").status_code == 401


def test_a_revoked_refresh_token_is_an_invalid_grant(
    server: Server, person: Person, confidential_client: RegisteredClient
) -> None:
    oauth = _session(confidential_client)
    token = _fetch_token(oauth, server, person)
    oauth.revoke_token(f"{server.url}/oauth2/revoke", token["refresh_token"], "refresh_token")
    with pytest.raises(OAuthError) as refused:
        oauth.refresh_token(server.token_endpoint)
    assert refused.value.error == "invalid_grant"


def test_introspection_tells_a_resource_server_whose_token_it_is(
    server: Server,
    person: Person,
    confidential_client: RegisteredClient,
    resource_server: RegisteredClient,
) -> None:
    token = _fetch_token(_session(confidential_client), server, person)
    answer = _session(resource_server).introspect_token(
        f"{server.url}/oauth2/introspect", token["access_token"], "access_token"
    )
    members = answer.json()
    assert members["active"] is True
    assert members["client_id"] == confidential_client.client_id
    assert members["scope"] == "read"
    assert members["exp"] == pytest.approx(token["expires_at"], abs=10)


def test_introspection_of_a_revoked_token_says_inactive_and_no_more(
    server: Server,
    person: Person,
    confidential_client: RegisteredClient,
    resource_server: RegisteredClient,
) -> None:
    oauth = _session(confidential_client)
    token = _fetch_token(oauth, server, person)
    oauth.revoke_token(f"{server.url}/oauth2/revoke", token["access_token"])
    answer = _session(resource_server).introspect_token(
        f"{server.url}/oauth2/introspect", token["access_token"]
    )
    assert answer.json() == {"active": False}


def test_private_key_jwt_redeems_a_code(server: Server, person: Person, tmp_path: Path) -> None:
    key = _new_key()
    client = _client_with_key(server, key, tmp_path)
    oauth = _session_with_key(client, key, exp=_soon())
    _fetch_token(oauth, server, person)
    assert oauth.get(f"{server.url}/api/me").json()["user"]["email"] == person.account.email


def test_private_key_jwt_with_the_hour_that_the_library_gives_it(server: Server, tmp_path: Path) -> None:
    key = _new_key()
    oauth = _session_with_key(_client_with_key(server, key, tmp_path), key)
    oauth.fetch_token(server.token_endpoint, grant_type="client_credentials")
    assert oauth.get(f"{server.url}/api/me").json()["acts_for"] == "application"


def test_private_key_jwt_for_the_token_endpoint_revokes_too(server: Server, tmp_path: Path) -> None:
    """The token endpoint's URL names the server, wherever it is sent (RFC 7523 section 3)."""
    key = _new_key()
    oauth = _session_with_key(_client_with_key(server, key, tmp_path), key, exp=_soon())
    token = oauth.fetch_token(server.token_endpoint, grant_type="client_credentials")
    oauth.register_client_auth_method(PrivateKeyJWT(server.token_endpoint, claims={"exp": _soon()}))
    assert oauth.revoke_token(f"{server.url}/oauth2/revoke", token["access_token"]).status_code == 200


def test_private_key_jwt_by_another_key_is_an_invalid_client(server: Server, tmp_path: Path) -> None:
    client = _client_with_key(server, _new_key(), tmp_path)
    oauth = _session_with_key(client, _new_key(), exp=_soon())
    with pytest.raises(OAuthError) as refused:
        oauth.fetch_token(server.token_endpoint, grant_type="client_credentials")
    assert refused.value.error == "invalid_client"


def _new_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "one", "alg": "RS256", "use": "sig"})


def _soon() -> int:
    return int(time.time()) + 60


def _client_with_key(server: Server, key: RSAKey, folder: Path) -> RegisteredClient:
    jwks = folder / "jwks.json"
    jwks.write_text(json.dumps({"keys": [key.as_dict(private=False)]}), encoding="utf-8")
    return server.add_client(
        *("--auth-method", "private_key_jwt", "--jwks", str(jwks)),
        *("--grant-type", "authorization_code", "--grant-type", "client_credentials"),
    )


def _session_with_key(client: RegisteredClient, key: RSAKey, **claims: int) -> OAuth2Session:
    oauth = OAuth2Session(
        client.client_id,
        key,
        token_endpoint_auth_method="private_key_jwt",
        revocation_endpoint_auth_method="private_key_jwt",
        redirect_uri=client.redirect_uri,
    )
    oauth.register_client_auth_method(PrivateKeyJWT(claims=claims or None))
    return oauth


def _session(client: RegisteredClient, **options: object) -> OAuth2Session:
    return OAuth2Session(client.client_id, client.client_secret, redirect_uri=client.redirect_uri, **options)


def _fetch_token(oauth: OAuth2Session, server: Server, person: Person, **options: str) -> dict[str, Any]:
    url, state = oauth.create_authorization_url(server.authorization_endpoint, **options)
    token: dict[str, Any] = oauth.fetch_token(
        server.token_endpoint, authorization_response=person.authorize(url), state=state, **options
    )
    return token


def _metadata(server: Server) -> AuthorizationServerMetadata:
    answer = requests.get(get_well_known_url(server.url, external=True), timeout=10)
    assert answer.status_code == 200, answer.text
    return AuthorizationServerMetadata(answer.json())
