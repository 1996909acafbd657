"""`docs/security.md` stays true: each threat of the RFCs is there, and the tests that it names exist."""

import re
from dataclasses import dataclass

import pytest

from tests.documents import MARK, ROOT, TEST, names_in, read, table_rows

DOCUMENT = read("security.md")
MARKS = {
    f"**{mark}**" for mark in ("Not done", "Partly done", "Not applicable", "Gateway", "By design", "Others")
}
REASON = re.compile(r"\*\*(Not done|Not applicable|Gateway|By design|Others)\*\*: \S.{9,}")
"""A mark and its reason, with which a row needs no test."""

SECTIONS = {
    "RFC 9700 section 4: attacks and mitigations": [f"4.{number}" for number in range(1, 18)],
    "RFC 6819 section 4: threat model": [
        *(f"4.1.{number}" for number in range(1, 6)),
        *(f"4.2.{number}" for number in range(1, 5)),
        *(f"4.3.{number}" for number in range(1, 6)),
        *(f"4.4.1.{number}" for number in range(1, 14)),
        *("4.4.2", "4.4.3", "4.4.3.5", "4.4.3.6", "4.4.4"),
        *(f"4.5.{number}" for number in range(1, 5)),
        *(f"4.6.{number}" for number in range(1, 8)),
    ],
    "RFC 6819 section 5: countermeasures": [
        *("5.1.1", "5.1.2", "5.1.3"),
        *(f"5.1.4.1.{number}" for number in range(1, 6)),
        *(f"5.1.4.2.{number}" for number in range(1, 6)),
        *(f"5.1.5.{number}" for number in range(1, 12)),
        *("5.1.6", "5.2.1.1"),
        *(f"5.2.2.{number}" for number in range(1, 7)),
        *(f"5.2.3.{number}" for number in range(1, 8)),
        *(f"5.2.4.{number}" for number in range(1, 6)),
        *("5.3", "5.4.1", "5.4.2", "5.4.3", "5.5"),
    ],
    "Devices": [f"5.{number}" for number in range(1, 8)],
}
"""What each RFC has; the grants that there are not, and what is about clients alone, are summed up."""


@dataclass(frozen=True)
class Row:
    """A threat."""

    heading: str
    section: str
    threat: str
    how: str
    held_by: str

    def __str__(self) -> str:
        return f"{self.heading[:8]}-{self.section}-{self.threat[:30]}"


ROWS = [
    *(
        Row(heading, *cells)
        for heading, cells in table_rows(DOCUMENT, ["section", "threat", "what is done", "held by"])
    ),
    *(
        Row(heading, *cells)
        for heading, cells in table_rows(DOCUMENT, ["section", "countermeasure", "what is done", "held by"])
    ),
    *(
        Row(heading, "", *cells)
        for heading, cells in table_rows(DOCUMENT, ["threat", "what is done", "held by"])
    ),
]


@pytest.mark.parametrize("heading", SECTIONS)
def test_each_section_of_the_rfcs_is_there_in_its_order(heading: str) -> None:
    found = [row.section for row in ROWS if row.heading == heading]
    assert (
        list(dict.fromkeys(section for section in found if section in SECTIONS[heading])) == SECTIONS[heading]
    )


@pytest.mark.parametrize(("path", "name"), sorted(set(TEST.findall(DOCUMENT))))
def test_every_test_that_is_named_exists(path: str, name: str) -> None:
    assert name in names_in(path)


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(tests/[\w/.]+)`", DOCUMENT))))
def test_every_file_that_is_named_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_row_has_a_test_or_a_reason(row: Row) -> None:
    assert row.threat
    assert set(MARK.findall(row.how)) <= MARKS
    if row.held_by:
        assert all(TEST.fullmatch(test) for test in row.held_by.split(", "))
    else:
        assert REASON.search(row.how)


def test_every_table_that_names_tests_is_one_of_these() -> None:
    named = [
        line.strip(" |").rpartition("|")[2].strip() for line in DOCUMENT.splitlines() if "`tests/" in line
    ]
    assert {held_by for held_by in named if TEST.match(held_by)} <= {row.held_by for row in ROWS}
    assert len(ROWS) > 150


@pytest.mark.parametrize("anchor", sorted(set(re.findall(r"\]\(#([\w-]+)\)", DOCUMENT))))
def test_every_link_within_leads_to_a_heading(anchor: str) -> None:
    headings = re.findall(r"(?m)^#+ (.+)$", DOCUMENT)
    assert anchor in [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
