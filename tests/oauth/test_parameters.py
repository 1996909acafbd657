"""Request parameters (RFC 6749 sections 3.1 and 3.2, appendix B)."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.oauth.errors import InvalidRequest, PayloadTooLarge
from chalicelib.oauth.parameters import MAX_VALUE, MAX_VALUES, Parameters, from_form


def test_a_parameter_is_returned_as_it_was_sent() -> None:
    assert Parameters([("name", "a b&ü")]).get("name") == "a b&ü"


def test_what_was_not_sent_is_none() -> None:
    assert Parameters([]).get("name") is None


def test_what_was_sent_without_a_value_counts_as_not_sent() -> None:
    assert Parameters([("name", "")]).get("name") is None


def test_what_is_required_must_be_there() -> None:
    with pytest.raises(InvalidRequest, match="The parameter code is missing"):
        Parameters([("code", "")]).require("code")


BAD = {
    "repeated": [("name", "a"), ("name", "a")],
    "repeated thrice": [("name", "a"), ("name", "a"), ("name", "a")],
    "repeated without a value": [("name", ""), ("name", "")],
    "too long": [("name", "x" * 4097)],
    "control character": [("name", "a\0")],
    "replacement character": [("name", "a\ufffd")],
    "lone surrogate": [("name", "\ud800")],
}


@pytest.mark.parametrize("pairs", BAD.values(), ids=BAD)
def test_a_bad_parameter_is_refused_when_it_is_asked_for(pairs: list[tuple[str, str]]) -> None:
    parameters = Parameters([*pairs, ("other", "fine")])
    assert parameters.get("other") == "fine"
    for ask in (parameters.get, parameters.require):
        with pytest.raises(InvalidRequest):
            ask("name")


@pytest.mark.parametrize("second", ["a", "b", ""])
def test_what_is_repeated_is_refused_by_the_check_though_nobody_asks_for_it(second: str) -> None:
    with pytest.raises(InvalidRequest, match="repeated"):
        Parameters([("name", "a"), ("other", "fine"), ("name", second)]).check()


def test_what_nobody_asks_for_may_look_as_it_likes() -> None:
    Parameters([("name", "x" * 5000 + "\0"), ("other", "")]).check()


@pytest.mark.parametrize("name", ["code", "client_assertion", "continue"])
def test_the_longest_values_are_accepted(name: str) -> None:
    longest = MAX_VALUES.get(name, MAX_VALUE)
    assert Parameters([(name, "x" * longest)]).get(name) == "x" * longest
    with pytest.raises(InvalidRequest, match="too long"):
        Parameters([(name, "x" * (longest + 1))]).get(name)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"name=a", "a"),
        (b"name=a+b", "a b"),
        (b"name=a%20b", "a b"),
        (b"name=a%2Bb", "a+b"),
        (b"name=%C3%BC", "ü"),
        ("name=ü".encode(), "ü"),
        (b"name=a=b", "a=b"),
        (b"&&name=a&", "a"),
        (b"name=%", "%"),
        (b"name=%zz", "%zz"),
        (b"name", None),
        (b"", None),
    ],
)
def test_a_form_is_decoded(body: bytes, value: str | None) -> None:
    assert from_form(body).get("name") == value


@pytest.mark.parametrize("body", [b"\xff", b"name=%ff", b"%ff=a", b"name=\xc3(", b"name=%ed%a0%80"])
def test_what_is_not_utf_8_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="UTF-8"):
        from_form(body)


@pytest.mark.parametrize("body", [b"x" * 65_537, b"&".join([b"a=b"] * 101)])
def test_what_is_too_much_is_refused(body: bytes) -> None:
    with pytest.raises(PayloadTooLarge):
        from_form(body)


@settings(derandomize=True, deadline=None)
@given(st.binary(max_size=300))
def test_no_body_crashes_the_decoder(body: bytes) -> None:
    with contextlib.suppress(InvalidRequest):
        from_form(body).check()
