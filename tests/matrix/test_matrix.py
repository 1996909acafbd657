"""Every fault at every request to DynamoDB of every flow; and no request that is not among them.

In CI each request gets the kinds of faults that differ in what has been done when they are over; a
place that an earlier flow came by gets one of them. `make faults` takes all faults at all requests.
"""

import itertools
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests import last_words
from tests.matrix import developer_flows, operator_flows, people_flows, protocol_flows, upstream_flows
from tests.matrix.flow import Flow
from tests.matrix.injection import Fault, Request
from tests.matrix.runner import Row, common, run
from tests.matrix.sites import Site, all_sites
from tests.matrix.world import World, new_world

FLOWS = [
    *protocol_flows.FLOWS,
    *people_flows.FLOWS,
    *developer_flows.FLOWS,
    *operator_flows.FLOWS,
    *upstream_flows.FLOWS,
]
ALL = os.environ.get("FAULTS") == "all"

ONCE = (Fault.THROTTLED_ONCE, Fault.ERROR_ONCE, Fault.REFUSED_ONCE, Fault.TIMEOUT_ONCE)
ALWAYS = (Fault.THROTTLED, Fault.ERROR, Fault.REFUSED, Fault.TIMEOUT, Fault.KILLED_BEFORE)
APPLIED = (Fault.LOST_ONCE, Fault.LOST, Fault.KILLED_AFTER)


class Matrix:
    """What became of all flows."""

    def __init__(self, world: World) -> None:
        self.world = world
        state = common(world)
        self.start = (world.capture(), state)
        self.rows: list[Row] = []
        self._once, self._always = itertools.cycle(ONCE), itertools.cycle(ALWAYS)
        self._any = itertools.cycle(Fault)
        self._seen: set[Any] = set()

    def faults(self, request: Request) -> list[Fault]:
        """Return which faults a request gets."""
        if ALL:
            return list(Fault)
        if request.place in self._seen:
            return [next(self._any)]
        self._seen.add(request.place)
        return [next(self._once), next(self._always), *(APPLIED if request.writes else ())]

    def report(self) -> list[str]:
        """Return what there is to print."""
        outcomes = [outcome.went_on for row in self.rows for outcome in row.outcomes.values()]
        count = Counter(outcomes)
        requests = sum(len(row.requests) for row in self.rows)
        total = (
            f"Faults: {len(self.rows)} flows, {requests} requests to DynamoDB, {len(outcomes)} faults: "
            f"{count['at once']} were overcome at once, {count['again']} when it was tried again, "
            f"{count['anew']} by a new start"
        )
        lines = [total]
        for row in self.rows:
            lines += [row.summary, *(row.cells() if ALL else ())]
        return lines


@pytest.fixture(scope="module")
def matrix(pytestconfig: pytest.Config) -> Iterator[Matrix]:
    with new_world() as world:
        matrix = Matrix(world)
        yield matrix
    for line in matrix.report():
        last_words.say(pytestconfig, line)


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_whatever_fails_at_whichever_request_leads_on(matrix: Matrix, flow: Flow) -> None:
    matrix.rows.append(run(matrix.world, matrix.start, flow, matrix.faults))


@pytest.fixture
def complete(matrix: Matrix) -> Matrix:
    if len(matrix.rows) < len(FLOWS):
        pytest.skip("some flows were not run, or failed")
    return matrix


def test_each_request_in_the_code_is_in_the_matrix(complete: Matrix) -> None:
    ran = set().union(*(row.lines for row in complete.rows))
    missing = [str(site) for site in all_sites() if not ran & set(lines_of(site))]
    assert missing == []


def test_each_request_comes_from_a_place_that_was_found_by_reading(complete: Matrix) -> None:
    """So no request is made in a way that `sites` does not know."""
    sites = all_sites()
    for row in complete.rows:
        for request in row.requests:
            if request.is_of_the_command_line:
                continue
            assert any(is_near(site, request) for site in sites), request


def lines_of(site: Site) -> list[tuple[str, int]]:
    return [(site.file, line) for line in range(site.line, site.last_line + 1)]


def is_near(site: Site, request: Request) -> bool:
    """Tell whether a request may be that of a site: a query is made when its first row is asked for."""
    return any(
        site.file == file and (site.line <= line <= site.last_line or site.function == function)
        for file, function, line in request.stack
    )
