"""Passwords: argon2id, for people's passwords alone (RFC 9106; OWASP's minimum for small machines)."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from chalicelib.accounts import foreign_hashes
from chalicelib.accounts.foreign_hashes import UnacceptableHash

MIN_LENGTH, MAX_LENGTH = 8, 1000
"""Characters (NIST SP 800-63B section 3.1.1)."""

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

_NOBODYS = "$argon2id$v=19$m=19456,t=2,p=1$c29tZWJvZHkgZWxzZSdzIQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
"""The hash of no password. Costs as much to verify as a real one."""


class UnacceptablePassword(ValueError):
    """A password that may not be set; the message says why."""


def require_acceptable(password: str) -> None:
    """Check whether a password may be set.

    Raises:
        UnacceptablePassword: too short or too long.
    """
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise UnacceptablePassword(f"a password has {MIN_LENGTH} to {MAX_LENGTH} characters")


def hash_password(password: str) -> str:
    """Return the argon2id hash of a new password.

    Raises:
        UnacceptablePassword: too short or too long.
    """
    require_acceptable(password)
    return _hasher.hash(password)


def verify_password(password_hash: str | None, password: str) -> bool:
    """Check a password; the same work where there is no hash. One of another system adds its own."""
    password = password[: MAX_LENGTH + 1]
    own = password_hash if _is_ours(password_hash) else None
    try:
        matching = _hasher.verify(own or _NOBODYS, password) and own is not None
    except VerificationError:
        matching = False
    if not password_hash or own is not None:
        return matching
    try:
        return foreign_hashes.parse(password_hash).verify(password)
    except UnacceptableHash:
        return False


def upgrade(password_hash: str | None, password: str) -> str | None:
    """Return our own hash of a password, in place of another system's that it matched.

    Returns:
        None if the hash may stay as it is, or has to: bcrypt proves nothing about what comes
        after 72 bytes, where somebody may have mistyped.
    """
    if not password_hash or _is_ours(password_hash):
        return None
    if not foreign_hashes.parse(password_hash).proves(password):
        return None
    return _hasher.hash(password[: MAX_LENGTH + 1])


def _is_ours(password_hash: str | None) -> bool:
    """Tell whether a hash is argon2id in the parameters that new ones have."""
    try:
        return bool(password_hash) and not _hasher.check_needs_rehash(password_hash or "")
    except InvalidHashError:
        return False
