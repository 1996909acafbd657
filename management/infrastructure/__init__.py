"""What a deployment consists of besides code: tables, policies, the gateway's behaviour, alarms.

All of it is derived from the models, the code and `.chalice/config.json`; `manage.py template` and
`manage.py tables` render it. Each module here is one part of it, and has `resources(stage)`.
"""

from typing import Any

from management.infrastructure import (
    alarms,
    authorizer,
    dashboard,
    domain,
    events,
    functions,
    gateway,
    metrics,
    outputs,
    policies,
    tables,
)
from management.stage_settings import StageSettings

PARTS = (tables, policies, functions, metrics, gateway, authorizer, domain, events, alarms, dashboard)


def template(stage: StageSettings) -> dict[str, Any]:
    """Return what is merged into the template that Chalice makes.

    Raises:
        StageError: the stage's settings name a route or a function that there is not.
    """
    merged: dict[str, Any] = {}
    for part in PARTS:
        for name, resource in part.resources(stage).items():
            _merge(merged, name, resource)
    return {
        "Parameters": gateway.PARAMETERS,
        "Conditions": gateway.CONDITIONS,
        "Resources": merged,
        "Outputs": outputs.outputs(stage),
    }


def _merge(target: dict[str, Any], name: str, value: Any) -> None:
    """Put a value beside what other parts say of the same thing."""
    if isinstance(value, dict) and isinstance(target.get(name), dict):
        for inner, inner_value in value.items():
            _merge(target[name], inner, inner_value)
    else:
        target[name] = value
