"""What the sections make of what they measure."""

import pytest

from bench.cost import FULL_CPU as FULL
from bench.cost import WAIT
from bench.sections.cold_start import by_package
from bench.sections.load import percentiles
from bench.sections.memory import configured, following, sweep

IMPORTTIME = """
import time: self [us] | cumulative | imported package
import time:       100 |        100 |   json
import time:      2000 |       2500 | botocore.session
import time:       500 |        500 |   botocore
import time:       300 |        300 | app
something else on stderr
"""


def test_imports_are_added_up_by_package() -> None:
    expected = [("botocore", 2.5), ("app", 0.3), ("the standard library", 0.1)]
    assert by_package(IMPORTTIME) == expected


def test_percentiles() -> None:
    assert percentiles([float(number) for number in range(1, 101)]) == pytest.approx((50.5, 99.01, 100))
    assert percentiles([7.0]) == (7, 7, 7)


def test_a_share_of_a_processor_stretches_what_is_computed_and_not_what_is_waited_for() -> None:
    swept = sweep(2.0, (300.0, 10.0))
    assert swept[FULL]["latency"] == 2 + WAIT
    assert swept[128]["latency"] == pytest.approx(2 * FULL / 128 + WAIT)
    assert swept[128]["cold"] == pytest.approx(300 + 10 * FULL / 128 + WAIT)
    assert swept[128]["gigabyte_seconds"] == pytest.approx(125 * swept[128]["latency"])


def test_the_smallest_size_follows_that_is_large_and_fast_enough() -> None:
    assert following(sweep(0.1, None), 50) == 128
    assert following(sweep(0.1, None), 100) == 192
    assert following(sweep(2.0, None), 50) == 256
    assert following(sweep(2.0, None, 40.0), 50) == 512
    assert following(sweep(100.0, None), 50) == FULL


def test_each_function_has_a_size() -> None:
    assert set(configured()) == {"api", "bearer", "authorizer"}
