"""User codes: what is shown can be typed."""

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.oauth import user_codes

codes = st.text(user_codes.ALPHABET, min_size=user_codes.LENGTH, max_size=user_codes.LENGTH)


def test_a_code_has_eight_letters_of_twenty_none_of_which_is_a_vowel() -> None:
    drawn = [user_codes.new() for _ in range(500)]
    assert {len(code) for code in drawn} == {8}
    assert set("".join(drawn)) == set("BCDFGHJKLMNPQRSTVWXZ")
    assert len(set(drawn)) == 500


@given(codes)
def test_what_is_shown_can_be_typed(code: str) -> None:
    assert user_codes.read(user_codes.shown(code)) == code
    assert user_codes.read(code.lower()) == code


@given(st.text())
def test_whatever_is_typed_it_is_a_code_or_not(typed: str) -> None:
    code = user_codes.read(typed)
    assert code is None or (len(code) == 8 and set(code) <= set(user_codes.ALPHABET))
