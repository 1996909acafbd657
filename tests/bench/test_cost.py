"""The arithmetic of dollars."""

from dataclasses import replace

import pytest

from bench import cost
from bench.cost import ACCESS_LINE, GB, LAMBDA_LINES, Work
from management.infrastructure.gateway import ACCESS_LOG

NOTHING = Work(cpu=0, requests=0, read=0, write=0, logged=0)


def test_a_million_requests_cost_what_the_price_lists_say() -> None:
    work = Work(cpu=10, requests=2, read=1, write=2, logged=500, rows=1000, entries=100, cold=700)
    bill = cost.per_million(work, 1769)
    assert bill["API Gateway"] == 3.5
    assert bill["DynamoDB"] == pytest.approx(2 * 0.625 + 0.125)
    # 10 ms of CPU, 2 x 5 ms of waiting, 1 ms that one cold start in a thousand adds, 0.5 ms rounded up.
    assert bill["Lambda"] == pytest.approx(0.2 + 21_500 * 1769 / 1024 * 0.0000166667)
    # Point-in-time recovery is for rows, and not for an index.
    assert bill["storage"] == pytest.approx(1e9 / GB * 0.45 + 1e8 / GB * 0.25)
    assert bill["logs"] == pytest.approx((500 + LAMBDA_LINES + ACCESS_LINE) * 1e6 / GB * 0.5)


def test_several_calls_are_charged_for_and_logged_each() -> None:
    one, three = (cost.per_million(replace(NOTHING, calls=calls), 512) for calls in (1, 3))
    assert three == pytest.approx({item: 3 * price for item, price in one.items()})


def test_the_line_of_the_access_log_is_as_long_as_its_format_makes_it() -> None:
    """By hand: 12 names of 124 letters, the values, and `"":"",` for each."""
    assert len(ACCESS_LOG) == 13
    values = [13, 36, 36, 13, 4, 20, 3, 1, 2, 1, 1, 3, 3]
    assert sum(map(len, ACCESS_LOG)) + sum(values) + 6 * 13 + 1 == ACCESS_LINE


def test_half_the_memory_is_half_the_cpu() -> None:
    work = Work(cpu=10, requests=0, read=0, write=0, logged=0)
    small, large, huge = (work.milliseconds(memory) for memory in (1769 // 2, 1769, 3538))
    assert small == pytest.approx(2 * large, rel=0.1)
    assert huge == large


def test_arm_is_a_fifth_cheaper_but_requests_are_not() -> None:
    x86, arm = (cost.per_million(NOTHING, 512, name)["Lambda"] - 0.2 for name in ("x86_64", "arm64"))
    assert arm / x86 == pytest.approx(0.8, rel=1e-4)


def test_what_does_not_pass_the_gateway_is_not_charged_by_it() -> None:
    bill = cost.per_million(replace(NOTHING, through_gateway=False), 256)
    assert (bill["API Gateway"], bill["traffic"]) == (0, 0)
    assert bill["logs"] == pytest.approx(LAMBDA_LINES * 1e6 / GB * 0.5)


@pytest.mark.parametrize(
    ("cache", "interval", "share"),
    [
        (0, 10, 1),
        (60, 10, 1 / 6),
        (300, 1, 1 / 300),
        (60, 600, 1),
        # A call at 0, which is decided; at 40, which is not; at 80, which is.
        (60, 40, 1 / 2),
        (60, 60, 1),
    ],
)
def test_the_gateway_remembers_decisions(cache: int, interval: int, share: float) -> None:
    assert cost.decided(cache, interval) == pytest.approx(share)


def test_a_busy_function_seldom_reads_a_client() -> None:
    assert cost.unknown(5, 5) == 1 / 2
    assert cost.unknown(1, 99) == 1 / 100
    assert cost.unknown(10, 0) == 1


def test_at_rest_alarms_and_dashboards_cost_unless_they_are_free() -> None:
    assert cost.at_rest(9, 1, allowances=True) == 0
    assert cost.at_rest(9, 1, allowances=False) == pytest.approx(3.9)
    assert cost.at_rest(12, 4, allowances=True) == pytest.approx(3.2)


def test_cognito_asks_for_each_token_and_each_client() -> None:
    assert cost.cognito(1_000_000, 10) == pytest.approx(2250 + 60)
