"""What the stack tells: `manage.py deploy` prints it, other stacks may import it."""

from typing import Any

from management.infrastructure import events
from management.stage_settings import StageSettings


def outputs(stage: StageSettings) -> dict[str, Any]:
    """Return the outputs, by their logical ids, beside those of Chalice."""
    return {
        "BearerArn": {
            "Description": "The authorizer of this app's own routes",
            "Value": {"Fn::GetAtt": ["Bearer", "Arn"]},
        }
    } | events.outputs(stage)
