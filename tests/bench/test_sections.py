"""What the sections make of what they measure."""

from pathlib import Path

import pytest

from bench.cost import FULL_CPU as FULL
from bench.cost import WAIT
from bench.packages import NAMES, Unpacked, memory_size
from bench.sections.cold_start import by_package, put_off, shown
from bench.sections.load import percentiles
from bench.sections.memory import Took, following, steady, sweep

IMPORTTIME = """
import time: self [us] | cumulative | imported package
import time:       100 |        100 |   json
import time:      2000 |       2500 | botocore.session
import time:       500 |        500 |   botocore
import time:       300 |        300 | app
import time:       250 |        250 | chalicelib.settings
import time:       150 |        150 | chalicelib.clock
import time:        50 |         50 | chalicelib.models.table
something else on stderr
"""


def test_imports_are_added_up_by_package() -> None:
    assert by_package(IMPORTTIME) == [
        ("botocore", 2.5),
        ("chalicelib", 0.4),
        ("app", 0.3),
        ("the standard library", 0.1),
        ("chalicelib.models.table (with the client, and whom it trusts)", 0.05),
    ]


def test_what_is_not_shown_of_the_imports_is_in_the_sum() -> None:
    *longest, more, together = shown([(f"package {number}", 2.0) for number in range(20)])
    assert len(longest) == 12
    assert more == ("8 more", 16)
    assert together == ("together", 40)


def test_what_is_shipped_and_was_not_loaded_was_put_off(tmp_path: Path) -> None:
    for folder in ("function/jinja2", "function/chalicelib", "layer/cryptography", "layer/x-1.dist-info"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("app.py", "six.pyc", "_native.cpython-311-x86_64-linux-gnu.so", "licence.txt"):
        (tmp_path / "function" / file).touch()
    shipped = Unpacked((tmp_path / "function", tmp_path / "layer"), 0)
    loaded = {"chalicelib.clock", "_native", "json"}
    assert put_off(shipped.libraries(), loaded) == {"cryptography", "jinja2", "six"}


def test_percentiles() -> None:
    assert percentiles([float(number) for number in range(1, 101)]) == pytest.approx((50.5, 99.01, 100))
    assert percentiles([7.0]) == (7, 7, 7)


def test_a_share_of_a_processor_stretches_what_is_computed_and_not_what_is_waited_for() -> None:
    swept = sweep(Took(2.0, 1), (300.0, Took(10.0, 2)), Took(20.0, 7))
    assert swept[FULL]["latency"] == 2 + WAIT
    assert swept[128]["latency"] == pytest.approx(2 * FULL / 128 + WAIT)
    assert swept[128]["cold"] == pytest.approx(300 + 10 * FULL / 128 + 2 * WAIT)
    assert swept[128]["sign-in"] == pytest.approx(20 * FULL / 128 + 7 * WAIT)
    assert swept[128]["gigabyte_seconds"] == pytest.approx(125 * swept[128]["latency"])


def test_the_size_follows_that_is_large_and_fast_enough_and_whose_double_is_dearer_by_more_than_faster() -> (
    None
):
    # Computing for as long as it waits is where both are even.
    even = WAIT * 256 / FULL
    assert following(sweep(Took(even, 1)), 50) == 256
    assert following(sweep(Took(even, 1)), 200) == 512, "for its peak"
    assert following(sweep(Took(even, 1), None, Took(20.0, 7)), 50) == 512, "for its sign-in"
    assert following(sweep(Took(even / 8, 1)), 50) == 128
    assert following(sweep(Took(even, 0)), 50) == FULL, "where nothing is waited for, it costs the same"
    assert following(sweep(Took(even, 1), None, Took(2000.0, 7)), 50) == FULL, "though that is too slow"


def test_how_far_off_the_times_may_be_is_told() -> None:
    even = WAIT * 256 / FULL
    low, high = steady((Took(even, 1), None, None), 50)
    assert (low, high) == (0.75, 1.4), "from the root of a half to the root of two"


CONFIG = {
    "lambda_memory_size": 1,
    "lambda_functions": {"bearer": {"lambda_memory_size": 2}, "authorizer": {"lambda_memory_size": 3}},
    "stages": {
        "dev": {"lambda_memory_size": 4},
        "prod": {"lambda_functions": {"bearer": {"lambda_memory_size": 5}}},
    },
}


def test_sizes_are_read_as_chalice_reads_them() -> None:
    assert [memory_size(name, CONFIG) for name in NAMES.values()] == [1, 5, 3]
    everywhere = CONFIG | {"stages": {"prod": {"lambda_memory_size": 6}}}
    assert [memory_size(name, everywhere) for name in NAMES.values()] == [6, 6, 6]
