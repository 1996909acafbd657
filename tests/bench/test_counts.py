"""The counts that benchmarks claim, in the time that a test has: nothing in them depends on the machine."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from bench import cost as prices
from bench import crowd, heat
from bench.capacity import STORAGE_OVERHEAD, Access
from bench.cost import MONTH
from bench.report import Section
from bench.sections import cost, round_trips, scale
from bench.stage import stage
from bench.storage import DAY, LATE
from chalicelib.oauth import clients

ROOT = Path(__file__).parents[2]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def nothing_is_remembered() -> Iterator[None]:
    clients.forget()
    yield
    clients.forget()


@pytest.fixture(scope="module")
def counted() -> Section:
    return round_trips.measure(True, {})


def test_every_operation_keeps_to_its_budget_and_to_what_its_rows_demand(counted: Section) -> None:
    assert [claim.name for claim in counted.claims if not claim.holds] == []


def test_what_it_costs_follows(counted: Section) -> None:
    section = cost.measure(True, {"round_trips": counted})
    assert [claim.name for claim in section.claims if not claim.holds] == []


def test_the_documentation_has_the_costs_of_the_report(counted: Section) -> None:
    found: Any = costs(counted)
    grants = {name: sum(bill.values()) for name, bill in found["grants"].items()}
    bill = found["grants"]["client credentials"]
    parts = [bill[item] for item in ("API Gateway", "DynamoDB", "logs", "Lambda", "storage", "traffic")]
    metrics, each = found["metrics at the most"], prices.dollars("CloudWatch, metric")
    expected = [
        [grants["client credentials"], *parts],
        [grants["client credentials, `private_key_jwt`"]],
        [grants["authorization code, user is asked"]],
        [grants["authorization code, consent remembered"]],
        [grants["refresh token"], found["a month more"]],
        [grants["device code"]],
        *([found["decisions"][seconds]] for seconds in ("0", "60", "300")),
        *([found["month without traffic"][which]] for which in ("with allowances", "without")),
        [metrics * each, (metrics - prices.FREE_METRICS) * each],
    ]
    for (name, numbers), values in zip(documented().items(), expected, strict=True):
        # What is a few cents of the whole may differ by two of them.
        assert numbers == pytest.approx(values, rel=0.03, abs=0.02 if values[0] > 1 else 0), name


def test_the_documentation_has_the_lines_and_metrics_that_are_paid_for(counted: Section) -> None:
    metrics = costs(counted)["metrics at the most"]
    for sentence in (
        f"{prices.ACCESS_LINE} bytes are the access log's and {prices.LAMBDA_LINES} Lambda's own",
        f"{metrics} of them at the most",
        f"a stage has {metrics} at the most",
    ):
        assert sentence in OPERATIONS


def costs(counted: Section) -> dict[str, object]:
    """Return what it costs by the counts of today, and by the times that the report has."""
    report = json.loads((ROOT / "bench" / "report.json").read_text(encoding="utf-8"))
    timed = {name: Section(name, "", data=report[name]) for name in ("cpu", "cold_start")}
    return cost.measure(False, timed | {"round_trips": counted}).data


def documented() -> dict[str, list[float]]:
    """Return the numbers in each row of the table."""
    rows = OPERATIONS.partition("**What it costs**")[2].partition("| --- | --- |\n")[2].partition("\n\n")[0]
    cells = [line.strip("| ").split(" | ") for line in rows.splitlines()]
    return {name: [float(number) for number in re.findall(r"\d+(?:\.\d+)?", text)] for name, text in cells}


def test_what_a_token_leaves_behind_is_paid_for_until_it_is_deleted(counted: Section) -> None:
    months = {days: (days + LATE / DAY) * DAY / MONTH for days in (30, 90)}
    own, exchange, refresh = (
        cast("Any", counted.data[name]) for name in ("client credentials", "code exchange", "refresh")
    )
    assert own["rows"] / months[30] == pytest.approx(own["largest row"] + STORAGE_OVERHEAD, rel=0.02)
    # Where there is a refresh token, all of the grant stays for as long as that.
    assert exchange["rows"] / months[90] == pytest.approx(
        exchange["largest row"] + STORAGE_OVERHEAD, rel=0.02
    )
    # What was there already is not paid for again.
    assert refresh["rows"] / months[90] < refresh["largest row"] / 2


def test_no_metric_is_filled_that_was_not_counted_beforehand(counted: Section) -> None:
    possible = {
        " ".join(filter(None, (metric.name, value)))
        for metric, values in cost.metric_values().items()
        for value in values
    }
    assert set(cast("list[str]", counted.data["metrics"])) < possible


def test_nothing_costs_more_where_more_is_stored() -> None:
    small = scale.over(100)
    for large in (scale.over(3000), scale.over_one(300)):
        for name, consumption in small.items():
            assert large[name].requests == consumption.requests, name
            assert (large[name].read, large[name].write) == (consumption.read, consumption.write), name


def test_the_crowd_cannot_be_scanned() -> None:
    with stage() as made:
        crowd.fill(made, 10)
        with pytest.raises(NotImplementedError):
            made.meter.onlooker.scan(TableName="oauth-test-grants")


def test_the_popular_client_is_not_read_at_each_request() -> None:
    accesses: dict[str, list[Access]] = {name: [] for name in heat.MIX}
    busy = heat.simulate(accesses, 1000)
    assert busy.hottest["clients", False] < 10
    assert heat.simulate(accesses, 1000) == busy
