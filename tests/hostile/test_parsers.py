"""Every parser, with a thousand odd inputs each; and the fuzzer that makes millions of them."""

import os
import random
from collections.abc import Iterator

import pytest

from tests.hostile import coverage
from tests.hostile.parsers import PARSERS
from tests.hostile.world import World, world
from tests.last_words import say

SEED = int(os.environ.get("FUZZ_SEED", "1"))
INPUTS = 1000

TOKENS = (
    *(b"", b"\0", b"%", b"%00", b"%25", b"+", b"&", b"=", b";", b".", b"..", b"/", b"//", b"\\", b":", b"@"),
    *(b"#", b"?", b"*", b"{", b"}", b"[", b"]", b'"', b",", b"null", b"1e999", b"9" * 40, b"-1", b"\xff"),
    *(b" ", b"\n", b"\t", b"\xe2\x80\xa8", b"\xed\xa0\x80", b"\\ud800", b"[" * 2000, b"a" * 5000, b"e30"),
)


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Return bytes that are nearly these."""
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.choice((0, 0, 1, 1, 4, 30)))
        middle = chance.choice(
            (chance.choice(TOKENS), chance.randbytes(chance.randrange(4)), data[start:end] * 2)
        )
        data = data[:start] + middle + data[end:]
    return data


@pytest.fixture(scope="module")
def deployment() -> Iterator[World]:
    with world() as made:
        yield made


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_raises_what_it_says_and_is_quick(deployment: World, name: str) -> None:
    parser, chance = PARSERS[name], random.Random(SEED)  # noqa: S311 (it has to be the same again)
    seeds = [text.encode() for text in parser.seeds(deployment)]
    for data in [*seeds, *(mutated(chance.choice(seeds), chance) for _ in range(INPUTS))]:
        try:
            parser(deployment, data)
        except Exception as error:
            pytest.fail(f"{name} does not do as it says with {data!r}: {error!r}")


def test_the_fuzzer_fuzzes(pytestconfig: pytest.Config) -> None:
    try:
        library = coverage.install()
    except coverage.NoAtheris as error:
        say(pytestconfig, f"WARNING: parsers cannot be fuzzed on this machine: {error}")
        pytest.skip("no Atheris")
    outcome = coverage.fuzz(library, "form", 1000, SEED)
    assert not outcome.failure
    assert outcome.inputs == 1000
    assert outcome.edges > 10
