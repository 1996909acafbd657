"""Password hashes of other systems: they let their owner in once, and are replaced by our own."""

from collections.abc import Callable
from unittest import mock

import bcrypt
import pytest

from chalicelib.accounts import accounts, foreign_hashes, passwords, sessions
from chalicelib.accounts.foreign_hashes import UnacceptableHash
from chalicelib.models.user import Account
from tests.conftest import Log
from tests.faults import CONFLICT, FAULTS, Fault, answer_gets_lost, meanwhile, storage_fails
from tests.harness import EMAIL, PASSWORD, Deployment, count_requests

pytestmark = pytest.mark.usefixtures("shipped_hashing")

ADDRESS = "192.0.2.1"

BCRYPT = "$2b$04$Y3qY.AsiVeMJhoueQMTBIelD7m7jdMKNNcpRRtDPDRJPK1fnNv8OK"

HASHES = {
    "bcrypt 2a": BCRYPT.replace("2b", "2a"),
    "bcrypt 2b": BCRYPT,
    "bcrypt 2y": BCRYPT.replace("2b", "2y"),
    "django bcrypt": "bcrypt$$2b$04$zpwmke9wNAP1E0FSD./oSO/QjSA5.hVHwTVK8JfEkljIATfKDKxtW",
    "django bcrypt_sha256": "bcrypt_sha256$$2b$04$HQTa9p1aec35ItRjUeitVesUZvbg3e4aiXgvM34Bo1QAo/FBW6Fie",
    "django pbkdf2_sha256": "pbkdf2_sha256$1000$saltsaltsalt$F7o7+5VTVzFAO998X6s3AHrDsJVdMiIlgndIMe19NvY=",
    "django pbkdf2_sha1": "pbkdf2_sha1$1000$saltsaltsalt$JfNU29qvQkW1UgahO6OQ0oP6O0I=",
    "passlib pbkdf2-sha256": (
        "$pbkdf2-sha256$1000$ttYaI0SI8T7nPGeMMeY8xw$GFxPxfkctw3IspVPm4YclUpkEJn4NXNUGJ9/HTLXJms"
    ),
    "passlib pbkdf2-sha512": (
        "$pbkdf2-sha512$1000$4PyfE6J0rhXCOOccI.T8Xw"
        "$OMNe1Cj9QVLjtTirEOKRXAnGyoqojEgH6EvOw0jHYHCA8YYTPj8OmuS/1cQNW/NZgU/T.KEyusFwauCo/VkFJA"
    ),
    "argon2id": (
        "$argon2id$v=19$m=64,t=1,p=1$XLiWf5+mUhugWXfjKgp1Gw$y6PpbFq1ygTHTUJO8K7rkYyyyzKbGb1NSUQH/4nlVCw"
    ),
    "argon2i": (
        "$argon2i$v=19$m=64,t=1,p=1$qUtTt9k559NnNNmpw5WTOw$/HksygOhS6mC45FS0sUPrJzCB7RwQvHFekz9mTIK8b4"
    ),
    "django argon2": (
        "argon2$argon2id$v=19$m=64,t=1,p=2$NW5rcnB6SktUSDdDemM2VmF2Y3FQSA"
        "$kWi2d75BTuo/jnETShr678lVc+hOjhxDIwCYOoijptY"
    ),
}
"""Hashes of `PASSWORD`, made by bcrypt 5.0, Django 5.2, passlib 1.7 and argon2-cffi 25.1 themselves."""

OURS = "$argon2id$v=19$m=19456,t=2,p=1$"


def stored(email: str = EMAIL) -> Account:
    account = accounts.find_by_email(email)
    assert account
    return account


@pytest.fixture
def imported(deployment: Deployment) -> Callable[[str], Account]:
    """Return how an account gets a hash of another system."""

    def add(password_hash: str) -> Account:
        account = accounts.add(EMAIL, None)
        account.password_hash = password_hash
        account.write()
        return account

    return add


def sign_in(password: str = PASSWORD) -> str | None:
    return sessions.sign_in(EMAIL, password, ADDRESS)


@pytest.mark.parametrize("password_hash", HASHES.values(), ids=HASHES)
def test_a_foreign_hash_matches_its_password_and_no_other(password_hash: str) -> None:
    assert passwords.verify_password(password_hash, PASSWORD)
    for other in ("correct horsf", "Correct horse", "correct horse ", "correct hors", ""):
        assert not passwords.verify_password(password_hash, other)


@pytest.mark.parametrize("password_hash", HASHES.values(), ids=HASHES)
def test_the_first_sign_in_replaces_it_and_the_next_one_uses_our_own(
    imported: Callable[[str], Account], password_hash: str
) -> None:
    imported(password_hash)
    assert sign_in()
    upgraded = stored().password_hash
    assert upgraded.startswith(OURS)
    assert sign_in()
    assert not sign_in("correct horsf")
    assert stored().password_hash == upgraded


def test_a_short_password_of_another_system_is_good_enough_to_go_on(
    imported: Callable[[str], Account],
) -> None:
    imported(bcrypt.hashpw(b"short", bcrypt.gensalt(4)).decode())
    assert sign_in("short")
    assert stored().password_hash.startswith(OURS)
    assert sign_in("short")


def test_a_wrong_password_replaces_nothing(imported: Callable[[str], Account]) -> None:
    imported(BCRYPT)
    assert not sign_in("correct horsf")
    assert stored().password_hash == BCRYPT


def test_a_disabled_account_gets_neither_in_nor_another_hash(imported: Callable[[str], Account]) -> None:
    accounts.disable(imported(BCRYPT))
    assert not sign_in()
    assert stored().password_hash == BCRYPT


def test_replacing_the_hash_ends_no_session(imported: Callable[[str], Account]) -> None:
    account = imported(BCRYPT)
    before = sessions.start(account, "password")
    first = sign_in()
    assert stored().epoch == account.epoch
    assert sessions.find(before)
    assert sessions.find(first)


def test_our_own_hash_stays_as_it_is(deployment: Deployment) -> None:
    deployment.add_account()
    before = stored()
    assert sign_in()
    assert stored().revision == before.revision


@pytest.mark.parametrize("fault", [*FAULTS.values(), CONFLICT], ids=[*FAULTS, "conflict"])
def test_signing_in_works_though_the_new_hash_cannot_be_stored(
    imported: Callable[[str], Account], fault: Fault, log: Log
) -> None:
    imported(BCRYPT)
    actual = Account.write

    def write(account: Account) -> None:
        with storage_fails(fault):
            actual(account)

    with mock.patch.object(Account, "write", write):
        session = sign_in()
    assert sessions.find(session)
    assert stored().password_hash == BCRYPT
    assert log.event("password.not_upgraded")["user_id"]
    assert EMAIL not in log.text


def test_a_new_hash_whose_answer_got_lost_is_there(imported: Callable[[str], Account]) -> None:
    imported(BCRYPT)
    actual = Account.write

    def write(account: Account) -> None:
        with answer_gets_lost("PutItem") as lost:
            actual(account)
        assert lost

    with mock.patch.object(Account, "write", write):
        assert sign_in()
    assert stored().password_hash.startswith(OURS)


def test_a_password_that_was_set_meanwhile_is_not_overwritten(imported: Callable[[str], Account]) -> None:
    imported(BCRYPT)
    actual = passwords.upgrade

    def upgrade(password_hash: str | None, password: str) -> str | None:
        accounts.set_password(stored(), "the new password")
        return actual(password_hash, password)

    with mock.patch.object(passwords, "upgrade", upgrade):
        session = sign_in()
    assert passwords.verify_password(stored().password_hash, "the new password")
    assert sessions.find(session) is None  # The new password ended it, as all others.


def test_an_account_that_was_disabled_meanwhile_stays_so(imported: Callable[[str], Account]) -> None:
    imported(BCRYPT)
    with meanwhile("DeleteItem", lambda: accounts.disable(stored())):
        session = sign_in()
    assert stored().disabled_at
    assert stored().password_hash == BCRYPT
    assert sessions.find(session) is None


def test_replacing_takes_one_request_more(imported: Callable[[str], Account]) -> None:
    imported(BCRYPT)
    with count_requests() as first:
        assert sign_in()
    with count_requests() as second:
        assert sign_in()
    assert first - second == {"PutItem": 1}


# What bcrypt does not look at


def test_bcrypt_looks_at_72_bytes_and_keeps_its_hash_where_more_was_typed(
    imported: Callable[[str], Account],
) -> None:
    hashed = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()
    imported(hashed)
    assert sign_in("x" * 72 + "what was typed behind may be wrong")
    assert stored().password_hash == hashed
    assert sign_in("x" * 72)
    assert stored().password_hash.startswith(OURS)
    assert not sign_in("x" * 72 + "what was typed behind may be wrong")


def test_the_72_bytes_may_end_within_a_character() -> None:
    password = "x" * 71 + "é"
    hashed = bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4)).decode()
    assert passwords.verify_password(hashed, password)


# What a stranger can make of it


@pytest.mark.parametrize("password_hash", [*HASHES.values(), "garbage"], ids=[*HASHES, "garbage"])
def test_our_own_work_is_done_whatever_is_stored(password_hash: str) -> None:
    for password in (PASSWORD, "wrong"):
        with mock.patch.object(passwords, "_hasher", mock.Mock(wraps=passwords._hasher)) as hasher:
            passwords.verify_password(password_hash, password)
        assert hasher.verify.call_args_list == [mock.call(passwords._NOBODYS, password)]


ARGON2 = "$argon2id$v=19$m={},t={},p={}$XLiWf5+mUhugWXfjKgp1Gw$y6PpbFq1ygTHTUJO8K7rkYyyyzKbGb1NSUQH/4nlVCw"
DJANGO = "pbkdf2_{}${}$saltsaltsalt${}"
SHA1, SHA256 = "JfNU29qvQkW1UgahO6OQ0oP6O0I=", "F7o7+5VTVzFAO998X6s3AHrDsJVdMiIlgndIMe19NvY="

TOO_COSTLY = {
    "bcrypt cost": BCRYPT.replace("$04$", "$14$"),
    "bcrypt cost in django": "bcrypt$" + BCRYPT.replace("$04$", "$31$"),
    "iterations of sha256": DJANGO.format("sha256", 2_000_001, SHA256),
    "iterations of sha1": DJANGO.format("sha1", 999_999_999, SHA1),
    "iterations of sha512": HASHES["passlib pbkdf2-sha512"].replace("$1000$", "$1000001$"),
    "argon2 memory": ARGON2.format(131073, 1, 1),
    "argon2 work": ARGON2.format(131072, 5, 1),
    "argon2 passes": ARGON2.format(64, 8193, 1),
    "argon2 threads": ARGON2.format(1024, 1, 17),
}


@pytest.mark.parametrize("password_hash", TOO_COSTLY.values(), ids=TOO_COSTLY)
def test_a_hash_that_costs_too_much_is_neither_accepted_nor_tried(password_hash: str) -> None:
    with pytest.raises(UnacceptableHash, match="it must be"):
        foreign_hashes.parse(password_hash)
    with (
        mock.patch("hashlib.pbkdf2_hmac") as pbkdf2,
        mock.patch("bcrypt.checkpw") as checkpw,
        mock.patch.object(foreign_hashes.Argon2, "verify") as argon2,
    ):
        assert not passwords.verify_password(password_hash, PASSWORD)
    assert not any(verifier.called for verifier in (pbkdf2, checkpw, argon2))


DEAREST = {
    "bcrypt": BCRYPT.replace("$04$", "$13$"),
    "sha256": DJANGO.format("sha256", 2_000_000, SHA256),
    "argon2": ARGON2.format(131072, 4, 16),
    "django's argon2": ARGON2.format(102400, 2, 8),
    "django's pbkdf2": DJANGO.format("sha256", 1_200_000, SHA256),
}


@pytest.mark.parametrize("password_hash", DEAREST.values(), ids=DEAREST)
def test_what_other_systems_use_is_within_the_bounds(password_hash: str) -> None:
    foreign_hashes.parse(password_hash)


UNKNOWN = {
    "garbage": "garbage",
    "nothing": "",
    "plain md5": "5f4dcc3b5aa765d61d8327deb882cf99",
    "unusable in django": "!Gb2Yd7uHcXrMtR",
    "broken bcrypt variant": BCRYPT.replace("2b", "2x"),
    "bcrypt too short": BCRYPT[:-1],
    "bcrypt with more": BCRYPT + "\n",
    "bcrypt salt that is none": BCRYPT[:28] + "f" + BCRYPT[29:],
    "bcrypt cost too low": BCRYPT.replace("$04$", "$03$"),
    "no iterations": DJANGO.format("sha256", 0, SHA256),
    "sha1 as long as sha256": DJANGO.format("sha1", 1000, SHA256),
    "sha256 as long as sha1": DJANGO.format("sha256", 1000, SHA1),
    "no base64": DJANGO.format("sha256", 1000, "=a=b"),
    "no salt": DJANGO.format("sha256", 1000, SHA256).replace("saltsaltsalt", ""),
    "argon2d": ARGON2.format(64, 1, 1).replace("2id", "2d"),
    "argon2 of another version": ARGON2.format(64, 1, 1).replace("19", "16"),
    "argon2 without memory": ARGON2.format(0, 1, 1),
    "argon2 with too little memory": ARGON2.format(63, 1, 8),
    "argon2 without threads": ARGON2.format(64, 1, 0),
    "argon2 without passes": ARGON2.format(64, 0, 1),
    "argon2 hash of no length": ARGON2.format(64, 1, 1)[:-42],
    "digits of another script": BCRYPT.replace("04", "٠٤"),
}


@pytest.mark.parametrize("password_hash", UNKNOWN.values(), ids=UNKNOWN)
def test_what_is_not_understood_is_not_accepted_and_matches_nothing(password_hash: str) -> None:
    with pytest.raises(UnacceptableHash):
        foreign_hashes.parse(password_hash)
    assert not passwords.verify_password(password_hash, PASSWORD)


def test_the_reason_does_not_repeat_the_hash() -> None:
    for text in (*TOO_COSTLY.values(), *UNKNOWN.values()):
        with pytest.raises(UnacceptableHash) as refused:
            foreign_hashes.parse(text)
        assert len(text) < 10 or text[-10:] not in str(refused.value)
