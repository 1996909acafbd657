"""Whether two kinds of requests take different time: CPU time, in random order, compared by ranks.

Rounds are short: each kind is sent once in each, in random order. So whatever else the machine does
meets all kinds alike, and the differences within a round are as often above zero as below it, unless
one kind really takes longer. Wilcoxon's signed-rank test says how surprising they are.
"""

import gc
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any
from unittest import mock

from moto.core.models import botocore_stubber

SURPRISING = 4.9
"""Standard deviations: by chance once in 2,000,000 comparisons, of which the tests make fourteen."""


@contextmanager
def outside() -> Iterator[list[float]]:
    """Count the CPU seconds that go into moto, which stands in for another machine."""
    spent = [0.0]
    answer = botocore_stubber.process_request

    def timed(request: Any) -> Any:
        began = time.thread_time()
        try:
            return answer(request)
        finally:
            spent[0] += time.thread_time() - began

    with mock.patch.object(botocore_stubber, "process_request", timed):
        yield spent


def measure(kinds: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Return the CPU seconds of our own that each kind took, round by round."""
    taken: dict[str, list[float]] = {kind: [] for kind in kinds}
    order = list(kinds)
    gc.collect()
    gc.disable()
    try:
        with outside() as spent:
            for _ in range(rounds):
                random.shuffle(order)
                for kind in order:
                    began = time.thread_time() - spent[0]
                    kinds[kind]()
                    taken[kind].append(time.thread_time() - spent[0] - began)
    finally:
        gc.enable()
    return taken


def takes_longer(one: Sequence[float], other: Sequence[float], by: float) -> bool:
    """Tell whether one kind takes longer than another one by more than some seconds, beyond doubt."""
    return surprise([seconds - by for seconds in one], other) > SURPRISING


def surprise(one: Sequence[float], other: Sequence[float]) -> float:
    """Return how many standard deviations the signed ranks are off (Wilcoxon), for at least 30 rounds."""
    differences = [a - b for a, b in zip(one, other, strict=True) if a != b]
    differences.sort(key=abs)
    total, squares, rank = 0.0, 0.0, 0
    for _, tied in groupby(differences, key=abs):
        group = list(tied)
        mean = rank + (len(group) + 1) / 2
        rank += len(group)
        total += sum(math.copysign(mean, difference) for difference in group)
        squares += mean**2 * len(group)
    return total / math.sqrt(squares) if squares else 0.0
