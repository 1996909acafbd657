"""What benchmarks claim of time and memory, with bounds for machines that are busy with other things.

With `test_counts.py`, this is what `make bench-quick` looks at.
"""

from types import ModuleType

import pytest

from bench.sections import cold_start, cpu, memory


@pytest.mark.parametrize("section", [cpu, cold_start, memory], ids=lambda section: section.__name__)
def test_nothing_is_far_from_what_is_claimed(section: ModuleType) -> None:
    found = section.measure(True, {})
    assert found.claims
    assert [(claim.name, claim.value) for claim in found.claims if not claim.holds] == []
