"""Password hashes that other systems made. Each serves until its owner signs in once.

bcrypt, PBKDF2 and argon2, as crypt(3), PHP, passlib and Django write them. What a hash may cost to
verify is bounded, so that no account takes the server's time or memory.
"""

import hashlib
import hmac
import re
from base64 import b64decode
from dataclasses import dataclass

MAX_BCRYPT_COST = 13
MAX_ITERATIONS = {"sha1": 2_000_000, "sha256": 2_000_000, "sha512": 1_000_000}
MAX_ARGON2_MEMORY, MAX_ARGON2_WORK, MAX_ARGON2_LANES = 128 * 1024, 512 * 1024, 16
"""KiB; KiB times passes; threads. Each of these bounds is about a second on one core."""

BCRYPT_LENGTH = 72
"""Bytes: bcrypt looks at no more of a password."""

_BCRYPT = re.compile(
    r"(?:bcrypt\$|(bcrypt_sha256)\$)?(\$2[aby]\$([0-9]{2})\$[./0-9A-Za-z]{21}[.Oeu][./0-9A-Za-z]{31})"
)
_PBKDF2_OF_DJANGO = re.compile(r"pbkdf2_(sha1|sha256)\$([0-9]{1,9})\$([^$]{1,128})\$([0-9A-Za-z+/=]{1,100})")
_PBKDF2_OF_PASSLIB = re.compile(
    r"\$pbkdf2-(sha256|sha512)\$([0-9]{1,9})\$([0-9A-Za-z./]{1,128})\$([0-9A-Za-z./]{1,100})"
)
_ARGON2 = re.compile(
    r"(?:argon2)?(\$argon2id?\$v=19\$m=([0-9]{1,9}),t=([0-9]{1,9}),p=([0-9]{1,9})"
    r"\$([0-9A-Za-z+/]{11,86})\$([0-9A-Za-z+/]{22,86}))"
)


class UnacceptableHash(ValueError):
    """A password hash that is not understood, or would cost too much; the message says why."""


@dataclass(frozen=True)
class Bcrypt:
    """A bcrypt hash; in Django's `bcrypt_sha256`, of the password's SHA-256 in hexadecimal digits."""

    text: str
    of_sha256: bool

    def verify(self, password: str) -> bool:
        """Check a password."""
        import bcrypt

        secret = password.encode()
        if self.of_sha256:
            secret = hashlib.sha256(secret).hexdigest().encode()
        return bcrypt.checkpw(secret[:BCRYPT_LENGTH], self.text.encode())

    def proves(self, password: str) -> bool:
        """Tell whether all of a password that matches was looked at."""
        return self.of_sha256 or len(password.encode()) <= BCRYPT_LENGTH


@dataclass(frozen=True)
class PBKDF2:
    """A PBKDF2-HMAC hash (RFC 8018)."""

    algorithm: str
    iterations: int
    salt: bytes
    digest: bytes

    def verify(self, password: str) -> bool:
        """Check a password."""
        digest = hashlib.pbkdf2_hmac(self.algorithm, password.encode(), self.salt, self.iterations)
        return hmac.compare_digest(digest, self.digest)

    def proves(self, password: str) -> bool:
        """Tell whether all of a password that matches was looked at."""
        return True


@dataclass(frozen=True)
class Argon2:
    """An argon2id or argon2i hash (RFC 9106), which tells its own parameters."""

    text: str

    def verify(self, password: str) -> bool:
        """Check a password."""
        from argon2 import PasswordHasher
        from argon2.exceptions import VerificationError

        try:
            return PasswordHasher().verify(self.text, password)
        except VerificationError:
            return False

    def proves(self, password: str) -> bool:
        """Tell whether all of a password that matches was looked at."""
        return True


ForeignHash = Bcrypt | PBKDF2 | Argon2


def parse(text: str) -> ForeignHash:
    """Read a password hash.

    Raises:
        UnacceptableHash: it is in no format that is known here, or out of bounds.
    """
    if matched := _BCRYPT.fullmatch(text):
        return _bcrypt(matched)
    if matched := _PBKDF2_OF_DJANGO.fullmatch(text):
        return _pbkdf2(matched, matched[3].encode(), _decode(matched[4]))
    if matched := _PBKDF2_OF_PASSLIB.fullmatch(text):
        salt, digest = (_decode(part.replace(".", "+")) for part in matched.group(3, 4))
        return _pbkdf2(matched, salt, digest)
    if matched := _ARGON2.fullmatch(text):
        return _argon2(matched)
    raise UnacceptableHash("the password hash is neither bcrypt, PBKDF2 nor argon2 as it is known here")


def _bcrypt(matched: re.Match[str]) -> Bcrypt:
    _require("bcrypt's cost", int(matched[3]), 4, MAX_BCRYPT_COST)
    return Bcrypt(matched[2], of_sha256=matched[1] is not None)


def _pbkdf2(matched: re.Match[str], salt: bytes, digest: bytes) -> PBKDF2:
    algorithm, iterations = matched[1], int(matched[2])
    _require("PBKDF2's number of iterations", iterations, 1, MAX_ITERATIONS[algorithm])
    if len(digest) != hashlib.new(algorithm).digest_size:
        raise UnacceptableHash(f"the password hash has not the length of {algorithm}")
    return PBKDF2(algorithm, iterations, salt, digest)


def _argon2(matched: re.Match[str]) -> Argon2:
    memory, passes, lanes = (int(number) for number in matched.group(2, 3, 4))
    _require("argon2's number of threads", lanes, 1, MAX_ARGON2_LANES)
    _require("argon2's memory in KiB", memory, 8 * lanes, MAX_ARGON2_MEMORY)
    _require("argon2's number of passes over so much memory", passes, 1, MAX_ARGON2_WORK // memory)
    for part in matched.group(5, 6):
        _decode(part)
    return Argon2(matched[1])


def _require(name: str, number: int, minimum: int, maximum: int) -> None:
    if not minimum <= number <= maximum:
        raise UnacceptableHash(f"{name} is {number}; it must be {minimum} to {maximum}")


def _decode(text: str) -> bytes:
    """Decode base64, whether it is padded or not."""
    unpadded = text.rstrip("=")
    try:
        return b64decode(unpadded + "=" * (-len(unpadded) % 4), validate=True)
    except ValueError:
        raise UnacceptableHash("the password hash is not valid base64") from None
