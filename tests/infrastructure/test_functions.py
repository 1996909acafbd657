"""The functions of the template: their logs, traces, processors and warm instances."""

import copy
import json
from typing import Any

import pytest

from management.infrastructure import functions
from management.infrastructure.policies import policy
from management.stage_settings import StageError, StageSettings
from tests.infrastructure.conftest import CONFIG, Packaged

FUNCTIONS = {
    "APIHandler": "oauth-dev",
    "Bearer": "oauth-dev-bearer",
    "Authorizer": "oauth-dev-authorizer",
}
ROLES = ("ApiHandlerRole", "BearerRole", "AuthorizerRole")


def actions(resources: dict[str, Any], role: str) -> set[str]:
    (inline,) = resources[role]["Properties"]["Policies"]
    return {action for statement in inline["PolicyDocument"]["Statement"] for action in statement["Action"]}


@pytest.mark.parametrize(
    "entries", [{}, {"log_retention_in_days": 30}], ids=["by default", "as Chalice has it"]
)
def test_logs_are_kept_for_a_month(packaged: Packaged, entries: dict[str, Any]) -> None:
    resources = packaged("dev", **entries)["Resources"]
    groups = {
        name: resource["Properties"]
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Logs::LogGroup" and name != "AccessLog"
    }
    functions = [
        resource["Properties"]["FunctionName"]
        for resource in resources.values()
        if resource["Type"] == "AWS::Serverless::Function"
    ]
    names = [f"/aws/lambda/{function}" for function in functions]
    assert sorted(group["LogGroupName"] for group in groups.values()) == sorted(names)
    assert {group["RetentionInDays"] for group in groups.values()} == {30}
    assert groups["ApiHandlerLogGroup"]["LogGroupName"] == "/aws/lambda/oauth-dev"


def test_a_function_waits_for_its_log_group_and_cannot_make_one_that_stays_for_ever(
    packaged: Packaged,
) -> None:
    resources = packaged("dev")["Resources"]
    assert resources["APIHandler"]["DependsOn"] == ["ApiHandlerLogGroup"]
    assert resources["Bearer"]["DependsOn"] == ["BearerLogGroup"]
    for role in ROLES:
        assert "logs:CreateLogGroup" not in actions(resources, role)


def test_plain_chalice_deploy_leaves_it_to_the_function_to_make_its_log_group() -> None:
    for function in ("api_handler", "bearer"):
        logs = policy(function, StageSettings.of("dev"))["Statement"][-1]
        assert "logs:CreateLogGroup" in logs["Action"]


def test_requests_are_traced_if_the_stage_says_so(packaged: Packaged) -> None:
    resources = packaged("dev", xray=True, deployment={"event_bus": "platform"})["Resources"]
    assert resources["RestAPI"]["Properties"]["TracingEnabled"] is True
    for function, role in zip((*FUNCTIONS, "Publisher"), (*ROLES, "PublisherRole"), strict=True):
        assert resources[function]["Properties"]["Tracing"] == "Active"
        assert {"xray:PutTelemetryRecords", "xray:PutTraceSegments"} <= actions(resources, role)


def test_otherwise_nothing_is_traced_and_no_function_may(packaged: Packaged) -> None:
    resources = packaged("dev")["Resources"]
    assert resources["RestAPI"]["Properties"]["TracingEnabled"] is False
    for function, role in zip(FUNCTIONS, ROLES, strict=True):
        assert resources[function]["Properties"]["Tracing"] == "PassThrough"
        assert not any(action.startswith("xray:") for action in actions(resources, role))


@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_functions_run_on_the_processor_of_the_stage(packaged: Packaged, architecture: str) -> None:
    resources = packaged("dev", lambda_architecture=architecture)["Resources"]
    for function in FUNCTIONS:
        assert resources[function]["Properties"]["Architectures"] == [architecture]


def test_memory_is_set_by_function(packaged: Packaged) -> None:
    functions = copy.deepcopy(CONFIG["stages"]["dev"]["lambda_functions"])
    functions["api_handler"]["lambda_memory_size"] = 1769
    functions["bearer"] = functions["bearer"] | {"lambda_memory_size": 512, "reserved_concurrency": 50}
    resources = packaged("dev", lambda_functions=functions)["Resources"]
    assert resources["APIHandler"]["Properties"]["MemorySize"] == 1769
    assert resources["Bearer"]["Properties"]["MemorySize"] == 512
    assert resources["Bearer"]["Properties"]["ReservedConcurrentExecutions"] == 50


def uris(resources: dict[str, Any]) -> dict[str, str]:
    """Where the API sends requests, and where it asks about tokens."""
    definition = resources["RestAPI"]["Properties"]["DefinitionBody"]
    integrations = {
        json.dumps(method["x-amazon-apigateway-integration"]["uri"])
        for methods in definition["paths"].values()
        for name, method in methods.items()
        if name != "options"
    }
    (integration,) = integrations
    authorizer = definition["securityDefinitions"]["bearer"]["x-amazon-apigateway-authorizer"]
    return {"APIHandler": integration, "Bearer": json.dumps(authorizer["authorizerUri"])}


def test_requests_go_to_the_version_that_answers(packaged: Packaged) -> None:
    template = packaged("dev")
    resources = template["Resources"]
    for function, uri in uris(resources).items():
        assert f'"Ref": "{function}.Alias"' in uri
    for function in FUNCTIONS:
        properties = resources[function]["Properties"]
        assert properties["AutoPublishAlias"] == "live"
        assert properties["AutoPublishAliasAllProperties"] is True
        assert "ProvisionedConcurrencyConfig" not in properties
        permission = resources[f"{function}AliasInvokePermission"]["Properties"]
        assert permission["FunctionName"] == {"Ref": f"{function}.Alias"}
    assert template["Outputs"]["BearerArn"]["Value"] == {"Ref": "Bearer.Alias"}
    for where in ("FunctionName", "Value"):
        told = [resource["Properties"].get(where) for resource in resources.values()]
        assert {"Ref": "Authorizer.Alias"} in told


def test_as_many_instances_are_kept_warm_as_the_stage_says(packaged: Packaged) -> None:
    warm = {"api_handler": 2, "bearer": 3}
    resources = packaged("dev", deployment={"provisioned_concurrency": warm})["Resources"]
    for function, count in {"APIHandler": 2, "Bearer": 3}.items():
        concurrency = {"ProvisionedConcurrentExecutions": count}
        assert resources[function]["Properties"]["ProvisionedConcurrencyConfig"] == concurrency
    assert "ProvisionedConcurrencyConfig" not in resources["Authorizer"]["Properties"]


def test_a_function_starts_from_a_snapshot_if_the_stage_says_so(
    packaged: Packaged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(functions, "PYTHON", (3, 12))
    entries = {"snap_start": ["api_handler"], "provisioned_concurrency": {"bearer": 1}}
    resources = packaged("dev", deployment=entries)["Resources"]
    assert resources["APIHandler"]["Properties"]["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    assert resources["APIHandler"]["Properties"]["AutoPublishAlias"]
    for function in ("Bearer", "Authorizer"):
        assert "SnapStart" not in resources[function]["Properties"]


@pytest.mark.parametrize(
    ("python", "entries", "message"),
    [
        ((3, 11), {"snap_start": ["bearer"]}, "snap_start: Lambda has it for Python 3.12 or later"),
        ((3, 12), {"snap_start": ["handler"]}, "snap_start: there is no handler, but api_handler"),
        (
            (3, 12),
            {"snap_start": ["bearer"], "provisioned_concurrency": {"bearer": 1}},
            "snap_start: bearer has provisioned_concurrency",
        ),
    ],
)
def test_a_snapshot_that_lambda_would_not_take_is_refused(
    packaged: Packaged,
    monkeypatch: pytest.MonkeyPatch,
    python: tuple[int, int],
    entries: dict[str, Any],
    message: str,
) -> None:
    monkeypatch.setattr(functions, "PYTHON", python)
    with pytest.raises(StageError, match=message):
        packaged("dev", deployment=entries)


def test_a_preflight_request_is_answered_without_a_function_all_the_same(packaged: Packaged) -> None:
    template = packaged("dev")
    paths = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]["paths"]
    mocks = [methods["options"] for methods in paths.values() if "options" in methods]
    assert mocks
    assert all(method["x-amazon-apigateway-integration"]["type"] == "mock" for method in mocks)


def test_a_function_that_there_is_not_cannot_be_kept_warm(packaged: Packaged) -> None:
    with pytest.raises(StageError, match="provisioned_concurrency: there is no handler, but api_handler"):
        packaged("dev", deployment={"provisioned_concurrency": {"handler": 1}})
