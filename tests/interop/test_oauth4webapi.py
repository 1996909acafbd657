"""oauth4webapi, unmodified, on Node.js: the strictest client there is. Its tests are in js/."""

import json
from dataclasses import asdict

import pytest
from joserfc.jwk import ECKey

from tests.interop import node
from tests.interop.server import Account, RegisteredClient, Server


@pytest.fixture(scope="module")
def signing_client(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """A client that authenticates by private_key_jwt, with its private key."""
    key = ECKey.generate_key("P-256", {"kid": "one", "alg": "ES256", "use": "sig"})
    jwks = tmp_path_factory.mktemp("keys") / "jwks.json"
    jwks.write_text(json.dumps({"keys": [key.as_dict(private=False)]}), encoding="utf-8")
    client = server.add_client(
        *("--auth-method", "private_key_jwt", "--jwks", str(jwks)),
        *("--grant-type", "authorization_code", "--grant-type", "client_credentials"),
        *("--scope", "read write"),
    )
    return asdict(client) | {"private_jwk": key.as_dict(private=True)}


@pytest.mark.skipif(node.NO_NODE is not None, reason=str(node.NO_NODE))
def test_oauth4webapi_finds_nothing_to_refuse(
    server: Server,
    account: Account,
    public_client: RegisteredClient,
    confidential_client: RegisteredClient,
    resource_server: RegisteredClient,
    device_client: RegisteredClient,
    signing_client: dict[str, object],
) -> None:
    clients = {
        "public": asdict(public_client),
        "confidential": asdict(confidential_client),
        "resource_server": asdict(resource_server),
        "device": asdict(device_client),
        "signing": signing_client,
    }
    node.install()
    node.run_tests(SERVER=server.url, ACCOUNT=json.dumps(asdict(account)), CLIENTS=json.dumps(clients))
