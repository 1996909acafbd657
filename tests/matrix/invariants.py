"""What is true of all that is stored, at any time: nothing is half-written."""

from collections.abc import Iterator
from typing import Any

from chalicelib.oauth.credentials import digest
from chalicelib.oauth.tokens import MAX_ACCESS_TOKENS
from tests.matrix.world import Rows

Row = dict[str, Any]


def text(row: Row, name: str) -> str | None:
    """Return an attribute: text, or a number as DynamoDB writes it."""
    value = row.get(name)
    return str(next(iter(value.values()))) if value else None


def broken(rows: Rows) -> list[str]:
    """Return what is not as it has to be."""
    return [*_accounts(rows), *_applications(rows), *_grants(rows)]


def _of_kind(rows: Rows, table: str, kind: str) -> list[Row]:
    return [row for row in rows[table] if text(row, "kind") == kind]


def _accounts(rows: Rows) -> Iterator[str]:
    accounts = _of_kind(rows, "users", "account")
    for kind, attribute in (("email", "email"), ("identity", "identity")):
        named = {(text(row, attribute), text(row, "user_id")) for row in accounts if text(row, attribute)}
        leading = {(text(row, "user_id"), text(row, "account_id")) for row in _of_kind(rows, "users", kind)}
        if named != leading:
            yield f"{kind}: {named ^ leading}"


def _applications(rows: Rows) -> Iterator[str]:
    owned = {(text(row, "owner"), text(row, "client_id")) for row in rows["clients"] if text(row, "owner")}
    pointers = _of_kind(rows, "users", "application")
    if owned != {(text(row, "user_id"), text(row, "client_id")) for row in pointers}:
        yield "an owner and the pointer to the application"


def _grants(rows: Rows) -> Iterator[str]:
    grants = {text(row, "grant_id"): row for row in rows["grants"]}
    pointers = {(text(row, "user_id"), text(row, "grant_id")) for row in _of_kind(rows, "users", "grant")}
    if pointers != {(text(row, "user_id"), grant_id) for grant_id, row in grants.items() if "user_id" in row}:
        yield "a grant and its user's pointer"
    if not {text(row, "grant_id") for row in _of_kind(rows, "sessions", "user_code")} <= set(grants):
        yield "a user code without its grant"
    for grant in grants.values():
        refreshed = "rotated_at" in grant.get("refresh_token", {"M": {}})["M"]
        if len(grant["access_tokens"]["L"]) > (MAX_ACCESS_TOKENS if refreshed else 1):
            yield "too many access tokens: a code was redeemed twice"
        if ("revoked_at" in grant) != ("revoked_because" in grant):
            yield "revoked for no reason"
        for name in ("authorization_code", "device_code"):
            if "redeemed_at" in grant.get(name, {"M": {}})["M"] and "last_issued_at" not in grant:
                yield f"{name} redeemed for nothing"


def untold(rows: Rows, told: set[str], now: int) -> list[str]:
    """Return what lives, acts for somebody and was told nobody: the kinds of such tokens.

    What an application got for itself (client credentials) is not among it, see docs/security.md.
    """
    hashes = {digest(credential) for credential in told}
    found = []
    for grant in rows["grants"]:
        if "revoked_at" in grant or "user_id" not in grant:
            continue
        for token in (token["M"] for token in grant["access_tokens"]["L"]):
            if int(token["expires_at"]["N"]) > now and text(token, "hash") not in hashes:
                found.append("access token")
        refresh_token = grant.get("refresh_token", {}).get("M")
        if refresh_token and text(refresh_token, "hash") not in hashes:
            found.append("refresh token")
    return found
