"""A deployed stage with every setting that there is, and what its gateway does by itself.

MiniStack writes no access logs, does not compress, and does not find the throttle of one method in a
template; `tests/infrastructure` looks at the template for these. Of an API's definition it reads neither
the gateway responses nor those of preflight requests: here they are put to where AWS would have put them.
"""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from management.stage import config
from tests.endpoints.test_cors import OPEN
from tests.interop.server import Server
from tests.stack.checkout import Checkout, checkout

DOMAIN = {
    "domain_name": "auth.example.org",
    "certificate_arn": "arn:aws:acm:us-east-1:000000000000:certificate/0",
}
STAGE = "gate"


@pytest.fixture(scope="module")
def project(ministack: str, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    made = checkout(tmp_path_factory.mktemp("project"), ministack)
    made.configure(
        STAGE,
        api_gateway_stage=STAGE,
        environment_variables={"OAUTH_TABLE_PREFIX": f"oauth-{STAGE}"},
        # Memory, and a role for each function; what it may do is in the template.
        lambda_functions=config()["stages"]["dev"]["lambda_functions"],
        xray=True,
        log_retention_in_days=7,
        api_gateway_custom_domain=DOMAIN,
        deployment={
            "alarm_email": "ops@example.org",
            "provisioned_concurrency": {"api_handler": 1, "bearer": 1},
        },
    )
    return made


@pytest.fixture(scope="module")
def stage(project: Checkout) -> Iterator[Server]:
    with project.deployed(STAGE) as server:
        complete(project)
        yield server


@pytest.fixture(scope="module")
def api_id(project: Checkout, stage: Server) -> str:
    return id_of_api(project)


def id_of_api(project: Checkout) -> str:
    (stack,) = project.client("cloudformation").describe_stacks(StackName=f"oauth-{STAGE}")["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    return str(outputs["RestAPIId"])


def complete(project: Checkout) -> None:
    """Put what MiniStack does not read of an API's definition to where AWS puts it, and deploy it."""
    gateway, api = project.client("apigateway"), id_of_api(project)
    template = json.loads((project.folder / "build" / "package" / "sam.json").read_text())
    properties = template["Resources"]["RestAPI"]["Properties"]
    for name, response in properties["GatewayResponses"].items():
        headers = response["ResponseParameters"]["Headers"]
        gateway.put_gateway_response(
            restApiId=api,
            responseType=name,
            responseParameters={f"gatewayresponse.header.{name}": value for name, value in headers.items()},
            responseTemplates=response["ResponseTemplates"],
            **({"statusCode": str(response["StatusCode"])} if "StatusCode" in response else {}),
        )
    pages = gateway.get_paginator("get_resources").paginate(restApiId=api)
    resources = {resource["path"]: resource["id"] for page in pages for resource in page["items"]}
    for path, methods in properties["DefinitionBody"]["paths"].items():
        if "options" in methods:
            preflight = methods["options"]["x-amazon-apigateway-integration"]["responses"]["default"]
            method = {"restApiId": api, "resourceId": resources[path], "httpMethod": "OPTIONS"}
            parameters = preflight["responseParameters"]
            gateway.put_method_response(
                **method, statusCode="200", responseParameters=dict.fromkeys(parameters, False)
            )
            gateway.put_integration_response(**method, statusCode="200", responseParameters=parameters)
    gateway.create_deployment(restApiId=api, stageName=STAGE)


def test_logs_are_kept_and_requests_traced_as_the_stage_says(project: Checkout, stage: Server) -> None:
    groups = project.client("logs").describe_log_groups()["logGroups"]
    ours = {
        group["logGroupName"]: group.get("retentionInDays")
        for group in groups
        if f"oauth-{STAGE}" in group["logGroupName"]
    }
    names = (
        f"/aws/lambda/oauth-{STAGE}",
        f"/aws/lambda/oauth-{STAGE}-bearer",
        f"/aws/apigateway/oauth-{STAGE}",
    )
    assert set(names) <= set(ours)
    assert set(ours.values()) == {7}
    function = project.client("lambda").get_function_configuration(FunctionName=f"oauth-{STAGE}")
    assert function["TracingConfig"]["Mode"] == "Active"


def test_api_gateway_was_let_write_access_logs(project: Checkout, stage: Server) -> None:
    role = project.client("apigateway").get_account()["cloudwatchRoleArn"]
    assert role.endswith(":role/api-gateway-logs-us-east-1")
    (stack,) = project.client("cloudformation").describe_stacks(StackName=f"oauth-{STAGE}")["Stacks"]
    parameters = {entry["ParameterKey"]: entry["ParameterValue"] for entry in stack["Parameters"]}
    assert parameters["AccessLogs"] == "true"


def test_the_issuer_is_the_domain_which_leads_to_the_stage(
    project: Checkout, stage: Server, api_id: str
) -> None:
    assert stage.get("/.well-known/oauth-authorization-server").json()["issuer"] == "https://auth.example.org"
    (mapping,) = project.client("apigateway").get_base_path_mappings(domainName="auth.example.org")["items"]
    assert (mapping["restApiId"], mapping["stage"]) == (api_id, STAGE)


def test_warm_versions_answer(project: Checkout, stage: Server, api_id: str) -> None:
    for function in (f"oauth-{STAGE}", f"oauth-{STAGE}-bearer"):
        (alias,) = project.client("lambda").list_aliases(FunctionName=function)["Aliases"]
        assert (alias["Name"], alias["FunctionVersion"]) == ("live", "1")
    (authorizer,) = project.client("apigateway").get_authorizers(restApiId=api_id)["items"]
    assert authorizer["authorizerUri"].endswith(f":function:oauth-{STAGE}-bearer:live/invocations")
    assert stage.get("/developers").status_code == 200


def test_there_is_one_stage(project: Checkout, stage: Server, api_id: str) -> None:
    stages = project.client("apigateway").get_stages(restApiId=api_id)["item"]
    assert [entry["stageName"] for entry in stages] == [STAGE]
    assert stages[0]["tracingEnabled"]


def test_alarms_tell_who_is_named(project: Checkout, stage: Server) -> None:
    alarms = project.client("cloudwatch").describe_alarms(AlarmNamePrefix=f"oauth-{STAGE}-")["MetricAlarms"]
    assert len(alarms) == 9
    (topic,) = {action for alarm in alarms for action in alarm["AlarmActions"]}
    (subscription,) = project.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "ops@example.org")


def test_the_dashboard_is_one(project: Checkout, stage: Server) -> None:
    dashboard = project.client("cloudwatch").get_dashboard(DashboardName=f"oauth-{STAGE}")
    body = dashboard["DashboardBody"]
    assert "${" not in body
    assert {widget["type"] for widget in json.loads(body)["widgets"]} == {"alarm", "metric"}


@pytest.mark.parametrize("path", OPEN)
def test_browsers_are_told_that_they_may_call(stage: Server, path: str) -> None:
    answer = requests.options(
        stage.url + path,
        headers={"Origin": "https://app.example", "Access-Control-Request-Method": "POST"},
        timeout=10,
    )
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Access-Control-Allow-Headers"] == "Authorization,Content-Type"
    assert "POST" in answer.headers["Access-Control-Allow-Methods"] or path.startswith(("/.well", "/api"))


def test_what_a_function_refuses_can_be_read_by_any_page(stage: Server) -> None:
    answer = requests.post(f"{stage.url}/oauth2/token", headers={"Origin": "https://app.example"}, timeout=20)
    assert answer.status_code == 400
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def refused(answer: requests.Response, status: int, error: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.json()["error"] == error
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("token", [None, "nonsense"])
def test_who_has_no_token_is_challenged(stage: Server, token: str | None) -> None:
    answer = stage.get("/api/me", token) if token else stage.get("/api/me")
    refused(answer, 401, "invalid_token")
    assert answer.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')


def test_too_little_scope_is_refused(stage: Server) -> None:
    registered = stage.add_client("--grant-type", "client_credentials")
    token = requests.post(
        stage.token_endpoint,
        data={
            "grant_type": "client_credentials",
            "client_id": registered.client_id,
            "client_secret": registered.client_secret,
        },
        timeout=20,
    ).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    answer = requests.post(f"{stage.url}/api/notes", headers=bearer, timeout=20)
    refused(answer, 403, "insufficient_scope")
    assert answer.headers["WWW-Authenticate"].startswith('Bearer error="insufficient_scope"')


@pytest.mark.parametrize("token", [None, "secret-token"])
def test_an_unknown_path_is_not_found_and_no_token_is_quoted(stage: Server, token: str | None) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = requests.get(f"{stage.url}/nowhere", headers=headers, timeout=10)
    refused(answer, 404, "not_found")
    assert "secret-token" not in answer.text


def test_a_flood_is_held_up(project: Checkout, stage: Server, api_id: str) -> None:
    def limit(rate: float, burst: int) -> None:
        throttle: list[Any] = [
            {"op": "replace", "path": f"/*/*/throttling/{name}", "value": str(value)}
            for name, value in (("rateLimit", rate), ("burstLimit", burst))
        ]
        project.client("apigateway").update_stage(restApiId=api_id, stageName=STAGE, patchOperations=throttle)

    limit(0.1, 1)
    try:
        answers = [stage.get("/static/style.css") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 429, 429]
        refused(answers[-1], 429, "temporarily_unavailable")
        assert answers[-1].headers["Retry-After"] == "1"
    finally:
        limit(1000, 2000)
    time.sleep(0.1)
    assert stage.get("/static/style.css").status_code == 200
