"""Applications in a file: to move them between stages, to keep a copy, to bring them from another system.

A JSON array of objects. Names are those of RFC 7591 section 2, and our own: `description`,
`may_introspect`, `owner` (an e-mail address), `secret_hashes`, and the times `created_at`,
`verified_at`, `disabled_at` and `consents_since`.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from chalicelib import clock
from chalicelib.accounts import accounts
from chalicelib.models.client import Client, ClientSecret
from chalicelib.models.user import Account
from chalicelib.oauth import credentials, registration
from chalicelib.oauth.client_metadata import ClientMetadata, InvalidClientMetadata
from management.output import when

METADATA = (
    "client_name",
    "description",
    "client_uri",
    "application_type",
    "redirect_uris",
    "grant_types",
    "scope",
    "token_endpoint_auth_method",
    "jwks",
    "may_introspect",
)
TIMES = ("created_at", "verified_at", "disabled_at", "consents_since")
MEMBERS = {"client_id", *METADATA, "owner", "client_secret", "secret_hashes", *TIMES}
SHORTEST_SECRET, LONGEST_SECRET = 16, 1000
"""Characters, of a secret from another system. Ours are longer than the shortest."""
MAX_SECRETS = 2
"""As many are valid while a rotation lasts."""

_CLIENT_ID = re.compile(r"[\x20-\x22\x24-\x7E]{1,128}")
"""As RFC 6749 appendix A.1 has it, less the '#' that separates it from other things in our keys."""
_HASH = re.compile(r"[A-Za-z0-9_-]{43}")


class BadEntry(ValueError):
    """An entry that cannot be imported; the message says why."""


def entries(clients: Iterable[Client]) -> list[dict[str, Any]]:
    """Describe applications, so that they can be imported and keep working. No secret is in the clear."""
    clients = sorted(clients, key=lambda client: str(client.client_id))
    owners = {(client.owner, Account.ITEM) for client in clients if client.owner is not None}
    emails = {account.user_id: account.email for account in Account.batch_get(owners)}
    return [_entry(client, emails.get(client.owner)) for client in clients]


def _entry(client: Client, owner: str | None) -> dict[str, Any]:
    entry: dict[str, Any] = {"client_id": client.client_id}
    entry |= {name: getattr(client, name) for name in METADATA}
    entry |= {name: when(getattr(client, name)) for name in TIMES}
    entry["jwks"] = json.loads(client.jwks) if client.jwks else None
    entry["owner"] = owner
    if client.has_secret:
        entry["secret_hashes"] = [
            {
                "hash": secret.hash,
                "created_at": when(secret.created_at),
                "expires_at": when(secret.expires_at),
            }
            for secret in client.secrets
        ]
    return {name: value for name, value in entry.items() if value is not None}


def parse(text: str) -> list[Any]:
    """Return the entries of a file.

    Raises:
        BadEntry: it is no JSON array.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadEntry(f"the file is not JSON: {error}") from None
    if not isinstance(found, list):
        raise BadEntry("the file is not a JSON array of applications")
    return found


def read(entry: Any) -> Client:
    """Return the application that an entry describes, in memory.

    Raises:
        BadEntry: it does not describe one that can be registered here.
    """
    if not isinstance(entry, dict):
        raise BadEntry("it is not a JSON object")
    unknown = entry.keys() - MEMBERS
    if unknown:
        raise BadEntry(f"unknown members: {', '.join(sorted(map(repr, unknown)))}")
    client_id = _member(entry, "client_id", str, "")
    if not _CLIENT_ID.fullmatch(client_id):
        raise BadEntry("the client_id needs 1 to 128 printable ASCII characters, and none of them a '#'")
    try:
        client = registration.prepare(_metadata(entry), client_id, _owner(entry))
    except InvalidClientMetadata as error:
        raise BadEntry(str(error)) from None
    for name in TIMES:
        time = _time(entry, name)
        if time is not None and time > clock.now():
            raise BadEntry(f"{name} is in the future")
        setattr(client, name, time)
    client.created_at = client.created_at or clock.now()
    client.secrets = _secrets(entry, client)
    return client


def _metadata(entry: Mapping[str, Any]) -> ClientMetadata:
    jwks = _member(entry, "jwks", dict, None)
    return ClientMetadata(
        client_name=_member(entry, "client_name", str, ""),
        description=_member(entry, "description", str, None),
        client_uri=_member(entry, "client_uri", str, None),
        application_type=_member(entry, "application_type", str, None),
        redirect_uris=_texts(entry, "redirect_uris", ()),
        grant_types=_texts(entry, "grant_types", ("authorization_code",)),
        scope=_member(entry, "scope", str, ""),
        token_endpoint_auth_method=_member(entry, "token_endpoint_auth_method", str, None),
        jwks=json.dumps(jwks) if jwks is not None else None,
        may_introspect=_member(entry, "may_introspect", bool, False),
    )


def _owner(entry: Mapping[str, Any]) -> str | None:
    email = _member(entry, "owner", str, None)
    if email is None:
        return None
    account = accounts.find_by_email(email) if email.isprintable() else None
    if account is None:
        raise BadEntry(f"there is no account {email!r}, the owner")
    return str(account.user_id)


def _secrets(entry: Mapping[str, Any], client: Client) -> list[ClientSecret]:
    secret = _member(entry, "client_secret", str, None)
    hashes = _member(entry, "secret_hashes", list, None)
    if not client.has_secret:
        if secret or hashes:
            raise BadEntry("it has a secret, and authenticates without")
        return []
    if (secret is None) == (hashes is None):
        raise BadEntry(
            "either client_secret or secret_hashes is needed;"
            " with an empty list `client rotate-secret` can give it one"
        )
    if secret is not None:
        if not SHORTEST_SECRET <= len(secret) <= LONGEST_SECRET or not secret.isprintable():
            raise BadEntry(
                f"the client_secret needs {SHORTEST_SECRET} to {LONGEST_SECRET} printable characters"
            )
        return [ClientSecret(hash=credentials.digest(secret), created_at=clock.now())]
    if len(hashes) > MAX_SECRETS:
        raise BadEntry(f"there are more than {MAX_SECRETS} secret_hashes")
    return list(map(_hashed_secret, hashes))


def _hashed_secret(entry: Any) -> ClientSecret:
    if not isinstance(entry, dict) or entry.keys() - {"hash", "created_at", "expires_at"}:
        raise BadEntry("each of secret_hashes is an object of hash, created_at and expires_at")
    hashed = _member(entry, "hash", str, "")
    if not _HASH.fullmatch(hashed):
        raise BadEntry("the hash of a secret is its SHA-256 in base64url: 43 characters")
    created_at = _time(entry, "created_at") or clock.now()
    return ClientSecret(hash=hashed, created_at=created_at, expires_at=_time(entry, "expires_at"))


def _member(entry: Mapping[str, Any], name: str, kind: type[Any], default: Any) -> Any:
    value = entry.get(name)
    if value is None:
        return default
    if not isinstance(value, kind):
        kinds = {str: "text", bool: "true or false", list: "an array", dict: "an object"}
        raise BadEntry(f"{name} must be {kinds[kind]}")
    return value


def _texts(entry: Mapping[str, Any], name: str, default: Sequence[str]) -> Sequence[str]:
    texts: Sequence[str] = _member(entry, name, list, default)
    if not all(isinstance(text, str) for text in texts):
        raise BadEntry(f"{name} must be an array of texts")
    return texts


def _time(entry: Mapping[str, Any], name: str) -> int | None:
    text = _member(entry, name, str, None)
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            raise ValueError
        return int(time.timestamp())
    except (ValueError, OverflowError):
        raise BadEntry(f"{name} must be a time as 2026-01-31T12:00:00+00:00") from None


def check(clients: Sequence[Client], known: Mapping[str, Client], if_exists: str) -> dict[int, str]:
    """Return what keeps applications from being stored: by their number in the file, the reason.

    Args:
        clients: what the file describes.
        known: those of them that are there, by their ids.
        if_exists: `skip`, `replace` or `fail`.
    """
    problems, numbers = {}, dict[str, int]()
    for number, client in enumerate(clients, start=1):
        there = known.get(client.client_id)
        if client.client_id in numbers:
            problems[number] = f"it has the client_id of entry {numbers[client.client_id]}"
        elif there and if_exists == "fail":
            problems[number] = f"there is an application {client.client_id}"
        elif there and if_exists == "replace" and client.disabled_at and not there.disabled_at:
            problems[number] = "it is disabled, and enabled here; `client disable` revokes its grants too"
        numbers.setdefault(client.client_id, number)
    return problems


def replace(there: Client, client: Client) -> None:
    """Put an application in the place of the one that has its id. What that was granted stays.

    Raises:
        Conflict: somebody else changed it since it was read.
    """
    client.revision = there.revision
    forgotten = [client.consents_since, there.consents_since]
    if there.disabled_at and not client.disabled_at:
        forgotten.append(clock.now())
    client.consents_since = max((time for time in forgotten if time is not None), default=None)
    registration.store(client, former_owner=there.owner)
