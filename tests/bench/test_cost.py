"""The arithmetic of dollars."""

import pytest

from bench import cost
from bench.cost import GB, Work

NOTHING = Work(cpu=0, requests=0, read=0, write=0, logged=0, answered=0)


def test_a_million_requests_cost_what_the_price_lists_say() -> None:
    bill = cost.per_million(Work(cpu=10, requests=2, read=1, write=2, logged=0, stored=1000), 1769)
    assert bill["API Gateway"] == 3.5
    assert bill["DynamoDB"] == pytest.approx(2 * 0.625 + 0.125)
    # 10 ms of CPU, 2 x 5 ms of waiting, and 1.5 ms that one cold start in a thousand adds to each.
    assert bill["Lambda"] == pytest.approx(0.2 + 21_500 * 1769 / 1024 * 0.0000166667)
    assert bill["storage"] == pytest.approx(1e9 / GB * 0.45)
    assert bill["logs"] == pytest.approx(280e6 / GB * 0.5)


def test_half_the_memory_is_half_the_cpu() -> None:
    work = Work(cpu=10, requests=0, read=0, write=0, logged=0)
    small, large, huge = (work.milliseconds(memory) for memory in (1769 // 2, 1769, 3538))
    assert small == pytest.approx(2 * large, rel=0.1)
    assert huge == large


def test_arm_is_a_fifth_cheaper_but_requests_are_not() -> None:
    x86, arm = (cost.per_million(NOTHING, 512, name)["Lambda"] - 0.2 for name in ("x86_64", "arm64"))
    assert arm / x86 == pytest.approx(0.8, rel=1e-4)


def test_what_does_not_pass_the_gateway_is_not_charged_by_it() -> None:
    assert cost.per_million(Work(1, 1, 1, 0, 0, through_gateway=False), 256)["API Gateway"] == 0


@pytest.mark.parametrize(
    ("cache", "interval", "share"), [(0, 10, 1), (60, 10, 1 / 6), (300, 1, 1 / 300), (60, 600, 1)]
)
def test_the_gateway_remembers_decisions(cache: int, interval: int, share: float) -> None:
    assert cost.decided(cache, interval) == pytest.approx(share)


def test_at_rest_alarms_and_dashboards_cost_unless_they_are_free() -> None:
    assert cost.at_rest(9, 1, allowances=True) == 0
    assert cost.at_rest(9, 1, allowances=False) == pytest.approx(3.9)
    assert cost.at_rest(12, 4, allowances=True) == pytest.approx(3.2)


def test_cognito_asks_for_each_token_and_each_client() -> None:
    assert cost.cognito(1_000_000, 10) == pytest.approx(2250 + 60)
