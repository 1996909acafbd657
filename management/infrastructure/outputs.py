"""What the stack tells: `manage.py deploy` prints it, other stacks may import it."""

from typing import Any

from management.infrastructure import authorizer, domain, events, functions
from management.stage_settings import StageSettings


def outputs(stage: StageSettings) -> dict[str, Any]:
    """Return the outputs, by their logical ids, beside those of Chalice."""
    told: dict[str, Any] = {
        "BearerArn": {
            "Description": "The authorizer of this app's own routes",
            "Value": functions.arn("bearer"),
        },
        "AuthorizerArn": {
            "Description": f"The authorizer of other APIs, also in {authorizer.parameter(stage)}",
            "Value": functions.arn("authorizer"),
        },
    }
    if stage.domain_name:
        told["DomainTarget"] = {
            "Description": f"What {stage.domain_name} has to lead to in DNS (CNAME, or alias)",
            "Value": domain.target(stage),
        }
    if stage.is_watched:
        told["AlarmTopicArn"] = {
            "Description": "The SNS topic that is told of alarms",
            "Value": {"Ref": "AlarmTopic"},
        }
    return told | events.outputs(stage)
