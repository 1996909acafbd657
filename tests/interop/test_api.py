"""The API behind the authorizer, over real HTTP: who gets in, and what the others are told (RFC 6750)."""

import pytest
import requests

from tests.interop.server import RegisteredClient, Server

NOTE = {"text": "Hello"}
GARBAGE = "oat_" + "x" * 36
INVALID_TOKEN, INSUFFICIENT_SCOPE = 'Bearer error="invalid_token"', 'Bearer error="insufficient_scope"'


def test_a_token_reads_the_api(server: Server, confidential_client: RegisteredClient) -> None:
    answer = server.get("/api/me", _token(server, confidential_client, "read"))
    assert answer.status_code == 200
    assert answer.json()["client"]["client_id"] == confidential_client.client_id


def test_write_scope_adds_a_note(server: Server, confidential_client: RegisteredClient) -> None:
    answer = server.post("/api/notes", NOTE, _token(server, confidential_client, "write"))
    assert answer.status_code == 201
    assert answer.json()["text"] == NOTE["text"]


def test_read_scope_alone_cannot_add_a_note(server: Server, confidential_client: RegisteredClient) -> None:
    answer = server.post("/api/notes", NOTE, _token(server, confidential_client, "read"))
    assert answer.status_code == 403
    assert answer.headers["WWW-Authenticate"].startswith(INSUFFICIENT_SCOPE)


def test_write_scope_alone_cannot_read(server: Server, confidential_client: RegisteredClient) -> None:
    answer = server.get("/api/me", _token(server, confidential_client, "write"))
    assert answer.status_code == 403
    assert answer.headers["WWW-Authenticate"].startswith(INSUFFICIENT_SCOPE)


@pytest.mark.parametrize("token", [None, "garbage", GARBAGE])
def test_without_a_valid_token_nobody_gets_in(server: Server, token: str | None) -> None:
    for answer in (server.get("/api/me", token), server.post("/api/notes", NOTE, token)):
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith(INVALID_TOKEN)


def _token(server: Server, client: RegisteredClient, scope: str) -> str:
    answer = requests.post(
        server.token_endpoint,
        {"grant_type": "client_credentials", "scope": scope},
        auth=(client.client_id, client.client_secret or ""),
        timeout=10,
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])
