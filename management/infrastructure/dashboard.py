"""The dashboard: what one looks at first when somebody says that something is wrong.

Three dashboards are free in an account, as long as each shows no more than 50 metrics. A token that is
refused counts as an error of the authorizer's function, so those errors tell nothing and are not shown.
"""

import json
from collections.abc import Sequence
from typing import Any

from chalicelib.settings import settings
from management.infrastructure.alarms import alarms, full_name
from management.infrastructure.policies import FUNCTIONS
from management.infrastructure.tables import TABLES
from management.stage_settings import StageSettings

PERIOD = 300
"""Seconds."""
HALF, HEIGHT = 12, 6
"""A dashboard is 24 columns wide."""

Metric = list[Any]


def resources(stage: StageSettings) -> dict[str, Any]:
    """Return the dashboard of a stage that is watched."""
    if not stage.is_watched:
        return {}
    body = json.dumps({"widgets": _widgets(stage)})
    return {
        "Dashboard": {
            "Type": "AWS::CloudWatch::Dashboard",
            "Properties": {"DashboardName": stage.stack_name, "DashboardBody": {"Fn::Sub": body}},
        }
    }


def _widgets(stage: StageSettings) -> list[dict[str, Any]]:
    graphs = [
        _graph("Requests", "Sum", _of_the_api(stage, "Count", "4XXError", "5XXError")),
        _graph("Time to answer, p50 and p99 (ms)", "p99", _latencies(stage)),
        _graph("Tokens issued, by grant type", "Sum", [_ours("TokensIssued", "GrantType")]),
        _graph("Requests refused, by error", "Sum", [_ours("RequestsRefused", "Error")]),
        _graph("The authorizer's decisions", "Sum", [_ours("AuthorizerDecisions", "Decision")]),
        _graph(
            "Security events, and sign-ins that failed",
            "Sum",
            [_ours("SecurityEvents", "Event"), [settings.table_prefix, "SignInsFailed"]],
        ),
        _graph("Time of our code, p99, by endpoint (ms)", "p99", [_ours("Latency", "Endpoint", "p99")]),
        _graph("Functions: throttles", "Sum", _of_functions(stage, "Throttles")),
        _graph("Functions: running at once", "Maximum", _of_functions(stage, "ConcurrentExecutions")),
        _graph(
            "DynamoDB: units", "Sum", _of_tables("ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits")
        ),
        _graph(
            "Refused by DynamoDB, and our 5xx",
            "Sum",
            [[settings.table_prefix, "DynamoDBThrottles"], [settings.table_prefix, "ServerErrors"]],
        ),
    ]
    below = 3
    for index, graph in enumerate(graphs):
        graph |= {"x": index % 2 * HALF, "y": below + index // 2 * HEIGHT, "width": HALF, "height": HEIGHT}
    return [_states_of_alarms(stage) | {"x": 0, "y": 0, "width": 2 * HALF, "height": below}, *graphs]


def _states_of_alarms(stage: StageSettings) -> dict[str, Any]:
    prefix = "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:"
    arns = [prefix + full_name(alarm, stage) for alarm in alarms(stage)]
    return {"type": "alarm", "properties": {"title": "Alarms", "alarms": arns}}


def _graph(title: str, statistic: str, metrics: Sequence[Metric]) -> dict[str, Any]:
    return {
        "type": "metric",
        "properties": {
            "title": title,
            "region": "${AWS::Region}",
            "stat": statistic,
            "period": PERIOD,
            "metrics": metrics,
        },
    }


def _ours(metric: str, dimension: str, statistic: str = "Sum") -> Metric:
    """Find a metric of ours in each value that its dimension ever had."""
    search = f'{{"{settings.table_prefix}","{dimension}"}} MetricName="{metric}"'
    return [{"expression": f"SEARCH('{search}', '{statistic}', {PERIOD})", "label": ""}]


def _of_the_api(stage: StageSettings, *metrics: str) -> list[Metric]:
    api = ["ApiName", stage.app_name, "Stage", stage.api_gateway_stage]
    return [["AWS/ApiGateway", metric, *api] for metric in metrics]


def _latencies(stage: StageSettings) -> list[Metric]:
    (latency,) = _of_the_api(stage, "Latency")
    return [[*latency, {"stat": "p50", "label": "p50"}], [*latency, {"label": "p99"}]]


def _of_functions(stage: StageSettings, *metrics: str) -> list[Metric]:
    return [
        ["AWS/Lambda", metric, "FunctionName", stage.function_name(function)]
        for function in FUNCTIONS
        for metric in metrics
    ]


def _of_tables(*metrics: str) -> list[Metric]:
    return [
        ["AWS/DynamoDB", metric, "TableName", model.Meta.table_name]
        for model in TABLES.values()
        for metric in metrics
    ]
