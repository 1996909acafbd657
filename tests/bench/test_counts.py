"""The counts that benchmarks claim, in the time that a test has: nothing in them depends on the machine."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from bench import cost as prices
from bench import crowd, heat
from bench.capacity import STORAGE_OVERHEAD, Access
from bench.cost import MONTH
from bench.report import Section, table
from bench.sections import cost, round_trips, scale
from bench.stage import stage
from bench.storage import DAY, LATE
from chalicelib.models.grant import Grant
from chalicelib.oauth import clients

Accesses = Mapping[str, Sequence[Access]]

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
OPERATIONS = (DOCS / "operations.md").read_text(encoding="utf-8")

GOING_THROUGH = (crowd.Rows.keys, crowd.Rows.values, crowd.Rows.items, lambda rows: rows.get("1"))


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


def test_the_crowd_cannot_be_scanned_or_queried() -> None:
    with stage() as made:
        crowd.fill(made, 10)
        with pytest.raises(NotImplementedError):
            made.meter.onlooker.scan(TableName=Grant.Meta.table_name)
        with pytest.raises(NotImplementedError):
            made.meter.onlooker.query(
                TableName=Grant.Meta.table_name,
                IndexName="by-client",
                KeyConditionExpression="client_shard = :shard",
                ExpressionAttributeValues={":shard": {"S": "client0000000000#1"}},
            )


@pytest.mark.parametrize("going_through", [iter, list, len, *GOING_THROUGH])
def test_nothing_goes_through_a_few_rows_of_the_crowd_as_if_they_were_all(
    going_through: Callable[[crowd.Rows], object],
) -> None:
    rows = crowd.Rows({"1": b"[{}]"}, None)
    with pytest.raises(NotImplementedError):
        going_through(rows)


@pytest.fixture(scope="module")
def accesses() -> Accesses:
    small = scale.over(100)
    return {name: small[name].accesses for name in heat.MIX}


def test_the_popular_client_is_read_once_by_each_function(accesses: Accesses) -> None:
    busy = heat.simulate(accesses, 1000)
    assert busy.hottest["clients", False] == busy.functions
    assert heat.simulate(accesses, 1000) == busy


def test_one_token_makes_its_grant_hot_unless_decisions_are_kept(accesses: Accesses) -> None:
    calls = 1000 * heat.POPULAR * heat.MIX[heat.CHECK] / 100
    each, one, kept = (
        heat.simulate(accesses, 1000, how).hottest["grants", False]
        for how in (heat.A_TOKEN_EACH, heat.ONE_TOKEN, heat.Calls(one_token=True, kept=60))
    )
    assert each == 1
    assert one == pytest.approx(calls, rel=0.1)
    assert 1 <= kept <= 1.5 * calls * heat.DURATION


def test_a_decision_is_made_anew_when_the_last_one_is_over(
    accesses: Accesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heat, "POPULAR", 1.0)
    checks = {name: found if name == heat.CHECK else [] for name, found in accesses.items()}
    kept = heat.simulate(checks, 20, heat.Calls(one_token=True, kept=2), seconds=10)
    assert kept.total["grants", False] * 10 == pytest.approx(5)


def test_the_first_limits_are_those_that_the_docs_name(accesses: Accesses) -> None:
    heats = [heat.simulate(accesses, rate) for rate in scale.RATES]
    rows = table(("",), scale.limits(heats)).splitlines()[2:]
    assert "\n".join(rows) in (DOCS / "operations.md").read_text()


def test_the_docs_say_what_the_page_of_an_application_takes() -> None:
    _, application = scale.listing(1)
    requests = application.requests.total()
    operations, architecture = ((DOCS / f"{name}.md").read_text() for name in ("operations", "architecture"))
    assert f"an application's page ({requests} requests" in operations
    assert f"{requests} requests for the page of any application" in architecture
