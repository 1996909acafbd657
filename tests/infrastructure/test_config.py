"""What `.chalice/config.json` says of a stage: told where it is wrong, and documented."""

from pathlib import Path

import pytest

from management.stage_settings import _CHALICES, _OURS, StageError
from tests.infrastructure.conftest import Packaged
from tests.management.conftest import CommandLine

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


def test_the_command_line_says_in_a_sentence_what_is_wrong(packaged: Packaged) -> None:
    packaged("dev", deployment={"alarm_email": "ops@example.org"})
    with pytest.raises(StageError):
        packaged("dev", deployment={"throttle": {"GET /nowhere": {"rate": 1, "burst": 1}}})
    refusal = CommandLine().refused("--stage", "dev", "template", "resources")
    assert refusal == "Error: throttle: there is no route GET /nowhere"


def test_each_entry_is_documented() -> None:
    documented = OPERATIONS.read_text()
    for entry in (*_CHALICES, *_OURS):
        assert f"\n| `{entry}` |" in documented
