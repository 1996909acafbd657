"""The functions: what is said of them beyond what Chalice knows."""

from typing import Any

from management.infrastructure.policies import FUNCTIONS
from management.stage_settings import StageSettings


def resources(stage: StageSettings) -> dict[str, Any]:
    """Return the functions, by their logical ids, to merge into Chalice's."""
    return {
        logical_id: {"Properties": {"FunctionName": stage.function_name(function)}}
        for function, logical_id in FUNCTIONS.items()
    }
