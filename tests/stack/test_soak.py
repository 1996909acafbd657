"""A short soak: `make soak` is the long one."""

import os
import secrets

import pytest

from tests.last_words import say
from tests.soak.__main__ import described
from tests.soak.soak import soaking

SECONDS = float(os.environ.get("SOAK_SECONDS", "35"))
"""Less setting up and the last look, which take as long again."""


def test_nothing_works_that_must_not_and_all_works_that_must(request: pytest.FixtureRequest) -> None:
    seed = os.environ.get("SOAK_SEED") or secrets.token_hex(4)
    with soaking(seed, SECONDS) as soak:
        summary = soak.run(print, 10)
    faults = sum(summary.faults.values())
    say(
        request.config,
        f"soak, seed {seed}: {summary.requests:,} requests, {faults:,} faults, {summary.looks} looks,"
        f" {len(summary.violations)} violations",
    )
    assert not summary.violations, described(summary)
    assert {"must work", "must not work"} <= summary.looks.keys() | summary.final["looks"].keys()
