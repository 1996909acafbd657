"""The form of what the server hands out: codes, tokens, secrets, and how they are stored.

Every credential is 40 characters. The first four say what it is, so that people and secret
scanners recognise a leak. A code or token goes on with the id of its grant, so that one read
finds it, and ends in at least 128 random bits. Only SHA-256 hashes are stored: for random
values a slow hash adds cost and no safety.
"""

import hashlib
import hmac
import re
import secrets
import string
from base64 import urlsafe_b64encode
from enum import StrEnum

ALPHABET = string.digits + string.ascii_letters
_PAIRS = [low + high for high in ALPHABET for low in ALPHABET]
_LETTERS = bytes(ord(ALPHABET[byte % len(ALPHABET)]) for byte in range(256))
_UNEVEN = bytes(range(256 - 256 % len(ALPHABET), 256))
"""Bytes that would make the first letters likelier than the others."""
LENGTH = 40
GRANT_ID_LENGTH = 8
_TAG_LENGTH = 6
_REFRESH_SECRET_LENGTH = LENGTH - 4 - GRANT_ID_LENGTH - _TAG_LENGTH
SECRET_LENGTH = 22
"""Characters: 131 bits."""
CLIENT_ID_LENGTH = USER_ID_LENGTH = 16


class Kind(StrEnum):
    """What a credential is, by its first four characters."""

    ACCESS_TOKEN = "oat_"
    AUTHORIZATION_CODE = "oac_"
    REFRESH_TOKEN = "ort_"
    DEVICE_CODE = "odc_"
    CLIENT_SECRET = "ocs_"
    SESSION = "obs_"


_OF_GRANT = re.compile(r"(oat_|oac_|ort_|odc_)[0-9A-Za-z]{36}")


def random_text(length: int) -> str:
    """Return random letters and digits: 5.95 bits each."""
    text = b""
    while len(text) < length:
        text += secrets.token_bytes(2 * length).translate(_LETTERS, delete=_UNEVEN)
    return text[:length].decode()


def derived_id(key: str, name: str) -> str:
    """Return the id of a client: the same for the same name, and random for who lacks the key.

    Args:
        key: a credential.
        name: what the id is for.
    """
    return _keyed_text(key, f"client_id {name}", CLIENT_ID_LENGTH)


def new(kind: Kind, grant_id: str = "") -> str:
    """Make a credential. Codes and tokens name the grant that they belong to."""
    return kind + grant_id + random_text(LENGTH - len(kind) - len(grant_id))


def new_refresh_token(grant_id: str, tag_key: str) -> str:
    """Make a refresh token. It ends in a tag, by which its grant recognises what it once issued."""
    return _tagged(Kind.REFRESH_TOKEN + grant_id + random_text(_REFRESH_SECRET_LENGTH), tag_key)


def was_issued(refresh_token: str, tag_key: str) -> bool:
    """Tell whether a refresh token was really issued under `tag_key`, however long ago."""
    return hmac.compare_digest(_tagged(refresh_token[:-_TAG_LENGTH], tag_key), refresh_token)


def successor(kind: Kind, credential: str, seed: str, tag_key: str) -> str:
    """Derive what a refresh token or a device code is exchanged for: the same each time it is asked.

    So a client whose answer got lost is told again what it was told, and nothing but hashes need
    be stored. It takes both the credential, which only the client has, and the seed, which only
    the table has, to derive it.
    """
    grant_id = credential[len(Kind.REFRESH_TOKEN) :][:GRANT_ID_LENGTH]
    if kind is Kind.REFRESH_TOKEN:
        secret = _keyed_text(credential, kind + seed, _REFRESH_SECRET_LENGTH)
        return _tagged(kind + grant_id + secret, tag_key)
    return kind + grant_id + _keyed_text(credential, kind + seed, LENGTH - len(kind + grant_id))


def _tagged(text: str, tag_key: str) -> str:
    return text + _keyed_text(tag_key, text, _TAG_LENGTH)


def _keyed_text(key: str, message: str, length: int) -> str:
    """Return letters and digits that only who has the key can tell (HMAC-SHA256)."""
    return _written(int.from_bytes(hmac.digest(key.encode(), message.encode(), "sha256")), length)


def _written(number: int, length: int) -> str:
    """Return the last digits of a number, in the base that has as many as there are letters and digits."""
    text = ""
    while len(text) < length:  # Two at a time: half as many divisions of a large number.
        number, position = divmod(number, len(_PAIRS))
        text += _PAIRS[position]
    return text[:length]


def grant_id_of(text: str, kind: Kind) -> str | None:
    """Return the id of the grant that a code or token names, or None if it is no such thing."""
    if not _OF_GRANT.fullmatch(text) or not text.startswith(kind):
        return None
    return text[len(kind) :][:GRANT_ID_LENGTH]


def kind_of(text: str) -> Kind | None:
    """Tell a code from the tokens; None for what is none of them."""
    return Kind(text[:4]) if _OF_GRANT.fullmatch(text) else None


def digest(credential: str) -> str:
    """Return what is stored instead of a credential: its SHA-256, base64url without padding."""
    hashed = hashlib.sha256(credential.encode()).digest()
    return urlsafe_b64encode(hashed).rstrip(b"=").decode()


def matches(credential: str, stored: str) -> bool:
    """Compare a credential with a stored `digest`, in constant time."""
    return hmac.compare_digest(digest(credential), stored)
