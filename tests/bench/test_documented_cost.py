"""What docs/operations.md says that it costs is what follows from the measurements in the report."""

import json
import re
from pathlib import Path

import pytest

from bench import cost
from bench.report import Section
from bench.sections import cost as section
from bench.sections import round_trips

ROOT = Path(__file__).parents[2]

TOLERANCE = 0.03


@pytest.fixture(scope="module")
def calculated() -> Section:
    """Counts are made anew, as nothing in them depends on the machine; times are those of the report."""
    measured = json.loads((ROOT / "bench" / "report.json").read_text(encoding="utf-8"))
    found = {name: Section(name, "", data=measured[name]) for name in ("cpu", "cold_start")}
    return section.measure(False, found | {"round_trips": round_trips.measure(True, {})})


def documented() -> dict[str, list[float]]:
    """Return the numbers of each row of the table, in their order."""
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    rows = text.partition("**What it costs**")[2].partition("| --- | --- |\n")[2].partition("\n\n")[0]
    cells = [line.strip("| ").split(" | ") for line in rows.splitlines()]
    return {name: [float(number) for number in re.findall(r"\d+(?:\.\d+)?", text)] for name, text in cells}


def test_the_documentation_has_the_costs_of_the_report(calculated: Section) -> None:
    grants = {name: sum(bill.values()) for name, bill in calculated.data["grants"].items()}
    bill = calculated.data["grants"]["client credentials"]
    parts = [bill[item] for item in ("API Gateway", "DynamoDB", "logs", "Lambda", "storage", "traffic")]
    decisions, at_rest = calculated.data["decisions"], calculated.data["month without traffic"]
    metrics, metric = calculated.data["metrics at the most"], cost.dollars("CloudWatch, metric")
    longer = cost.PRICES["DynamoDB, storage"]
    expected = [
        [grants["client credentials"], *parts],
        [grants["client credentials, `private_key_jwt`"]],
        [grants["authorization code, user is asked"]],
        [grants["authorization code, consent remembered"]],
        [grants["refresh token"], calculated.data["a month more"]],
        [grants["device code"]],
        [decisions["0"]],
        [decisions["60"]],
        [decisions["300"]],
        [at_rest["with allowances"]],
        [at_rest["without"]],
        [metrics * metric, (metrics - cost.FREE_METRICS) * metric],
    ]
    found = documented()
    assert len(found) == len(expected)
    for (name, numbers), values in zip(found.items(), expected, strict=True):
        # Cents are not told apart by 3 percent.
        assert numbers == pytest.approx(values, rel=TOLERANCE, abs=0.005 if values[0] > 1 else 0), name


def test_the_documentation_has_the_bytes_of_a_line(calculated: Section) -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert (
        f"of which {cost.ACCESS_LINE} bytes are the access log's and {cost.LAMBDA_LINES} Lambda's own" in text
    )
    assert f"{calculated.data['metrics at the most']} of them at the most" in text
    assert f"a stage has {calculated.data['metrics at the most']} at the most" in text
