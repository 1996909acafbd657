"""How passwords are hashed where it counts: tests elsewhere run a cheaper hash."""

from unittest import mock

import argon2
import pytest

from chalicelib.accounts import passwords

pytestmark = pytest.mark.usefixtures("shipped_hashing")


def test_the_hash_is_argon2id_at_the_cost_that_owasp_asks_for() -> None:
    parameters = argon2.extract_parameters(passwords.hash_password("correct horse"))
    assert parameters.type is argon2.Type.ID
    assert parameters.memory_cost >= 19 * 1024
    assert parameters.time_cost >= 2
    assert parameters.hash_len >= 32
    assert parameters.salt_len >= 16


def test_nobodys_hash_costs_as_much_as_a_real_one() -> None:
    for cost in ("type", "version", "time_cost", "memory_cost", "parallelism", "hash_len"):
        nobodys, real = map(argon2.extract_parameters, (passwords._NOBODYS, passwords.hash_password("x" * 8)))
        assert getattr(nobodys, cost) == getattr(real, cost)


def test_a_password_matches_its_hash_and_no_other() -> None:
    hashed = passwords.hash_password("correct horse")
    assert passwords.verify_password(hashed, "correct horse")
    assert not passwords.verify_password(hashed, "correct horsf")
    assert hashed != passwords.hash_password("correct horse")


@pytest.mark.parametrize("password", ["", "correct horse", "x" * 100_000, "\0", "é"])
def test_without_a_hash_no_password_matches_at_the_same_cost(password: str) -> None:
    with mock.patch.object(passwords, "_hasher", mock.Mock(wraps=passwords._hasher)) as hasher:
        assert not passwords.verify_password(None, password)
    assert hasher.verify.call_count == 1


@pytest.mark.parametrize("stored", ["garbage", "$argon2id$", "$2b$12$" + "x" * 53, ""])
def test_a_hash_that_is_none_matches_nothing(stored: str) -> None:
    assert not passwords.verify_password(stored, "correct horse")


def test_long_passwords_that_share_a_beginning_differ() -> None:
    hashed = passwords.hash_password("x" * 1000)
    assert passwords.verify_password(hashed, "x" * 1000)
    assert not passwords.verify_password(hashed, "x" * 1001)
    assert not passwords.verify_password(hashed, "x" * 999)


@pytest.mark.parametrize("length", [0, 7, 1001])
def test_a_password_too_short_or_too_long_is_unacceptable(length: int) -> None:
    with pytest.raises(passwords.UnacceptablePassword, match="8 to 1000 characters"):
        passwords.hash_password("x" * length)
