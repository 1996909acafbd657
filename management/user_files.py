"""Files of accounts: what `manage.py user import` reads, and `user export` writes."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from chalicelib import clock
from chalicelib.accounts import accounts, foreign_hashes
from chalicelib.accounts.accounts import InvalidAccount
from chalicelib.accounts.foreign_hashes import UnacceptableHash
from chalicelib.models.user import Account, EmailAddress, UserRow
from chalicelib.oauth import credentials
from management.options import moment
from management.output import when

_USER_ID = re.compile(rf"[0-9A-Za-z]{{{credentials.USER_ID_LENGTH}}}")
_FLAGS = {"true": True, "false": False, "1": True, "0": False}


class BadEntries(Exception):
    """A file cannot be imported: `problems` tells why, entry by entry."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = problems


class _Bad(ValueError):
    """What is wrong with one entry."""


def read(raw: bytes) -> list[Account]:
    """Read accounts from a JSON array, from JSON lines, or from CSV with a header; nothing is stored.

    Raises:
        BadEntries: some of it is wrong.
    """
    read_accounts: list[Account] = []
    problems: list[str] = []
    seen: dict[str, int] = {}
    for number, entry in enumerate(_entries(raw), start=1):
        try:
            account = _account(entry)
            for name in (account.email, account.user_id):
                if seen.setdefault(name, number) != number:
                    raise _Bad(f"{name} is in entry {seen[name]} already")
            read_accounts.append(account)
        except (_Bad, InvalidAccount, UnacceptableHash) as error:
            problems.append(f"entry {number}: {error}")
    if problems:
        raise BadEntries(problems)
    return read_accounts


def split(read_accounts: list[Account], *, skip: bool) -> tuple[list[Account], int]:
    """Look up which accounts are there already.

    Args:
        read_accounts: all that a file has.
        skip: whether accounts whose e-mail address is there may be left out.

    Returns:
        Those to add, and how many are left out.

    Raises:
        BadEntries: an account is there and may not be left out, or its id is another account's.
    """
    keys = [(account.email, EmailAddress.ITEM) for account in read_accounts]
    keys += [(account.user_id, Account.ITEM) for account in read_accounts]
    taken = {row.user_id for row in UserRow.batch_get(keys, consistent_read=True)}
    pending, problems = [], []
    for number, account in enumerate(read_accounts, start=1):
        if account.email in taken:
            if not skip:
                problems.append(f"entry {number}: there is an account {account.email}")
        elif account.user_id in taken:
            problems.append(f"entry {number}: {account.user_id} is the id of another account")
        else:
            pending.append(account)
    if problems:
        raise BadEntries(problems)
    return pending, len(read_accounts) - len(pending)


def record(account: Account, *, with_password_hash: bool) -> dict[str, Any]:
    """Return an account as `read` reads it."""
    members = {
        "user_id": account.user_id,
        "email": account.email,
        "created_at": when(account.created_at),
        "disabled": account.disabled_at is not None,
        "is_operator": account.is_operator,
    }
    if with_password_hash and account.password_hash:
        members["password_hash"] = account.password_hash
    return members


def _entries(raw: bytes) -> Iterable[Any]:
    """Return what the entries are; those that are not even objects as they are."""
    try:
        text = raw.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise BadEntries(["the file is not UTF-8"]) from None
    if text.startswith("["):
        entries = _json(text)
        if not isinstance(entries, list):
            raise BadEntries(["the file is no JSON array, although it starts like one"])
        return entries
    if text.startswith("{"):
        return [_json(line) for line in text.split("\n") if line.strip()]
    return _rows(text)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _rows(text: str) -> Iterator[Any]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        if "email" not in (reader.fieldnames or ()):
            raise BadEntries(["expected a JSON array, JSON lines, or CSV whose header names `email`"])
        for row in reader:
            if None in row or None in row.values():  # More cells than the header names, or fewer.
                yield None
            else:
                yield {name: cell for name, cell in row.items() if cell != ""}
    except csv.Error as error:
        raise BadEntries([f"line {reader.line_num}: this is no CSV: {error}"]) from None


def _account(entry: Any) -> Account:
    if not isinstance(entry, dict):
        raise _Bad("it is no JSON object, or no row as long as the header")
    unknown = set(entry) - set(_MEMBERS)
    if unknown:
        raise _Bad(f"unknown member {', '.join(sorted(unknown))}; there are {', '.join(_MEMBERS)}")
    values = {name: _MEMBERS[name](name, value) for name, value in entry.items() if value is not None}
    if "email" not in values:
        raise _Bad("it has no email")
    return Account(
        values.get("user_id") or credentials.random_text(credentials.USER_ID_LENGTH),
        Account.ITEM,
        email=values["email"],
        password_hash=values.get("password_hash"),
        is_operator=values.get("is_operator", False),
        created_at=values.get("created_at", clock.now()),
        disabled_at=clock.now() if values.get("disabled") else None,
    )


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise _Bad(f"{name} is no printable text")
    return value


def _email(name: str, value: Any) -> str:
    return accounts.check_email(_text(name, value))


def _password_hash(name: str, value: Any) -> str:
    text = _text(name, value)
    foreign_hashes.parse(text)
    return text


def _user_id(name: str, value: Any) -> str:
    text = _text(name, value)
    if not _USER_ID.fullmatch(text):
        raise _Bad(f"{name} is not {credentials.USER_ID_LENGTH} letters and digits, as an export of ours has")
    return text


def _flag(name: str, value: Any) -> bool:
    flag = value if isinstance(value, bool) else _FLAGS.get(str(value).lower())
    if flag is None:
        raise _Bad(f"{name} is neither true nor false")
    return flag


def _time(name: str, value: Any) -> int:
    """Return epoch seconds. ISO 8601 without an offset is UTC."""
    try:
        if isinstance(value, bool):
            raise ValueError
        if isinstance(value, str) and not re.fullmatch(r"[0-9]+", value):
            seconds = int(moment(value).timestamp())
        else:
            seconds = int(value)
    except (ValueError, TypeError, OverflowError):
        raise _Bad(f"{name} is neither ISO 8601 nor epoch seconds") from None
    if not 0 <= seconds <= clock.now():
        raise _Bad(f"{name} is not in the past; epoch seconds, not milliseconds?")
    return seconds


_MEMBERS: dict[str, Callable[[str, Any], Any]] = {
    "email": _email,
    "password_hash": _password_hash,
    "created_at": _time,
    "disabled": _flag,
    "is_operator": _flag,
    "user_id": _user_id,
}
"""What an entry may have, and how it is read. `email` alone has to be there."""
