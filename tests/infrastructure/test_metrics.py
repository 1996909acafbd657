"""What CloudWatch reads out of the functions' logs."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from chalicelib.catalogue import EVENTS
from chalicelib.models.table import StorageError
from tests.conftest import Log
from tests.faults import FAULTS, storage_fails
from tests.harness import Browser, Deployment, authorize, is_alive
from tests.infrastructure.conftest import Packaged, Template

Line = Mapping[str, Any]

API, BEARER, AUTHORIZER = "ApiHandlerLogGroup", "BearerLogGroup", "AuthorizerLogGroup"

LONGEST_PATTERN = 1024
"""Characters (PutMetricFilter)."""


def matches(pattern: str, line: Line) -> bool:
    """Tell whether a line is what a filter looks for, in as much of the language as our filters have."""
    (condition,) = re.findall(r"^\{ (.*) \}$", pattern)
    return all(
        any(holds(term, line) for term in clause.split(" || ")) for clause in str(condition).split(" && ")
    )


def holds(term: str, line: Line) -> bool:
    found = re.fullmatch(r'\(+\$\.(\w+) (?:= "([^"]+)"|>= (\d+))\)+', term)
    assert found, term
    field, text, least = found.groups()
    return bool(line[field] == text if text else line[field] >= int(least))


def filters(template: Template, log_group: str) -> list[dict[str, Any]]:
    found = [
        resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Logs::MetricFilter"
    ]
    return [one for one in found if one["LogGroupName"] == {"Ref": log_group}]


def measured(template: Template, log_group: str, lines: Sequence[Line]) -> Counter[tuple[str, str]]:
    """Return how often each metric is measured, by the value of its dimension."""
    points: Counter[tuple[str, str]] = Counter()
    for one in filters(template, log_group):
        (made,) = one["MetricTransformations"]
        assert made["MetricNamespace"] == "oauth-test"
        for line in lines:
            if matches(one["FilterPattern"], line):
                if made["MetricValue"] != "1":
                    assert line[made["MetricValue"].removeprefix("$.")] >= 0
                dimension = "".join(
                    line[part["Value"].removeprefix("$.")] for part in made.get("Dimensions", [])
                )
                points[made["MetricName"], dimension] += 1
    return points


def test_what_happens_is_counted_in_the_log_of_the_function_that_tells_it(
    deployment: Deployment, packaged: Packaged, log: Log
) -> None:
    app = deployment.add_app(grant_types=("client_credentials",))
    token = app.token(grant_type="client_credentials").json["access_token"]
    app.token(grant_type="client_credentials", client_secret="wrong")
    with storage_fails(FAULTS["unavailable"]):
        app.token(grant_type="client_credentials")
    browser = Browser()
    browser.submit(browser.get("/sign-in"), email="nobody@example.org", password="wrong")
    assert is_alive(token)
    assert not is_alive("garbage")
    with storage_fails(FAULTS["unavailable"]), pytest.raises(StorageError):
        authorize(token)
    lines = log.events()
    decisions = [line for line in lines if line["event"].startswith("authorizer.")]
    others = [line for line in lines if line not in decisions]
    template = packaged()
    assert measured(template, API, others) == {
        ("TokensIssued", "client_credentials"): 1,
        ("RequestsRefused", "invalid_client"): 1,
        ("ServerErrors", ""): 1,
        ("SignInsFailed", ""): 1,
        ("Latency", "/oauth2/access_token"): 3,
        ("Latency", "other"): 2,
    }
    for group in (BEARER, AUTHORIZER):
        assert measured(template, group, decisions) == {
            ("AuthorizerDecisions", "allowed"): 1,
            ("AuthorizerDecisions", "refused"): 1,
            ("AuthorizerDecisions", "failed"): 1,
        }


def test_each_event_counts_for_the_metrics_that_the_catalogue_names(packaged: Packaged) -> None:
    template = packaged()
    for event in EVENTS.values():
        line = {"event": event.name, "status": 500}
        group = BEARER if event.name.startswith("authorizer.") else API
        counted = [
            made["MetricName"]
            for one in filters(template, group)
            if matches(one["FilterPattern"], line)
            for made in one["MetricTransformations"]
        ]
        assert counted == [metric.name for metric in event.metrics], event.name


def test_a_throttle_is_counted_whichever_function_meets_it(packaged: Packaged) -> None:
    template, line = packaged(), {"event": "dynamodb.throttled"}
    for group in (API, BEARER, AUTHORIZER):
        assert [one for one in filters(template, group) if matches(one["FilterPattern"], line)]


def test_filters_are_as_short_as_they_have_to_be(packaged: Packaged) -> None:
    template = packaged()
    patterns = [one["FilterPattern"] for one in filters(template, API)]
    assert patterns
    assert max(map(len, patterns)) <= LONGEST_PATTERN
