"""Who is told of what, and what there is to look at."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from management.stage_settings import StageSettings
from tests.infrastructure.conftest import Packaged

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
EMAIL = {"alarm_email": "ops@example.org"}
FREE = 10
"""Alarms in an account that cost nothing."""

OF_AWS = {
    "AWS/ApiGateway": {"Count", "4XXError", "5XXError", "Latency"},
    "AWS/Lambda": {"Duration", "Throttles", "ConcurrentExecutions"},
    "AWS/DynamoDB": {"ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"},
    "AWS/SES": {"Reputation.BounceRate"},
}
OURS = {
    "TokensIssued": "GrantType",
    "RequestsRefused": "Error",
    "SecurityEvents": "Event",
    "AuthorizerDecisions": "Decision",
    "Latency": "Endpoint",
    "SignInsFailed": None,
    "DynamoDBThrottles": None,
    "ServerErrors": None,
}
"""The metrics that the functions emit, and the dimension of each."""


def of_type(template: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == kind
    }


def alarms(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return of_type(template, "AWS::CloudWatch::Alarm")


def test_prod_is_watched_and_a_stage_of_which_nobody_wants_to_be_told_is_not(packaged: Packaged) -> None:
    for template, watched in (
        (packaged("prod"), True),
        (packaged("dev"), False),
        (packaged("dev", deployment=EMAIL), True),
    ):
        for kind in ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard", "AWS::SNS::Topic"):
            assert bool(of_type(template, kind)) is watched
        assert ("AlarmTopicArn" in template["Outputs"]) is watched


def test_who_the_stage_names_is_told_by_mail(packaged: Packaged) -> None:
    (topic,) = of_type(packaged("prod", deployment=EMAIL), "AWS::SNS::Topic").values()
    assert topic["Subscription"] == [{"Protocol": "email", "Endpoint": "ops@example.org"}]


def test_without_an_address_there_is_a_topic_to_subscribe_to(packaged: Packaged) -> None:
    (topic,) = of_type(packaged("prod"), "AWS::SNS::Topic").values()
    assert topic == {"TopicName": "oauth-prod-alarms"}


def test_alarms_are_no_more_than_what_is_free(
    packaged: Packaged, change_setting: Callable[[str, object], None]
) -> None:
    change_setting("mail_from", "no-reply@maps.example")
    change_setting("mail", "ses")
    assert len(alarms(packaged())) == FREE


def test_bounces_are_watched_where_mail_goes_through_ses(
    packaged: Packaged, change_setting: Callable[[str, object], None]
) -> None:
    assert "MailBouncesAlarm" not in alarms(packaged())
    change_setting("mail", "ses")
    change_setting("mail_from", "no-reply@maps.example")
    assert alarms(packaged())["MailBouncesAlarm"]["MetricName"] == "Reputation.BounceRate"


def test_each_alarm_tells_somebody_and_where_nothing_happens_is_none(packaged: Packaged) -> None:
    for alarm in alarms(packaged()).values():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlarmTopic"}]
        assert alarm["TreatMissingData"] == "notBreaching"


def test_each_alarm_says_what_to_do_and_the_documentation_says_more(packaged: Packaged) -> None:
    documented = OPERATIONS.read_text()
    assert "\n## Alarms\n" in documented
    for alarm in alarms(packaged()).values():
        assert alarm["AlarmDescription"].endswith('See docs/operations.md, "Alarms".')
        name = alarm["AlarmName"].removeprefix("oauth-prod-")
        assert f"\n| `{name}` |" in documented


def test_alarms_watch_metrics_that_there_are(packaged: Packaged) -> None:
    for alarm in alarms(packaged()).values():
        metric, dimensions = alarm["MetricName"], {entry["Name"] for entry in alarm["Dimensions"]}
        if alarm["Namespace"] == "oauth-test":
            assert dimensions == ({OURS[metric]} - {None})
        else:
            assert metric in OF_AWS[alarm["Namespace"]]


def test_alarms_of_aws_s_metrics_are_about_this_stage(packaged: Packaged) -> None:
    watched = alarms(packaged())
    by_name = {
        name: {entry["Name"]: entry["Value"] for entry in alarm["Dimensions"]}
        for name, alarm in watched.items()
    }
    assert by_name["ServerErrorsAlarm"] == {"ApiName": "oauth", "Stage": "prod"}
    assert by_name["SlowAlarm"] == {"FunctionName": "oauth-prod"}
    assert by_name["AuthorizerThrottledAlarm"] == {"FunctionName": "oauth-prod-bearer"}
    definition = packaged()["Resources"]["RestAPI"]["Properties"]
    assert definition["DefinitionBody"]["info"]["title"] == "oauth"
    assert definition["StageName"] == StageSettings.of("prod").api_gateway_stage


def test_slow_is_before_the_gateway_gives_up(packaged: Packaged) -> None:
    alarm = alarms(packaged())["SlowAlarm"]
    assert alarm["ExtendedStatistic"] == "p99"
    assert alarm["Threshold"] < packaged()["Resources"]["APIHandler"]["Properties"]["Timeout"] * 1000


def dashboard(packaged: Packaged) -> list[dict[str, Any]]:
    (properties,) = of_type(packaged(), "AWS::CloudWatch::Dashboard").values()
    assert properties["DashboardName"] == "oauth-prod"
    body = properties["DashboardBody"]["Fn::Sub"]
    assert set(re.findall(r"\$\{(.*?)\}", body)) == {"AWS::Region", "AWS::Partition", "AWS::AccountId"}
    return list(json.loads(body)["widgets"])


def test_the_dashboard_shows_each_metric_of_ours(packaged: Packaged) -> None:
    shown = json.dumps([widget["properties"].get("metrics") for widget in dashboard(packaged)])
    for metric, dimension in OURS.items():
        search = f'{{\\\\\\"oauth-test\\\\\\",\\\\\\"{dimension}\\\\\\"}} MetricName=\\\\\\"{metric}\\\\\\"'
        plain = f'["oauth-test", "{metric}"]'
        assert (search.replace("\\\\", "") if dimension else plain) in shown, metric


def test_the_dashboard_shows_metrics_of_aws_that_there_are(packaged: Packaged) -> None:
    seen = set()
    for widget in dashboard(packaged):
        for namespace, metric, *_ in (
            entry for entry in widget["properties"].get("metrics", []) if isinstance(entry[0], str)
        ):
            if namespace != "oauth-test":
                assert metric in OF_AWS[namespace]
                seen.add(namespace)
    assert seen == set(OF_AWS) - {"AWS/SES"}


def test_the_dashboard_shows_the_state_of_every_alarm(packaged: Packaged) -> None:
    (states,) = (widget["properties"] for widget in dashboard(packaged) if widget["type"] == "alarm")
    named = {arn.rpartition(":")[2] for arn in states["alarms"]}
    assert named == {alarm["AlarmName"] for alarm in alarms(packaged()).values()}


def test_widgets_do_not_lie_upon_each_other(packaged: Packaged) -> None:
    places: set[tuple[int, int]] = set()
    for widget in dashboard(packaged):
        assert widget["x"] + widget["width"] <= 24
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not cells & places
        places |= cells
