"""The form of codes, tokens and secrets."""

import re

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.oauth import credentials
from chalicelib.oauth.credentials import ALPHABET, GRANT_ID_LENGTH, Kind

grant_ids = st.text(ALPHABET, min_size=GRANT_ID_LENGTH, max_size=GRANT_ID_LENGTH)
FORM = re.compile(r"o[a-z]{2}_[0-9A-Za-z]{36}")


@given(kind=st.sampled_from(list(Kind)), grant_id=grant_ids)
def test_every_credential_has_40_characters_and_says_what_it_is(kind: Kind, grant_id: str) -> None:
    credential = credentials.new(kind, grant_id)
    assert FORM.fullmatch(credential)
    assert credential.startswith(kind)


@given(
    kind=st.sampled_from([Kind.ACCESS_TOKEN, Kind.AUTHORIZATION_CODE, Kind.DEVICE_CODE]), grant_id=grant_ids
)
def test_a_token_names_its_grant_and_is_of_one_kind(kind: Kind, grant_id: str) -> None:
    credential = credentials.new(kind, grant_id)
    assert credentials.kind_of(credential) is kind
    for other in Kind:
        assert credentials.grant_id_of(credential, other) == (grant_id if other is kind else None)


@given(st.text())
def test_whatever_comes_it_is_a_credential_or_not(text: str) -> None:
    for kind in Kind:
        found = credentials.grant_id_of(text, kind)
        assert found is None or len(found) == GRANT_ID_LENGTH
    assert credentials.kind_of(text) in (None, *Kind)


@given(
    grant_id=grant_ids, key=st.text(ALPHABET, min_size=22, max_size=22), seed=st.text(ALPHABET, min_size=22)
)
def test_a_grant_recognises_every_refresh_token_that_it_issued(grant_id: str, key: str, seed: str) -> None:
    token = credentials.new_refresh_token(grant_id, key)
    for _ in range(3):
        assert FORM.fullmatch(token)
        assert credentials.grant_id_of(token, Kind.REFRESH_TOKEN) == grant_id
        assert credentials.was_issued(token, key)
        token = credentials.successor(Kind.REFRESH_TOKEN, token, seed, key)


@given(
    grant_id=grant_ids,
    key=st.text(ALPHABET, min_size=22, max_size=22),
    position=st.integers(12, 39),
    character=st.sampled_from(ALPHABET),
)
def test_a_grant_recognises_no_other(grant_id: str, key: str, position: int, character: str) -> None:
    token = credentials.new_refresh_token(grant_id, key)
    other = token[:position] + character + token[position + 1 :]
    assert credentials.was_issued(other, key) == (other == token)
    assert not credentials.was_issued(token, key + "x")


def test_successors_are_the_same_each_time_and_differ_by_seed_token_and_kind() -> None:
    token = credentials.new_refresh_token("abcdefgh", "key")
    other = credentials.new_refresh_token("abcdefgh", "key")
    kinds = (Kind.ACCESS_TOKEN, Kind.REFRESH_TOKEN)
    successors = [
        credentials.successor(kind, given, seed, "key")
        for kind in kinds
        for given in (token, other)
        for seed in ("seed", "other seed")
    ]
    assert len({successor[12:34] for successor in successors}) == 8
    assert credentials.successor(Kind.ACCESS_TOKEN, token, "seed", "key") == successors[0]


def test_ten_thousand_credentials_are_all_different() -> None:
    made = [credentials.new(Kind.ACCESS_TOKEN, "abcdefgh") for _ in range(10000)]
    assert len(set(made)) == 10000
    assert set("".join(token[12:] for token in made)) == set(ALPHABET)
