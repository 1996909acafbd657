"""The rows of a stage, as they are moved: what is well-formed, what is over, what leads to what."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from chalicelib import clock
from chalicelib.models.audit import AuditRecord
from chalicelib.models.client import Client
from chalicelib.models.grant import Grant
from chalicelib.models.session import SessionRow, UserCode
from chalicelib.models.table import TTL_ATTRIBUTE, Row, Table
from chalicelib.models.user import (
    Account,
    Consent,
    EmailAddress,
    Identity,
    UserApplication,
    UserGrant,
    UserRow,
)
from chalicelib.settings import settings
from management.infrastructure.tables import EXPIRING, TABLES

Item = dict[str, dict[str, Any]]
"""A row as DynamoDB has it: each attribute with its type."""

GRANTED = ("grant", "consent")
"""The kinds of rows that carry the epoch of their account."""


class BadRow(ValueError):
    """A row that no table of ours can have; the message says why."""


@dataclass(frozen=True)
class Need:
    """What has to be there for a row to mean something."""

    fact: str
    """As `facts` of another row has it."""
    table: str
    """Where that row is."""
    remedy: Table | None = None
    """The row that is added if it is missing. None: the row that needs it is left out."""


def read(kind: str, item: Any) -> Table:
    """Return a row as its model has it, if it is exactly what the model would store.

    Args:
        kind: which table it is in, as `TABLES` names it.
        item: the attributes, each with its type.

    Raises:
        BadRow: it is not.
    """
    model = TABLES.get(kind)
    if model is None:
        raise BadRow(f"there is no table {kind!r}")
    try:
        row = model.from_raw_data(item)
        stored = row.serialize(null_check=True)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise BadRow(f"no row of {kind}: {error}") from None
    unknown = sorted(item.keys() - stored.keys())
    if unknown:
        raise BadRow(f"{kind} has no attribute {', '.join(map(repr, unknown))}")
    different = sorted(name for name, value in item.items() if stored[name] != value)
    if different:
        raise BadRow(f"{', '.join(different)} would be stored in another form")
    if not _is_in_its_place(row):
        raise BadRow(f"a row of the kind {name(row)} has another key")
    return row


def granted_before(kind: str, item: Item) -> Item:
    """Return a row as it is stored in another place.

    What a user granted ends with the next new password, whatever its epoch was: that says something
    beside the account of its own place alone, and there may be another one here.
    """
    if kind == "users" and item["kind"]["S"] in GRANTED:
        return item | {"epoch": {"N": "0"}}
    return item


def name(row: Table) -> str:
    """Return what kind of row it is."""
    return _name(type(row))


@cache
def _name(model: type[Table]) -> str:
    discriminator = model._get_discriminator_attribute()
    if discriminator is not None:
        return str(discriminator.get_discriminator(model))
    return next(kind for kind, table in TABLES.items() if table is model).rstrip("s")


def key(kind: str, row: Table) -> tuple[str, ...]:
    """Return what there may be one row of: its table, and its key."""
    hash_key, range_key = row._get_hash_range_key_serialized_values()
    return (kind, hash_key) if range_key is None else (kind, hash_key, range_key)


@cache
def key_attributes(kind: str) -> list[tuple[str, str]]:
    """Return the names of the attributes that are the key of a table, and their types, as `key` has them."""
    schema = TABLES[kind]._get_schema()
    types = {
        attribute["AttributeName"]: attribute["AttributeType"]
        for attribute in schema["attribute_definitions"]
    }
    names = [part["AttributeName"] for part in schema["key_schema"] if part["KeyType"] == "HASH"]
    names += [part["AttributeName"] for part in schema["key_schema"] if part["KeyType"] == "RANGE"]
    return [(name, types[name]) for name in names]


def is_over(row: Table) -> bool:
    """Whether DynamoDB may have deleted a row by now (TTL)."""
    ends_at = getattr(row, TTL_ATTRIBUTE, None)
    return isinstance(row, EXPIRING) and ends_at is not None and ends_at <= clock.now()


def _is_in_its_place(row: Table) -> bool:
    """Whether the key is what the rest of the row makes it."""
    match row:
        case Account() | EmailAddress() | Identity():
            return bool(row.item == row.ITEM)
        case Consent():
            return bool(row.item == Consent.item_of(row.client_id))
        case UserGrant():
            return bool(row.item == UserGrant.items_of(row.client_id) + row.grant_id)
        case UserApplication():
            return bool(row.item == UserApplication.item_of(row.client_id))
        case SessionRow():
            return bool(row.key.startswith(f"{name(row)}#"))
    return not isinstance(row, UserRow)


def facts(row: Table) -> Iterator[str]:
    """Yield what a row tells that others rely on."""
    match row:
        case Account():
            yield f"account {row.user_id}"
            yield f"account {row.user_id} has address {row.email}"
            yield f"account {row.user_id} has identity {row.identity}"
        case EmailAddress() | Identity():
            yield f"{name(row)} {row.user_id} of {row.account_id}"
        case UserGrant():
            yield f"pointer from {row.user_id} to grant {row.grant_id}"
        case UserApplication():
            yield f"pointer from {row.user_id} to client {row.client_id}"
        case Grant():
            yield f"grant {row.grant_id}"
        case Client():
            yield f"client {row.client_id} of {row.owner}"


def needs(row: Table) -> Iterator[Need]:
    """Yield what has to be there beside a row.

    What was written in one transaction can be torn apart: by a scan of a stage that is in use, and
    by DynamoDB's backups, which propagate transactions row by row. What can be told from the rest
    is added, so that nothing granted escapes who ends it; what leads nowhere is left out.
    """
    match row:
        case UserRow():
            yield from _needs_of_user(row)
        case Grant() if row.user_id is not None:
            yield Need(f"account {row.user_id}", "users")
            yield Need(f"pointer from {row.user_id} to grant {row.grant_id}", "users", _pointer(row))
        case Client() if row.owner is not None:
            item = UserApplication.item_of(row.client_id)
            application = UserApplication(row.owner, item, client_id=row.client_id)
            yield Need(f"pointer from {row.owner} to client {row.client_id}", "users", application)
        case UserCode():
            yield Need(f"grant {row.grant_id}", "grants")


def _needs_of_user(row: UserRow) -> Iterator[Need]:
    match row:
        case Account():
            address = EmailAddress(row.email, EmailAddress.ITEM, account_id=row.user_id)
            yield Need(f"email {row.email} of {row.user_id}", "users", address)
            if row.identity is not None:
                identity = Identity(row.identity, Identity.ITEM, account_id=row.user_id)
                yield Need(f"identity {row.identity} of {row.user_id}", "users", identity)
        case EmailAddress():
            yield Need(f"account {row.account_id} has address {row.user_id}", "users")
        case Identity():
            yield Need(f"account {row.account_id} has identity {row.user_id}", "users")
        case UserGrant():
            yield Need(f"grant {row.grant_id}", "grants")
        case UserApplication():
            yield Need(f"client {row.client_id} of {row.user_id}", "clients")


def _pointer(grant: Grant) -> UserGrant:
    """Return the user's pointer to a grant. It has to last at least as long as anything of the grant."""
    longest = settings.refresh_token_lifetime + settings.access_token_lifetime
    return UserGrant(
        grant.user_id,
        UserGrant.items_of(grant.client_id) + grant.grant_id,
        grant_id=grant.grant_id,
        client_id=grant.client_id,
        granted_at=grant.created_at,
        expires_at=grant.expires_at + longest,
    )


def claimed(there: Table, row: Table) -> str | None:
    """Return the address, or the person at an OpenID provider, that is another account's there."""
    if not isinstance(row, EmailAddress | Identity) or not isinstance(there, EmailAddress | Identity):
        return None
    return str(row.user_id) if there.account_id != row.account_id else None


def outlasts(there: Table, row: Table) -> bool:
    """Whether a row must not be replaced, since it may be what has become of the other one.

    Each of our writes gives an application, an account or a grant another `revision`. Of two
    revisions nothing tells the newer one, nor what was changed on purpose: a secret that leaked,
    an operator's rights, a refresh token. So the row stays that is in use.
    """
    match there, row:
        case ((SessionRow() | AuditRecord()), _):
            return True
        case Row(), Row():
            return bool(there.revision != row.revision)
        case Consent(), Consent():
            return bool(there.granted_at > row.granted_at)
    return False
