"""The CloudFormation template, as `make package` builds it from what Chalice generates and we add."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from chalicelib import deadline
from chalicelib.models.client import Client
from chalicelib.models.grant import Grant
from chalicelib.models.session import SessionRow
from chalicelib.models.user import UserRow
from management import infrastructure
from management.infrastructure.policies import PERMISSIONS, policy
from management.infrastructure.tables import expires
from management.stage_settings import TIMEOUTS, StageSettings
from management.template import policy_file
from tests.endpoints.test_cors import OPEN

ROOT = Path(__file__).parent.parent
MODELS = {"clients": Client, "users": UserRow, "grants": Grant, "sessions": SessionRow}

FUNCTION_TIMEOUT = 28
"""Seconds: API Gateway gives up after 29."""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Package the stage `prod`, in a clean environment."""
    folder = tmp_path_factory.mktemp("package")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("OAUTH_", "AWS_"))
    } | {"AWS_DEFAULT_REGION": "us-east-1"}

    command = [sys.executable, "manage.py", "--stage", "prod", "package", "--to", str(folder / "out")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "out"


@pytest.fixture(scope="module")
def resources(package: Path) -> dict[str, Any]:
    template = json.loads((package / "sam.json").read_text())
    return dict(template["Resources"])


@pytest.mark.parametrize("kind", MODELS)
def test_each_table_is_what_its_model_says(resources: dict[str, Any], kind: str) -> None:
    table = resources[f"{kind.capitalize()}Table"]
    schema = MODELS[kind]._get_schema()
    assert table["Type"] == "AWS::DynamoDB::Table"
    properties = table["Properties"]
    assert properties["TableName"] == f"oauth-prod-{kind}"
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["KeySchema"] == hash_key_first(schema["key_schema"])
    assert properties["AttributeDefinitions"] == schema["attribute_definitions"]
    indexes = {
        index["IndexName"]: index["KeySchema"] for index in properties.get("GlobalSecondaryIndexes", [])
    }
    assert indexes == {
        index["index_name"]: hash_key_first(index["key_schema"])
        for index in schema["global_secondary_indexes"]
    }


def hash_key_first(schema: Sequence[Any]) -> list[Any]:
    """AWS refuses a table whose first key is not the hash key, whatever moto and MiniStack do."""
    (hash_key,) = (key for key in schema if key["KeyType"] == "HASH")
    return [hash_key, *(key for key in schema if key is not hash_key)]


def test_tables_expire_what_is_over_and_can_be_restored(resources: dict[str, Any]) -> None:
    expiring = {"AttributeName": "expires_at", "Enabled": True}
    for kind in MODELS:
        properties = resources[f"{kind.capitalize()}Table"]["Properties"]
        assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert properties.get("TimeToLiveSpecification") == (None if kind == "clients" else expiring)


def test_every_attribute_that_says_when_a_row_is_over_is_the_one_that_expires_it() -> None:
    models: list[Any] = list(MODELS.values())
    while models:
        model = models.pop()
        models.extend(model.__subclasses__())
        attributes = {attribute.attr_name for attribute in model.get_attributes().values()}
        table = next(base for base in MODELS.values() if issubclass(model, base))
        assert "expires_at" not in attributes or expires(table), model


@pytest.mark.parametrize(("name", "kept"), [("prod", True), ("dev", False)])
def test_prod_keeps_its_tables(name: str, kept: bool) -> None:
    merged = infrastructure.template(StageSettings.of(name))["Resources"]
    for kind in MODELS:
        table = merged[f"{kind.capitalize()}Table"]
        assert table["DeletionPolicy"] == ("Retain" if kept else "Delete")
        assert table["Properties"]["DeletionProtectionEnabled"] is kept


@pytest.mark.parametrize("role", ["BearerRole", "AuthorizerRole"])
def test_an_authorizer_may_read_grants_and_nothing_else(resources: dict[str, Any], role: str) -> None:
    (inline,) = resources[role]["Properties"]["Policies"]
    tables, logs = inline["PolicyDocument"]["Statement"]
    assert tables["Action"] == ["dynamodb:GetItem"]
    assert tables["Resource"] == [{"Fn::GetAtt": ["GrantsTable", "Arn"]}]
    assert all(action.startswith("logs:") for action in logs["Action"])
    assert "ManagedPolicyArns" not in resources[role]["Properties"]


def test_no_policy_has_a_wildcard_action_or_resource(resources: dict[str, Any]) -> None:
    roles = [resource for resource in resources.values() if resource["Type"] == "AWS::IAM::Role"]
    assert len(roles) == 3
    for role in roles:
        for statement in role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]:
            assert not any("*" in action for action in statement["Action"])
            for resource in statement["Resource"]:
                arn = json.dumps(resource).removesuffix(':*"}')  # The streams of one log group.
                assert "*" not in arn, arn


def test_who_sends_mail_through_ses_may_send_it_from_one_address(
    change_setting: Callable[[str, object], None],
) -> None:
    def statements() -> list[Any]:
        roles = infrastructure.template(StageSettings.of("prod"))["Resources"]
        policies = [roles[role]["Properties"]["Policies"][0] for role in ("ApiHandlerRole", "BearerRole")]
        policies.append({"PolicyDocument": policy("api_handler", StageSettings.of("prod"))})
        return [
            statement
            for inline in policies
            for statement in inline["PolicyDocument"]["Statement"]
            if "ses:" in str(statement["Action"])
        ]

    change_setting("mail_from", "Some Maps <no-reply@maps.example>")
    change_setting("mail", "console")
    assert statements() == []
    change_setting("mail", "ses")
    exact, open_ = statements()
    account = "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/"
    assert exact == {
        "Effect": "Allow",
        "Action": ["ses:SendEmail"],
        "Resource": [{"Fn::Sub": account + name} for name in ("no-reply@maps.example", "maps.example")],
        "Condition": {"StringEquals": {"ses:FromAddress": "no-reply@maps.example"}},
    }
    assert open_["Resource"] == [
        f"arn:aws:ses:*:*:identity/{name}" for name in ("no-reply@maps.example", "maps.example")
    ]


@pytest.mark.parametrize("name", ["dev", "prod"])
@pytest.mark.parametrize("function", PERMISSIONS)
def test_the_policy_files_are_what_the_code_says(name: str, function: str) -> None:
    written = json.loads(policy_file(function, name).read_text())
    expected = json.dumps(policy(function, StageSettings.of(name)))
    assert written == json.loads(expected.replace("oauth-test-", f"oauth-{name}-"))


def test_a_secret_in_systems_manager_may_be_read_by_the_function_that_needs_it(
    change_setting: Callable[[str, object], None],
) -> None:
    change_setting("upstream_client_secret", "ssm:/oauth/prod/upstream")
    merged = infrastructure.template(StageSettings.of("prod"))["Resources"]
    (exact,) = merged["ApiHandlerRole"]["Properties"]["Policies"]
    (secret,) = _statements_about(exact["PolicyDocument"], "ssm")
    arn = "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/oauth/prod/upstream"
    assert secret == {"Effect": "Allow", "Action": ["ssm:GetParameter"], "Resource": [{"Fn::Sub": arn}]}
    (written,) = _statements_about(policy("api_handler", StageSettings.of("prod")), "ssm")
    assert written["Resource"] == ["arn:aws:ssm:*:*:parameter/oauth/prod/upstream"]
    assert not _statements_about(policy("bearer", StageSettings.of("prod")), "ssm")


def test_without_such_a_secret_no_function_reads_any() -> None:
    for function in PERMISSIONS:
        assert not _statements_about(policy(function, StageSettings.of("prod")), "ssm")


def _statements_about(document: dict[str, Any], service: str) -> list[dict[str, Any]]:
    return [
        statement
        for statement in document["Statement"]
        if any(action.startswith(f"{service}:") for action in statement["Action"])
    ]


def test_functions_have_what_they_need(resources: dict[str, Any]) -> None:
    expected = {
        "APIHandler": ("oauth-prod", "app.app", 512),
        "Bearer": ("oauth-prod-bearer", "chalicelib.authorizer.bearer.bearer", 256),
        "Authorizer": ("oauth-prod-authorizer", "chalicelib.authorizer.gateway.authorizer", 256),
    }
    for logical_id, described in expected.items():
        function = resources[logical_id]["Properties"]
        assert (function["FunctionName"], function["Handler"], function["MemorySize"]) == described
        assert function["Timeout"] == FUNCTION_TIMEOUT
        assert function["Environment"]["Variables"] == {"OAUTH_TABLE_PREFIX": "oauth-prod"}


def test_gateways_of_this_account_alone_may_call_the_authorizer_of_any_api(resources: dict[str, Any]) -> None:
    permission = resources["AuthorizerPermission"]["Properties"]
    arn = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:*/authorizers/*"
    assert permission == {
        "FunctionName": {"Ref": "Authorizer.Alias"},
        "Action": "lambda:InvokeFunction",
        "Principal": "apigateway.amazonaws.com",
        "SourceArn": {"Fn::Sub": arn},
    }


def test_other_stacks_find_the_authorizer(package: Path, resources: dict[str, Any]) -> None:
    arn = {"Ref": "Authorizer.Alias"}
    parameter = resources["AuthorizerArnParameter"]["Properties"]
    assert (parameter["Name"], parameter["Value"]) == ("/oauth/prod/authorizer-arn", arn)
    outputs = json.loads((package / "sam.json").read_text())["Outputs"]
    assert outputs["AuthorizerArn"]["Value"] == arn


def test_a_function_outlives_its_waits_and_not_the_gateway() -> None:
    reading_a_secret = 11
    assert deadline.REQUEST + reading_a_secret <= TIMEOUTS[0] <= FUNCTION_TIMEOUT <= TIMEOUTS[-1] < 29


def test_the_authorizers_answers_are_cached_for_a_minute(resources: dict[str, Any]) -> None:
    definition = resources["RestAPI"]["Properties"]["DefinitionBody"]["securityDefinitions"]["bearer"]
    assert definition["x-amazon-apigateway-authorizer"]["authorizerResultTtlInSeconds"] == 60


def test_browsers_may_ask_whether_they_may_call_what_is_open_to_them(resources: dict[str, Any]) -> None:
    paths = resources["RestAPI"]["Properties"]["DefinitionBody"]["paths"]
    asked = {path for path, methods in paths.items() if "options" in methods}
    assert asked == set(OPEN)
    for path in OPEN:
        (answer,) = paths[path]["options"]["x-amazon-apigateway-integration"]["responses"].values()
        headers = {
            name.rpartition(".")[2]: value.strip("'") for name, value in answer["responseParameters"].items()
        }
        assert headers["Access-Control-Allow-Origin"] == "*"
        assert headers["Access-Control-Allow-Headers"] == "Authorization,Content-Type"
        assert "Access-Control-Allow-Credentials" not in headers


def test_the_index_may_be_queried_and_nothing_else(resources: dict[str, Any]) -> None:
    (inline,) = resources["ApiHandlerRole"]["Properties"]["Policies"]
    of_index = [
        statement
        for statement in inline["PolicyDocument"]["Statement"]
        if statement["Resource"] == [{"Fn::Sub": "${GrantsTable.Arn}/index/by-client"}]
    ]
    assert [statement["Action"] for statement in of_index] == [["dynamodb:Query"]]
