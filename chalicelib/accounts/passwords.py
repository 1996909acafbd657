"""Passwords: argon2id, for people's passwords alone (RFC 9106; OWASP's minimum for small machines)."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

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
    """Check a password; the same work where there is no hash."""
    try:
        return _hasher.verify(password_hash or _NOBODYS, password[: MAX_LENGTH + 1]) and bool(password_hash)
    except (VerificationError, InvalidHashError):
        return False
