"""The counts that benchmarks claim, in the time that a test has: nothing in them depends on the machine."""

from collections.abc import Callable, Iterator

import pytest

from bench import crowd, heat
from bench.capacity import Access
from bench.report import Section
from bench.sections import cost, round_trips, scale
from bench.stage import stage
from chalicelib.models.grant import Grant
from chalicelib.oauth import clients

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


def test_the_popular_client_is_not_read_at_each_request() -> None:
    accesses: dict[str, list[Access]] = {name: [] for name in heat.MIX}
    busy = heat.simulate(accesses, 1000)
    assert busy.hottest["clients", False] < 10
    assert heat.simulate(accesses, 1000) == busy
