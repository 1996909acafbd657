"""How hard credentials are to guess, and what of them is stored."""

import hashlib
from base64 import urlsafe_b64decode

import pytest

from chalicelib.oauth import credentials
from chalicelib.oauth.credentials import Kind

GRANT_ID, KEY = "Ab3dEf6h", "k" * 22
TAG = 6
"""Characters at the end of a refresh token that follow from the rest."""


def test_every_credential_of_a_grant_has_at_least_128_random_bits() -> None:
    assert len(set(credentials.ALPHABET)) == len(credentials.ALPHABET) == 62
    lengths = [
        len(credentials.new(kind, GRANT_ID)) - 12
        for kind in (Kind.ACCESS_TOKEN, Kind.AUTHORIZATION_CODE, Kind.DEVICE_CODE)
    ]
    lengths += [len(credentials.new_refresh_token(GRANT_ID, KEY)) - 12 - TAG]
    lengths += [len(credentials.new(kind)) - 4 for kind in (Kind.CLIENT_SECRET, Kind.SESSION)]
    lengths += [credentials.SECRET_LENGTH]
    assert min(62**length for length in lengths) >= 2**128


def test_all_letters_and_digits_come_up() -> None:
    assert set(credentials.random_text(5000)) == set(credentials.ALPHABET)


def test_none_is_likelier_than_another(monkeypatch: pytest.MonkeyPatch) -> None:
    even, uneven = bytes(range(248)), bytes(range(248, 256))
    monkeypatch.setattr("secrets.token_bytes", lambda _: uneven + even)
    assert credentials.random_text(248) == credentials.ALPHABET * 4


def test_only_a_sha_256_is_stored() -> None:
    assert urlsafe_b64decode(credentials.digest("secret") + "=") == hashlib.sha256(b"secret").digest()


def test_a_refresh_token_is_not_recognised_by_another_grant() -> None:
    token = credentials.new_refresh_token(GRANT_ID, KEY)
    assert credentials.was_issued(token, KEY)
    assert not credentials.was_issued(token, "o" * 22)
