"""What docs/protect-your-api.md and the examples say to those who protect an API."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import hcl2
import pytest
import yaml

from chalicelib.authorizer.challenges import ACCESS_DENIED, UNAUTHORIZED
from chalicelib.scope_rules import compiled, from_stage_variable, parse
from tests.interop.processes import clean_environment
from tests.last_words import say

ROOT = Path(__file__).parent.parent
DOCUMENT = (ROOT / "docs" / "protect-your-api.md").read_text(encoding="utf-8")
KEY_OF_A_SIMPLE_RESPONSE = [
    "$request.header.Authorization",
    "$context.stage",
    "$context.httpMethod",
    "$context.path",
]


def snippet(language: str) -> str:
    """Return the one snippet of the document in a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    return str(found)


class Template(yaml.SafeLoader):
    """Reads the short forms of CloudFormation's functions as what they are given."""


Template.add_multi_constructor(
    "!",
    lambda loader, _, node: (
        loader.construct_scalar(node)
        if isinstance(node, yaml.ScalarNode)
        else loader.construct_sequence(node)
        if isinstance(node, yaml.SequenceNode)
        else loader.construct_mapping(node)
    ),
)


def template(name: str) -> Any:
    text = (ROOT / "examples" / name / "template.yaml").read_text(encoding="utf-8")
    return yaml.load(text, Template)  # nosec B506 # noqa: S506 (it is a SafeLoader)


def test_the_rules_in_the_document_are_rules() -> None:
    rules = parse(snippet("json"))
    assert len(rules) == 4


def test_the_terraform_snippet_is_what_an_http_api_needs() -> None:
    resources: dict[str, Any] = {}
    for block in hcl2.loads(snippet("hcl"))["resource"]:
        for kind, named in block.items():
            ((_, arguments),) = named.items()
            resources[kind.strip('"')] = arguments
    authorizer = resources["aws_apigatewayv2_authorizer"]
    assert [source.strip('"') for source in authorizer["identity_sources"]] == KEY_OF_A_SIMPLE_RESPONSE
    assert authorizer["enable_simple_responses"] is True
    assert resources["aws_apigatewayv2_route"]["authorization_type"].strip('"') == "CUSTOM"
    assert "oauth_scope_rules" in resources["aws_apigatewayv2_stage"]["stage_variables"]


def test_the_cdk_snippet_makes_a_template(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    ast.parse(snippet("python"))
    environment = clean_environment(CDK_OUTDIR=str(tmp_path))
    installed = subprocess.run([sys.executable, "-c", "import aws_cdk"], capture_output=True, check=False)
    if installed.returncode != 0:
        say(request.config, "WARNING: the CDK snippet was not tried, since aws-cdk-lib is not installed")
        pytest.skip("aws-cdk-lib is not installed: it takes a minute to install, and 0.5 GB")
    subprocess.run([sys.executable, "-c", snippet("python")], env=environment, check=True, timeout=120)
    resources = json.loads((tmp_path / "maps.template.json").read_text())["Resources"].values()
    (authorizer,) = (one for one in resources if one["Type"] == "AWS::ApiGateway::Authorizer")
    assert authorizer["Properties"]["IdentitySource"] == "method.request.header.Authorization"
    assert authorizer["Properties"]["AuthorizerResultTtlInSeconds"] == 60
    (stage,) = (one for one in resources if one["Type"] == "AWS::ApiGateway::Stage")
    assert len(from_stage_variable(stage["Properties"]["Variables"]["oauth_scope_rules"]).rules) == 2
    (method,) = (one for one in resources if one["Type"] == "AWS::ApiGateway::Method")
    assert method["Properties"]["AuthorizationType"] == "CUSTOM"
    assert not [one for one in resources if one["Type"] == "AWS::Lambda::Permission"]


@pytest.mark.parametrize("name", ["rest_api", "http_api"])
def test_the_rules_in_the_examples_are_those_in_their_file(name: str) -> None:
    rules = parse((ROOT / "examples" / "scope-rules.json").read_text())
    default = template(name)["Parameters"]["ScopeRules"]["Default"]
    assert from_stage_variable(default) == compiled(tuple(rules.items()))


def test_the_key_of_a_simple_response_is_all_that_it_depends_on() -> None:
    authorizer = template("http_api")["Resources"]["Authorizer"]["Properties"]
    assert authorizer["EnableSimpleResponses"] is True
    assert authorizer["IdentitySource"] == KEY_OF_A_SIMPLE_RESPONSE
    assert ", ".join(KEY_OF_A_SIMPLE_RESPONSE) in DOCUMENT


def _responses_of_rest_api() -> dict[str, tuple[str, str]]:
    responses = template("rest_api")["Resources"]["Api"]["Properties"]["GatewayResponses"]
    return {
        kind: (
            response["ResponseParameters"]["Headers"]["WWW-Authenticate"],
            response["ResponseTemplates"]["application/json"],
        )
        for kind, response in responses.items()
    }


def _responses_of_chalice_app() -> dict[str, tuple[str, str]]:
    merged = json.loads((ROOT / "examples" / "chalice_app" / "gateway-responses.json").read_text())
    definition = merged["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]
    return {
        kind: (
            response["responseParameters"]["gatewayresponse.header.WWW-Authenticate"],
            response["responseTemplates"]["application/json"],
        )
        for kind, response in definition["x-amazon-apigateway-gateway-responses"].items()
    }


@pytest.mark.parametrize("responses", [_responses_of_rest_api, _responses_of_chalice_app])
def test_rest_apis_refuse_as_rfc_6750_says(responses: Any) -> None:
    for kind, challenge in (("UNAUTHORIZED", UNAUTHORIZED), ("ACCESS_DENIED", ACCESS_DENIED)):
        header, body = responses()[kind]
        assert header == f"'Bearer error=\"{challenge.error}\"'"
        assert json.loads(body) == {"error": challenge.error}
