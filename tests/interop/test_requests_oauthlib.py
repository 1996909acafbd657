"""requests-oauthlib, unmodified: the library that most Python applications have."""

from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from oauthlib.oauth2 import (  # type: ignore[import-untyped]
    AccessDeniedError,
    BackendApplicationClient,
    InvalidClientError,
    InvalidGrantError,
)
from requests_oauthlib import OAuth2Session

from tests.interop.server import Person, RegisteredClient, Server

ISSUED = {"access_token", "token_type", "expires_in", "scope", "expires_at"}
"""The members of the reference page, and the one that the library adds."""


def test_documented_flow_with_the_secret_in_the_body(
    server: Server, person: Person, documented_client: RegisteredClient
) -> None:
    oauth = _session(documented_client)
    url, _ = oauth.authorization_url(server.authorization_endpoint)
    token = oauth.fetch_token(
        server.token_endpoint,
        authorization_response=person.authorize(url),
        client_secret=documented_client.client_secret,
        include_client_id=True,
    )
    assert set(token) == ISSUED
    assert token["scope"] == ["read"]
    assert oauth.get(f"{server.url}/api/me").json()["user"]["email"] == person.account.email


def test_the_dialect_of_the_page_yields_a_code_that_the_library_redeems(
    server: Server, person: Person, documented_client: RegisteredClient
) -> None:
    asked = {
        "client_id": documented_client.client_id,
        "redirect_url": documented_client.redirect_uri,
        "response_type": "token",
    }
    oauth = _session(documented_client)
    oauth.fetch_token(
        server.token_endpoint,
        authorization_response=person.authorize(f"{server.authorization_endpoint}?{urlencode(asked)}"),
        client_secret=documented_client.client_secret,
        include_client_id=True,
    )
    assert oauth.get(f"{server.url}/api/me").status_code == 200


def test_basic_authentication_which_is_the_library_s_default(
    server: Server, person: Person, documented_client: RegisteredClient
) -> None:
    oauth = _session(documented_client)
    _fetch_token(oauth, server, person, documented_client)
    assert oauth.get(f"{server.url}/api/me").status_code == 200


def test_a_public_client_with_pkce(server: Server, person: Person, public_client: RegisteredClient) -> None:
    oauth = _session(public_client, pkce="S256")
    url, _ = oauth.authorization_url(server.authorization_endpoint)
    oauth.fetch_token(
        server.token_endpoint, authorization_response=person.authorize(url), include_client_id=True
    )
    assert oauth.get(f"{server.url}/api/me").status_code == 200


def test_a_refreshed_token_is_new_and_works(
    server: Server, person: Person, confidential_client: RegisteredClient
) -> None:
    oauth = _session(confidential_client)
    first = dict(_fetch_token(oauth, server, person, confidential_client))
    second = oauth.refresh_token(server.token_endpoint, auth=_basic(confidential_client))
    assert second["access_token"] != first["access_token"]
    assert second["refresh_token"] != first["refresh_token"]
    assert oauth.get(f"{server.url}/api/me").json()["user"]["email"] == person.account.email


def test_an_expired_token_is_refreshed_on_the_way(
    server: Server, person: Person, confidential_client: RegisteredClient
) -> None:
    updated: list[object] = []
    oauth = _session(
        confidential_client, auto_refresh_url=server.token_endpoint, token_updater=updated.append
    )
    token = _fetch_token(oauth, server, person, confidential_client)
    oauth.token = {**token, "expires_at": 1}
    answer = oauth.get(
        f"{server.url}/api/me",
        client_id=confidential_client.client_id,
        client_secret=confidential_client.client_secret,
    )
    assert answer.status_code == 200
    assert len(updated) == 1


def test_client_credentials_act_for_the_application(
    server: Server, confidential_client: RegisteredClient
) -> None:
    oauth = OAuth2Session(client=BackendApplicationClient(confidential_client.client_id))
    token = oauth.fetch_token(server.token_endpoint, client_secret=confidential_client.client_secret)
    assert set(token) == ISSUED
    assert oauth.get(f"{server.url}/api/me").json()["acts_for"] == "application"


def test_a_token_with_write_scope_may_add_a_note(
    server: Server, person: Person, confidential_client: RegisteredClient
) -> None:
    oauth = _session(confidential_client, scope=["read", "write"])
    token = _fetch_token(oauth, server, person, confidential_client)
    assert token["scope"] == ["read", "write"]
    assert oauth.post(f"{server.url}/api/notes", json={"text": "Hello"}).status_code == 201


def test_the_library_raises_access_denied_when_the_user_denies(
    server: Server, person: Person, documented_client: RegisteredClient
) -> None:
    oauth = _session(documented_client)
    url, _ = oauth.authorization_url(server.authorization_endpoint, prompt="consent")
    refused = person.authorize(url, "deny")
    with pytest.raises(AccessDeniedError):
        oauth.fetch_token(server.token_endpoint, authorization_response=refused)


def test_the_library_raises_invalid_client_for_a_wrong_secret(
    server: Server, person: Person, documented_client: RegisteredClient
) -> None:
    oauth = _session(documented_client)
    url, _ = oauth.authorization_url(server.authorization_endpoint)
    allowed = person.authorize(url)
    with pytest.raises(InvalidClientError):
        oauth.fetch_token(server.token_endpoint, authorization_response=allowed, client_secret="wrong")


def test_code_redeemed_twice_revokes_the_grant(
    server: Server, person: Person, documented_client: RegisteredClient
) -> None:
    oauth = _session(documented_client)
    url, _ = oauth.authorization_url(server.authorization_endpoint)
    allowed, secret = person.authorize(url), documented_client.client_secret
    token = oauth.fetch_token(server.token_endpoint, authorization_response=allowed, client_secret=secret)
    with pytest.raises(InvalidGrantError):
        _session(documented_client).fetch_token(
            server.token_endpoint, authorization_response=allowed, client_secret=secret
        )
    assert server.get("/api/me", token["access_token"]).status_code == 401


def test_a_revoked_token_is_refused_by_the_api(
    server: Server, person: Person, confidential_client: RegisteredClient
) -> None:
    oauth = _session(confidential_client)
    token = _fetch_token(oauth, server, person, confidential_client)
    url, headers, body = oauth._client.prepare_token_revocation_request(
        f"{server.url}/oauth2/revoke", token["refresh_token"], "refresh_token"
    )
    answer = requests.post(url, body, headers=headers, auth=_basic(confidential_client), timeout=10)
    assert answer.status_code == 200
    assert oauth.get(f"{server.url}/api/me").status_code == 401


def _session(client: RegisteredClient, **options: object) -> OAuth2Session:
    return OAuth2Session(client.client_id, redirect_uri=client.redirect_uri, **options)


def _fetch_token(
    oauth: OAuth2Session, server: Server, person: Person, client: RegisteredClient
) -> dict[str, Any]:
    url, _ = oauth.authorization_url(server.authorization_endpoint)
    token: dict[str, Any] = oauth.fetch_token(
        server.token_endpoint,
        authorization_response=person.authorize(url),
        client_secret=client.client_secret,
    )
    return token


def _basic(client: RegisteredClient) -> requests.auth.HTTPBasicAuth:
    return requests.auth.HTTPBasicAuth(client.client_id, client.client_secret or "")
