"""`docs/standards.md` stays true: the tests that it names exist, and each row has one or says why not."""

import re
from dataclasses import dataclass

import pytest

from tests.documents import MARK, TEST, names_in, read, table_rows

DOCUMENT = read("standards.md")

RFCS = ("6749", "6750", "7009", "7636", "7662", "8252", "8414", "8628", "9207", "9728", "9700")
COLUMNS = ["section", "requirement", "level", "how it is met", "held by"]
LEVEL = re.compile(
    r"(MUST|MUST NOT|SHOULD|SHOULD NOT|MAY|REQUIRED|RECOMMENDED|NOT RECOMMENDED|OPTIONAL)"
    r"(, (MUST NOT|SHOULD))?|\(no key word\)"
)
UNHELD = re.compile(r"\*\*(Not met|Not applicable|Gateway|By design)\*\*: \S.{9,}")
"""A mark and its reason, with which a row needs no test."""
MARKS = {"**Not met**", "**Partly met**", "**Not applicable**", "**Gateway**", "**By design**"}


@dataclass(frozen=True)
class Row:
    """A requirement."""

    rfc: str
    section: str
    requirement: str
    level: str
    how: str
    held_by: str

    def __str__(self) -> str:
        return f"{self.rfc}-{self.section}-{self.requirement[:30]}"


ROWS = [
    Row(heading.partition(":")[0].removeprefix("RFC "), *cells)
    for heading, cells in table_rows(DOCUMENT, COLUMNS)
]
NAMED = sorted(set(TEST.findall(DOCUMENT)))


def test_there_is_a_table_for_each_document() -> None:
    assert tuple(dict.fromkeys(row.rfc for row in ROWS)) == RFCS


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_every_test_that_is_named_exists(path: str, name: str) -> None:
    assert name in names_in(path)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_row_has_a_test_or_a_reason(row: Row) -> None:
    assert row.section
    assert row.requirement
    assert LEVEL.fullmatch(row.level)
    assert set(MARK.findall(row.how)) <= MARKS
    if row.held_by:
        assert all(TEST.fullmatch(test) for test in row.held_by.split(", "))
    else:
        assert UNHELD.match(row.how)
