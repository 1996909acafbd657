"""Alarms, and the topic that is told of them.

Ten alarms are free in an account, so there are ten at the most; what is not here is on the dashboard.
Where nothing happens there is nothing to measure, and no alarm.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.settings import settings
from management.stage_settings import StageSettings

MINUTE, HOUR = 60, 3600
SLOW = 10_000
"""Milliseconds: where DynamoDB does not answer at all, a request takes 15,000 to 18,000."""


@dataclass(frozen=True)
class Alarm:
    """What is not as it should be."""

    name: str
    means: str
    """What happened, and what to do first."""
    namespace: str
    metric: str
    threshold: float
    """So much in a period is too much."""
    dimensions: Mapping[str, str] = field(default_factory=dict)
    statistic: str = "Sum"
    period: int = 5 * MINUTE
    periods: int = 1
    """How many periods on end have to be so."""


def alarms(stage: StageSettings) -> list[Alarm]:
    """Return what is watched of a stage, by AWS's metrics and by ours."""
    api = {"ApiName": stage.app_name, "Stage": stage.api_gateway_stage}
    ours = settings.table_prefix
    handler, bearer = ({"FunctionName": stage.function_name(name)} for name in ("api_handler", "bearer"))
    watched = [
        Alarm(
            "server-errors",
            "Requests end in a 5xx. Find them in the access log, then by request id in the function's.",
            "AWS/ApiGateway",
            "5XXError",
            5,
            api,
        ),
        Alarm(
            "slow",
            "One in a hundred requests takes 10 s. Look at DynamoDB's latency and the OpenID provider's.",
            "AWS/Lambda",
            "Duration",
            SLOW,
            handler,
            statistic="p99",
            periods=3,
        ),
        Alarm(
            "authorizer-fails",
            "Tokens cannot be checked, and nobody gets in. Look at the authorizer's log and at DynamoDB.",
            ours,
            "AuthorizerDecisions",
            5,
            {"Decision": "failed"},
        ),
        Alarm(
            "authorizer-throttled",
            "The authorizer is called more often than Lambda lets it run. Raise the account's concurrency.",
            "AWS/Lambda",
            "Throttles",
            1,
            bearer,
        ),
        Alarm(
            "database-throttled",
            "DynamoDB refuses requests. Look for the table and the key that are hot.",
            ours,
            "DynamoDBThrottles",
            1,
        ),
        Alarm(
            "refresh-reused",
            "Refresh tokens that were traded before came again: thefts, or a client that stores them badly."
            " The grants are revoked. Look in the audit trail for the client.",
            ours,
            "SecurityEvents",
            5,
            {"Event": "refresh.reused"},
            period=HOUR,
        ),
        Alarm(
            "code-replayed",
            "Codes came twice: stolen ones, or a client that sends them twice. The grants are revoked."
            " Look in the audit trail for the client.",
            ours,
            "SecurityEvents",
            5,
            {"Event": "code.replayed"},
            period=HOUR,
        ),
        Alarm(
            "sign-ins-failed",
            "Somebody tries passwords. They are slowed down; look in the logs for where it comes from.",
            ours,
            "SignInsFailed",
            100,
        ),
        Alarm(
            "invalid-clients",
            "Clients fail to authenticate: a secret that was rotated, or somebody who guesses.",
            ours,
            "RequestsRefused",
            100,
            {"Error": "invalid_client"},
        ),
    ]
    if settings.mail == "ses":
        watched.append(
            Alarm(
                "mail-bounces",
                "One in twenty mails comes back, and SES stops at one in ten. Look for who asks for them.",
                "AWS/SES",
                "Reputation.BounceRate",
                0.05,
                statistic="Maximum",
                period=HOUR,
            )
        )
    return watched


def resources(stage: StageSettings) -> dict[str, Any]:
    """Return the alarms and their topic, by their logical ids; nothing for a stage that is not watched."""
    if not stage.is_watched:
        return {}
    topic: dict[str, Any] = {
        "Type": "AWS::SNS::Topic",
        "Properties": {"TopicName": f"{stage.stack_name}-alarms"},
    }
    if stage.alarm_email:
        topic["Properties"]["Subscription"] = [{"Protocol": "email", "Endpoint": stage.alarm_email}]
    return {"AlarmTopic": topic} | {
        _logical_id(alarm): _alarm_resource(alarm, stage) for alarm in alarms(stage)
    }


def _logical_id(alarm: Alarm) -> str:
    return "".join(word.capitalize() for word in alarm.name.split("-")) + "Alarm"


def _alarm_resource(alarm: Alarm, stage: StageSettings) -> dict[str, Any]:
    statistic = "ExtendedStatistic" if alarm.statistic.startswith("p") else "Statistic"
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmName": full_name(alarm, stage),
            "AlarmDescription": f'{alarm.means} See docs/operations.md, "Alarms".',
            "Namespace": alarm.namespace,
            "MetricName": alarm.metric,
            "Dimensions": [{"Name": name, "Value": value} for name, value in alarm.dimensions.items()],
            statistic: alarm.statistic,
            "Period": alarm.period,
            "EvaluationPeriods": alarm.periods,
            "Threshold": alarm.threshold,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "TreatMissingData": "notBreaching",
            "AlarmActions": [{"Ref": "AlarmTopic"}],
            "OKActions": [{"Ref": "AlarmTopic"}],
        },
    }


def full_name(alarm: Alarm, stage: StageSettings) -> str:
    """Return what an alarm is called in CloudWatch."""
    return f"{stage.stack_name}-{alarm.name}"
