"""Draws bars, as SVG that reads well in light and dark."""

from html import escape
from pathlib import Path

from bench.report import Chart

WIDTH, LEFT, RIGHT = 720, 210, 90
"""Pixels: of the whole, of the names, and of the numbers beside the longest bar."""
TOP, STEP, BAR = 44, 28, 16
"""Pixels: above the first bar, from bar to bar, and how thick one is."""

_STYLE = """
text { font: 13px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.unit, .number { fill: #59636e }
.bar { fill: #afb8c1 }
.ours { fill: #0b5d91 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .unit, .number { fill: #9198a1 }
  .bar { fill: #59636e }
  .ours { fill: #58a6ff }
}
"""


def draw(chart: Chart, folder: Path) -> None:
    """Write a chart into a folder. The same chart is always the same file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / chart.file).write_text(svg(chart), encoding="utf-8")


def svg(chart: Chart) -> str:
    """Return a chart. Bars of ours, whose names begin with "this server" or "ours", stand out."""
    longest = max(chart.values.values(), default=0) or 1
    height = TOP + STEP * len(chart.values) + 8
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img" aria-label="{escape(_alternative(chart))}">',
        f"<style>{_STYLE}</style>",
        f'<text class="title" x="0" y="20">{escape(chart.title)}{_unit(chart)}</text>',
    ]
    for index, (name, value) in enumerate(chart.values.items()):
        y = TOP + STEP * index
        length = max(1.0, (WIDTH - LEFT - RIGHT) * value / longest)
        ours = " ours" if name.startswith(("this server", "ours")) else ""
        lines += [
            f'<text x="{LEFT - 10}" y="{y + 13}" text-anchor="end">{escape(name)}</text>',
            f'<rect class="bar{ours}" x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="3"/>',
            f'<text class="number" x="{LEFT + length + 8:.1f}" y="{y + 13}">{_number(value)}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


def _unit(chart: Chart) -> str:
    return f' <tspan class="unit" font-weight="400">({escape(chart.unit)})</tspan>' if chart.unit else ""


def _alternative(chart: Chart) -> str:
    return f"{chart.title}: " + ", ".join(
        f"{name} {_number(value)} {chart.unit}" for name, value in chart.values.items()
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
