"""The examples: other people's APIs, in stacks of their own, behind the authorizer of a deployed stage.

What MiniStack cannot show: an HTTP API of AWS answers 401 when its authorizer raises `Unauthorized`,
where MiniStack answers 500; and it takes no gateway responses out of the definition of an API.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from chalicelib.oauth import credentials
from chalicelib.oauth.credentials import Kind
from tests.interop.processes import clean_environment
from tests.interop.server import TIMEOUT, Server
from tests.stack.checkout import Checkout, checkout
from tests.stack.conftest import ROOT
from tests.stack.gateway import gateway

STAGE = "platform"
"""A stage of its own: other tests of this MiniStack may have one too."""

EXAMPLES = ROOT / "examples"
PARAMETER = f"/oauth/{STAGE}/authorizer-arn"
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]


@pytest.fixture(scope="module")
def project(ministack: str, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    made = checkout(tmp_path_factory.mktemp("project"), ministack)
    dev = json.loads((ROOT / ".chalice" / "config.json").read_text())["stages"]["dev"]
    made.configure(STAGE, **dev)
    made.configure(
        STAGE, api_gateway_stage=STAGE, environment_variables={"OAUTH_TABLE_PREFIX": f"oauth-{STAGE}"}
    )
    return made


@pytest.fixture(scope="module")
def server(project: Checkout) -> Iterator[Server]:
    with project.deployed(STAGE) as deployed:
        yield deployed


@pytest.fixture(scope="module")
def token_of(server: Server) -> Callable[[str], str]:
    """Get a token of an application that acts for itself."""
    registered = server.add_client("--grant-type", "client_credentials", "--scope", "read write")
    client = {"client_id": registered.client_id, "client_secret": registered.client_secret}

    def token_of(scope: str) -> str:
        form = client | {"grant_type": "client_credentials", "scope": scope}
        return str(requests.post(server.token_endpoint, data=form, timeout=TIMEOUT).json()["access_token"])

    return token_of


@pytest.fixture(scope="module")
def bad_tokens(project: Checkout, token_of: Callable[[str], str]) -> dict[str, str]:
    """Return an expired and a revoked token, and others that are none."""
    expired, revoked = token_of("read"), token_of("read")
    grants = project.client("dynamodb")
    for token, change, value in (
        (expired, "access_tokens[0].expires_at", "1700000000"),
        (revoked, "revoked_at", "1700000000"),
    ):
        grants.update_item(
            TableName=f"oauth-{STAGE}-grants",
            Key={"grant_id": {"S": credentials.grant_id_of(token, Kind.ACCESS_TOKEN)}},
            UpdateExpression=f"SET {change} = :value",
            ExpressionAttributeValues={":value": {"N": value}},
        )
    return {"expired": expired, "revoked": revoked, "unknown": "oat_" + "A" * 36, "garbage": "x"}


@dataclass(frozen=True)
class Api:
    """An example, deployed."""

    url: str

    def call(self, call: str, token: str | None = None) -> requests.Response:
        method, _, path = call.partition(" ")
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return requests.request(method, self.url + path, headers=headers, timeout=TIMEOUT)


@pytest.fixture(scope="module")
def deploy(project: Checkout, server: Server) -> Iterator[Callable[..., Api]]:
    """Deploy a template, with all that is in it, and tell where its API is."""
    cloudformation = project.client("cloudformation")
    with ExitStack() as running:

        def deploy(name: str, template: str, stage: str, output: str, **parameters: str) -> Api:
            cloudformation.create_stack(
                StackName=name,
                TemplateBody=template,
                Capabilities=CAPABILITIES,
                Parameters=[
                    {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
                ],
            )
            cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
            (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
            outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
            host = f"{outputs[output]}.execute-api.localhost"
            url = running.enter_context(gateway(project.environment["AWS_ENDPOINT_URL"], host))
            return Api(f"{url}/{stage}" if stage else url)

        yield deploy


@pytest.fixture(scope="module")
def rest_api(deploy: Callable[..., Api]) -> Api:
    template = (EXAMPLES / "rest_api" / "template.yaml").read_text()
    return deploy("maps", template, "live", "ApiId", AuthorizerArn=PARAMETER)


@pytest.fixture(scope="module")
def http_api(deploy: Callable[..., Api]) -> Api:
    template = (EXAMPLES / "http_api" / "template.yaml").read_text()
    return deploy("maps-http", template, "", "ApiId", AuthorizerArn=PARAMETER)


@pytest.fixture(scope="module")
def chalice_app(
    project: Checkout, deploy: Callable[..., Api], tmp_path_factory: pytest.TempPathFactory
) -> Api:
    arn = project.client("ssm").get_parameter(Name=PARAMETER)["Parameter"]["Value"]
    packaged = tmp_path_factory.mktemp("chalice-app")
    subprocess.run(
        [
            Path(sys.executable).with_name("chalice"),
            "package",
            "--merge-template",
            "gateway-responses.json",
            packaged,
        ],
        cwd=project.folder / "examples" / "chalice_app",
        env=clean_environment(AWS_DEFAULT_REGION="us-east-1", OAUTH_AUTHORIZER_ARN=arn),
        check=True,
        capture_output=True,
    )
    s3 = project.client("s3")
    s3.create_bucket(Bucket="chalice-app")
    s3.upload_file(str(packaged / "deployment.zip"), "chalice-app", "deployment.zip")
    template = json.loads((packaged / "sam.json").read_text())
    template["Resources"]["APIHandler"]["Properties"]["CodeUri"] = "s3://chalice-app/deployment.zip"
    return deploy("maps-app", json.dumps(template), "live", "RestAPIId")


@pytest.fixture
def api(request: pytest.FixtureRequest) -> Api:
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


def _everywhere(*cases: tuple[str, str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("api", "call"), cases, indirect=["api"])


@_everywhere(
    ("rest_api", "GET /maps/1"),
    ("rest_api", "GET /notes"),
    ("http_api", "GET /maps/1"),
    ("chalice_app", "GET /maps"),
)
def test_a_good_token_passes_and_the_backend_is_told_whose_it_is(
    api: Api, call: str, token_of: Callable[[str], str]
) -> None:
    answer = api.call(call, token_of("read"))
    assert answer.status_code == 200, answer.text
    assert answer.json()["scope"] == "read"
    assert set(answer.json()) == {"client_id", "user_id", "scope"}


@_everywhere(("rest_api", "GET /maps/1"), ("rest_api", "GET /notes"), ("chalice_app", "GET /maps"))
@pytest.mark.parametrize("which", ["expired", "revoked", "unknown", "garbage", "missing"])
def test_a_rest_api_answers_a_bad_token_by_401(
    api: Api, call: str, which: str, bad_tokens: dict[str, str]
) -> None:
    assert api.call(call, bad_tokens.get(which)).status_code == 401


@pytest.mark.parametrize("which", ["expired", "revoked", "unknown", "garbage", "missing"])
def test_an_http_api_lets_no_bad_token_in(http_api: Api, which: str, bad_tokens: dict[str, str]) -> None:
    answer = http_api.call("GET /maps/1", bad_tokens.get(which))
    assert answer.status_code == (401 if which == "missing" else 500)  # AWS: 401 for all of them.


@pytest.mark.parametrize(
    ("api", "opened", "closed"),
    [
        ("rest_api", "GET /maps/1", ["POST /maps", "GET /maps/1/members", "GET /maps/1/members/"]),
        ("rest_api", "GET /notes", ["POST /notes"]),
        ("http_api", "GET /maps/1", ["POST /maps", "GET /maps/1/members", "DELETE /maps/1", "GET /other"]),
        ("chalice_app", "GET /maps", ["POST /maps"]),
    ],
    indirect=["api"],
)
def test_what_is_kept_of_one_route_opens_no_other(
    api: Api, opened: str, closed: list[str], token_of: Callable[[str], str]
) -> None:
    """API Gateway keeps the authorizer's answer to the first call for a minute."""
    token = token_of("read")
    assert api.call(opened, token).status_code == 200
    for call in closed:
        assert api.call(call, token).status_code == 403, call
    assert api.call(opened, token).status_code == 200


@pytest.mark.parametrize("api", ["rest_api", "http_api"], indirect=True)
def test_what_is_kept_of_one_route_closes_no_other(api: Api, token_of: Callable[[str], str]) -> None:
    token = token_of("read write")
    for call in ("POST /maps", "GET /maps/1", "GET /maps/1/members", "GET /maps/2"):
        assert api.call(call, token).status_code == 200, call
