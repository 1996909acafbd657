"""A server on this machine for stock OAuth libraries, with an account and the usual kinds of clients."""

from collections.abc import Iterator

import pytest

from tests.interop.node import NO_NODE
from tests.interop.server import Account, Person, RegisteredClient, Server, running_server
from tests.last_words import say


@pytest.fixture(scope="session", autouse=True)
def _missing_node_is_told(request: pytest.FixtureRequest) -> None:
    """Say that something is missing where nobody overlooks it."""
    if NO_NODE:
        say(request.config, f"WARNING: {NO_NODE}")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with an empty database of its own."""
    with running_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="session")
def account(server: Server) -> Account:
    return server.add_account()


@pytest.fixture
def person(server: Server, account: Account) -> Person:
    """Somebody whose browser is new, so that they have to sign in."""
    return Person(server, account)


@pytest.fixture(scope="session")
def documented_client(server: Server) -> RegisteredClient:
    """Registered as the reference page has it: nothing is asked for."""
    return server.add_client()


@pytest.fixture(scope="session")
def confidential_client(server: Server) -> RegisteredClient:
    """Keeps a secret, and may do all that needs one."""
    return server.add_client(
        *("--grant-type", "authorization_code"),
        *("--grant-type", "refresh_token"),
        *("--grant-type", "client_credentials"),
        *("--scope", "read write"),
    )


@pytest.fixture(scope="session")
def public_client(server: Server) -> RegisteredClient:
    """Has no secret."""
    return server.add_client(
        "--public", "--grant-type", "authorization_code", "--grant-type", "refresh_token"
    )


@pytest.fixture(scope="session")
def device_client(server: Server) -> RegisteredClient:
    """Runs on devices without a browser."""
    return server.add_client(
        *("--public", "--scope", "read write"),
        *("--grant-type", "urn:ietf:params:oauth:grant-type:device_code", "--grant-type", "refresh_token"),
    )


@pytest.fixture(scope="session")
def resource_server(server: Server) -> RegisteredClient:
    """An API that asks about other clients' tokens (RFC 7662)."""
    return server.add_client("--may-introspect")


@pytest.fixture(autouse=True)
def _plain_http_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Say so to the libraries, which insist on https otherwise."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
