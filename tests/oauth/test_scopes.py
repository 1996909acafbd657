"""Scopes (RFC 6749 section 3.3)."""

from collections.abc import Callable

import pytest

from chalicelib.models.client import Client
from chalicelib.oauth import scopes
from chalicelib.oauth.errors import InvalidScope

MALFORMED = ("", " ", "read ", " read", "read  write", "read\twrite", "read\nwrite", 're"d', "re\\d", "réad")


def client(scope: str) -> Client:
    return Client("id", client_name="Example", grant_types=[], scope=scope, created_at=0)


@pytest.mark.parametrize(
    ("scope", "tokens"),
    [
        ("read", ["read"]),
        ("read write", ["read", "write"]),
        ("write read", ["write", "read"]),
        ("read read write read", ["read", "write"]),
    ],
)
def test_each_token_counts_once_in_the_order_given(scope: str, tokens: list[str]) -> None:
    assert scopes.parse(scope) == tokens


@pytest.mark.parametrize("scope", MALFORMED)
def test_a_malformed_scope_is_refused(scope: str) -> None:
    with pytest.raises(InvalidScope, match="malformed"):
        scopes.parse(scope)


@pytest.mark.parametrize("scope", ["admin", "read admin", "READ", "read,write", "openid"])
def test_an_unknown_scope_is_refused(scope: str) -> None:
    with pytest.raises(InvalidScope, match="unknown"):
        scopes.parse(scope)


@pytest.mark.parametrize(
    ("asked", "registered", "granted"),
    [
        (None, "read write", "read"),
        (None, "read", "read"),
        (None, "write", "write"),
        ("write", "read write", "write"),
        ("write read", "read write", "write read"),
        ("write write", "read write", "write"),
    ],
)
def test_what_is_granted(asked: str | None, registered: str, granted: str) -> None:
    assert scopes.requested(asked, client(registered)) == granted


@pytest.mark.parametrize(("asked", "registered"), [("write", "read"), ("read write", "read")])
def test_no_more_is_granted_than_the_client_is_registered_for(asked: str, registered: str) -> None:
    with pytest.raises(InvalidScope, match="not registered"):
        scopes.requested(asked, client(registered))


def test_the_default_of_several_scopes_is_cut_to_those_of_the_client(
    change_setting: Callable[[str, object], None],
) -> None:
    change_setting("default_scope", "read write")
    assert scopes.requested(None, client("write")) == "write"


def test_what_was_too_much_is_told_in_the_words_of_the_caller() -> None:
    with pytest.raises(InvalidScope, match="Too much"):
        scopes.narrowed("write", "read", "Too much.")
