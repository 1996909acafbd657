"""`private_key_jwt` (RFC 7523): the signature, each claim, and single use."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey

from chalicelib import clock
from chalicelib.oauth import registration
from chalicelib.oauth.client_assertion import TYPE
from chalicelib.oauth.client_metadata import ClientMetadata, InvalidClientMetadata
from tests.conftest import Time
from tests.harness import HOST, Answer, Deployment, basic, count_requests, post

KEYS: dict[str, Any] = {
    "ES256": ECKey.generate_key("P-256", {"kid": "ec"}),
    "RS256": RSAKey.generate_key(2048, {"kid": "rsa"}),
    "PS256": RSAKey.generate_key(2048, {"kid": "pss"}),
    "EdDSA": OKPKey.generate_key("Ed25519", {"kid": "ed"}),
    "Ed25519": OKPKey.generate_key("Ed25519", {"kid": "ed25519"}),
}
TOKEN_ENDPOINT = f"https://{HOST}/oauth2/token"


def base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def public_keys(*keys: Any) -> str:
    return json.dumps(KeySet(list(keys)).as_dict(private=False))


@dataclass
class Signer:
    """A client that authenticates by signatures."""

    client_id: str
    now: int
    signed: int = 0

    def claims(self, **changes: Any) -> dict[str, Any]:
        self.signed += 1
        claims: dict[str, Any] = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": f"https://{HOST}",
            "jti": f"assertion {self.signed}",
            "iat": self.now,
            "exp": self.now + 60,
        }
        return {name: value for name, value in (claims | changes).items() if value is not None}

    def assertion(self, algorithm: str = "ES256", key: Any = None, **changes: Any) -> str:
        key = key or KEYS[algorithm]
        header = {"alg": algorithm, "kid": key.kid}
        payload = json.dumps(self.claims(**changes)).encode()
        return jws.serialize_compact(header, payload, key, algorithms=[algorithm])

    def send(self, assertion: str, headers: Mapping[str, str] | None = None, **parameters: str) -> Answer:
        fields = {
            "grant_type": "client_credentials",
            "client_assertion_type": TYPE,
            "client_assertion": assertion,
        }
        return post("/oauth2/token", fields | parameters, headers)


@pytest.fixture
def signer(deployment: Deployment, time: Time) -> Signer:
    client, secret = registration.register(
        ClientMetadata(
            client_name="Service",
            grant_types=("client_credentials",),
            token_endpoint_auth_method="private_key_jwt",
            jwks=public_keys(*KEYS.values()),
        )
    )
    assert secret is None
    return Signer(client.client_id, time.now)


def refused(answer: Answer) -> bool:
    return (answer.status, answer.json["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_signed_assertion_authenticates(signer: Signer, algorithm: str) -> None:
    assert signer.send(signer.assertion(algorithm)).status == 200


@pytest.mark.parametrize(
    "audience", [f"https://{HOST}", TOKEN_ENDPOINT, [f"https://{HOST}"], [f"https://{HOST}", TOKEN_ENDPOINT]]
)
def test_the_audience_is_the_issuer_or_the_endpoint(signer: Signer, audience: object) -> None:
    assert signer.send(signer.assertion(aud=audience)).status == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "somebody else"},
        {"iss": None},
        {"sub": None},
        {"sub": 17},
        {"aud": None},
        {"aud": "https://other.example"},
        {"aud": []},
        {"aud": [f"https://{HOST}", "https://other.example"]},
        {"aud": {"a": 1}},
        {"exp": None},
        {"exp": "soon"},
        {"exp": True},
        {"exp": float("inf")},
        {"exp": 1 << 70},
        {"exp": 0},
        {"jti": None},
        {"jti": ""},
        {"jti": 5},
        {"jti": "x" * 257},
        {"jti": "\ud800"},
        {"sub": ""},
        {"sub": "\ud800"},
        {"sub": "\x00"},
        {"nbf": "later"},
    ],
    ids=str,
)
def test_every_claim_has_to_hold(signer: Signer, changes: dict[str, Any]) -> None:
    assert refused(signer.send(signer.assertion(**changes)))


def test_an_assertion_expires(signer: Signer, time: Time) -> None:
    assertion = signer.assertion()
    time.passes(60 + clock.SKEW + 1)
    assert refused(signer.send(assertion))


def test_an_assertion_may_not_live_long(signer: Signer) -> None:
    assert refused(signer.send(signer.assertion(exp=signer.now + 3600 + clock.SKEW + 1)))


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_an_assertion_from_the_future_is_refused(signer: Signer, claim: str) -> None:
    assert refused(signer.send(signer.assertion(**dict[str, Any]({claim: signer.now + 300}))))


def test_an_assertion_counts_once(signer: Signer) -> None:
    assertion = signer.assertion()
    assert signer.send(assertion).status == 200
    assert refused(signer.send(assertion))


def test_a_jti_counts_once_whatever_else_changes(signer: Signer, time: Time) -> None:
    assert signer.send(signer.assertion(jti="same")).status == 200
    time.passes(1)
    assert refused(signer.send(signer.assertion(jti="same", exp=signer.now + 30)))


def test_another_key_is_refused_even_under_the_same_name(signer: Signer) -> None:
    forged = ECKey.generate_key("P-256", {"kid": "ec"})
    assert refused(signer.send(signer.assertion(key=forged)))


def test_a_refused_assertion_is_not_spent(signer: Signer) -> None:
    forged = signer.assertion(key=ECKey.generate_key("P-256", {"kid": "ec"}), jti="mine")
    assert refused(signer.send(forged))
    assert signer.send(signer.assertion(jti="mine")).status == 200


def test_a_public_key_is_no_shared_secret(signer: Signer) -> None:
    """The classic confusion of RS256 with HS256."""
    parts = [{"alg": "HS256", "kid": "rsa"}, signer.claims()]
    signed = ".".join(base64url(json.dumps(part).encode()) for part in parts)
    signature = hmac.digest(KEYS["RS256"].as_pem(private=False), signed.encode(), "sha256")
    assert refused(signer.send(f"{signed}.{base64url(signature)}"))


def test_an_unsigned_assertion_is_refused(signer: Signer) -> None:
    _, payload, _ = signer.assertion().split(".")
    assert refused(signer.send(f"eyJhbGciOiJub25lIn0.{payload}."))


@pytest.mark.parametrize("assertion", ["x", "a.b", "a.b.c", "..", "eyJhbGciOiJFUzI1NiJ9.W10.AA", "é.é.é"])
def test_what_is_no_jwt_is_refused(signer: Signer, assertion: str) -> None:
    assert refused(signer.send(assertion))


def test_a_client_of_another_method_cannot_sign(deployment: Deployment, signer: Signer) -> None:
    other = deployment.add_app(grant_types=("client_credentials",))
    assert refused(signer.send(signer.assertion(iss=other.client_id, sub=other.client_id)))


def test_a_signing_client_has_no_secret(signer: Signer) -> None:
    answer = post(
        "/oauth2/token",
        {"grant_type": "client_credentials", "client_id": signer.client_id, "client_secret": "x"},
    )
    assert refused(answer)


def test_two_methods_at_once_are_refused(signer: Signer) -> None:
    for answer in (
        signer.send(signer.assertion(), client_secret="x"),
        signer.send(signer.assertion(), headers=basic(signer.client_id, "x")),
        signer.send(signer.assertion(), client_id="somebody else"),
        signer.send(signer.assertion(), client_assertion_type="urn:other"),
    ):
        assert (answer.status, answer.json["error"]) == (400, "invalid_request")


def test_authenticating_by_signature_takes_one_request_more(signer: Signer) -> None:
    signer.send(signer.assertion())
    with count_requests() as requests:
        signer.send(signer.assertion())
    assert requests == {"PutItem": 2}


@pytest.mark.parametrize(
    ("jwks", "reason"),
    [
        ("no json", "not a JWK Set"),
        ("[]", "not a JWK Set"),
        ('{"keys": 5}', "not a JWK Set"),
        ('{"keys": [{"kty": "EC"}]}', "not a JWK Set"),
        ('{"keys": []}', "not a JWK Set"),
        (public_keys(RSAKey.generate_key(1024)), "no algorithm of ours"),
        (public_keys(ECKey.generate_key("P-384")), "no algorithm of ours"),
        (public_keys(OKPKey.generate_key("X25519")), "no algorithm of ours"),
        (public_keys(ECKey.generate_key("P-256", {"use": "enc"})), "no algorithm of ours"),
        (json.dumps(KeySet([KEYS["ES256"]]).as_dict(private=True)), "private key"),
        (json.dumps(KeySet([OctKey.generate_key(256)]).as_dict(private=True)), "secret or private key"),
    ],
    ids=[
        "text",
        "array",
        "number",
        "half a key",
        "no key",
        "short RSA",
        "other curve",
        "key agreement",
        "encryption",
        "private",
        "secret",
    ],
)
def test_a_bad_key_set_is_not_registered(deployment: Deployment, jwks: str, reason: str) -> None:
    metadata = ClientMetadata(
        client_name="Service",
        grant_types=("client_credentials",),
        token_endpoint_auth_method="private_key_jwt",
        jwks=jwks,
    )
    with pytest.raises(InvalidClientMetadata, match=reason):
        registration.register(metadata)
