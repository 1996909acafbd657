"""What a benchmark found, as a page of Markdown with charts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Claim:
    """A number that was aimed at."""

    name: str
    value: float
    at_most: float
    unit: str = ""
    because: str = ""
    """If it is missed: why."""

    @property
    def holds(self) -> bool:
        """Whether it was reached."""
        return self.value <= self.at_most


@dataclass(frozen=True)
class Chart:
    """Bars: one number for each name."""

    file: str
    """`cold_start.svg`."""
    title: str
    unit: str
    values: dict[str, float]


@dataclass(frozen=True)
class Section:
    """What one benchmark found."""

    title: str
    text: str
    """Markdown."""
    claims: Sequence[Claim] = ()
    charts: Sequence[Chart] = ()
    data: dict[str, object] = field(default_factory=dict)
    """The numbers, for `report.json` and for sections that need another's."""


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table in Markdown; floats with three significant digits."""
    lines = [list(head), ["---"] * len(head), *([_text(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(cell: object) -> str:
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:,.0f}" if abs(cell) >= 1000 else f"{cell:.3g}"
