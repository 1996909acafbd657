"""Our metrics, which CloudWatch reads out of the log by filters.

A filter costs nothing. The same written into each line (embedded metric format) makes a line twice
as long, and lines are paid for by the byte.
"""

from typing import Any

from chalicelib.catalogue import EVENTS, Event, Metric
from chalicelib.settings import settings
from management.infrastructure.names import logical_id
from management.infrastructure.policies import FUNCTIONS
from management.stage_settings import StageSettings

DECISIONS, THROTTLES = "AuthorizerDecisions", "DynamoDBThrottles"

API = "api_handler"
"""The function that tells every event but those of the authorizers."""


def resources(stage: StageSettings) -> dict[str, Any]:
    """Return the filters of each function's log, for the metrics that it can tell."""
    return {
        logical_id(function, f"{metric.name}Filter"): _filter(function, metric, events)
        for function in FUNCTIONS
        for metric, events in _counted().items()
        if (metric.name != DECISIONS if function == API else metric.name in (DECISIONS, THROTTLES))
    }


def _counted() -> dict[Metric, list[Event]]:
    """Return each metric, with the events that count for it."""
    counted: dict[Metric, list[Event]] = {}
    for event in EVENTS.values():
        for metric in event.metrics:
            counted.setdefault(metric, []).append(event)
    return counted


def _filter(function: str, metric: Metric, events: list[Event]) -> dict[str, Any]:
    transformation: dict[str, Any] = {
        "MetricNamespace": settings.table_prefix,
        "MetricName": metric.name,
        "MetricValue": f"$.{metric.value}" if metric.value else "1",
        "Unit": metric.unit,
    }
    if metric.dimension:
        transformation["Dimensions"] = [{"Key": metric.dimension, "Value": f"$.{metric.of}"}]
    return {
        "Type": "AWS::Logs::MetricFilter",
        "Properties": {
            "LogGroupName": {"Ref": logical_id(function, "LogGroup")},
            "FilterPattern": _pattern(metric, events),
            "MetricTransformations": [transformation],
        },
    }


def _pattern(metric: Metric, events: list[Event]) -> str:
    """Return what a line has to be like, in CloudWatch's language of filters for JSON."""
    named = " || ".join(f'($.event = "{event.name}")' for event in events)
    if metric.least:
        field, value = metric.least
        named = f"({named}) && ($.{field} >= {value})"
    return f"{{ {named} }}"
