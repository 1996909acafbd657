"""Documents that name tests: their tables, and whether the tests are there."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
TEST = re.compile(r"`(tests/[a-z0-9_/]+\.py)::(test_[a-z0-9_]+)`")
MARK = re.compile(r"\*\*[^*]+\*\*")


def read(name: str) -> str:
    """Return a file in `docs/`."""
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


@cache
def names_in(path: str) -> set[str]:
    """Return the names of the tests in a file, without importing it."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def table_rows(document: str, columns: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each row of the tables with these columns, and the heading that it is under."""
    heading, found = "", False
    for line in document.splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ")
        if not line.startswith("|"):
            found = False
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if cells == columns:
            found = True
        elif found and set(cells) != {"---"}:
            assert len(cells) == len(columns), line
            yield heading, cells
