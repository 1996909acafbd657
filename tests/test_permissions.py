"""Each function may do what its code does, and nothing else: the flows are walked and compared.

All services count: whatever a client of AWS is asked for is recorded, whichever client it is.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import parseaddr
from typing import Any
from unittest import mock

import boto3
from botocore.client import BaseClient

from chalicelib.accounts import mail, provider
from chalicelib.authorizer import gateway
from chalicelib.oauth import clients, registration
from chalicelib.oauth.client_metadata import ClientMetadata
from management.infrastructure.policies import LOG_ACTIONS, PERMISSIONS, policy
from management.stage_settings import StageSettings
from tests.conftest import Log, Time
from tests.endpoints.test_client_assertion import KEYS, Signer, public_keys
from tests.harness import ARN, Browser, Deployment, authorize, event, is_alive, send
from tests.pages import test_applications as applications

IN_TRANSACTIONS = {
    "ConditionCheck": "ConditionCheckItem",
    "Delete": "DeleteItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
}


Use = tuple[str, str]
"""An IAM action, and the resource that it is used on, as the end of its ARN."""


@contextmanager
def record() -> Iterator[set[Use]]:
    """Collect which IAM actions are used, and on what."""
    used: set[Use] = set()
    call = BaseClient._make_api_call

    def note(client: Any, operation: str, params: dict[str, Any]) -> Any:
        used.update(uses_of(client.meta.service_model.service_name, operation, params))
        return call(client, operation, params)

    with mock.patch.object(BaseClient, "_make_api_call", note):
        yield used


def uses_of(service: str, operation: str, params: dict[str, Any]) -> set[Use]:
    if service == "ssm":
        return {(f"ssm:{operation}", f"parameter{params['Name']}")}
    if service == "sesv2":
        return {(f"ses:{operation}", f"identity/{parseaddr(params['FromEmailAddress'])[1]}")}
    assert service == "dynamodb", f"a flow uses {service}:{operation}, which this test does not know"
    if operation == "TransactWriteItems":
        items = [next(iter(item.items())) for item in params["TransactItems"]]
        return {
            (f"dynamodb:{IN_TRANSACTIONS[kind]}", f"table/{arguments['TableName']}")
            for kind, arguments in items
        }
    if operation == "BatchGetItem":
        return {(f"dynamodb:{operation}", f"table/{table}") for table in params["RequestItems"]}
    index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
    return {(f"dynamodb:{operation}", f"table/{params['TableName']}{index}")}


def differences(function: str, used: set[Use]) -> list[str]:
    """Return a sentence about each permission that nothing uses, and each use that is not permitted."""
    permitted = {
        (action, tuple(arn.split(":", 5)[5] for arn in statement["Resource"]))
        for statement in policy(function, StageSettings.of("dev"))["Statement"]
        for action in statement["Action"]
    }
    unused = [
        f"unused: {function} may {action} on {' or '.join(resources)}, and no flow does"
        for action, resources in sorted(permitted)
        if not any((action, resource) in used for resource in resources)
    ]
    missing = [
        f"missing: {function} does {action} on {resource}, and may not"
        for action, resource in sorted(used)
        if not any(action == allowed and resource in resources for allowed, resources in permitted)
    ]
    return unused + missing


def writing_its_log(name: str, log: Log) -> set[Use]:
    """Return what Lambda does in a function's name if that writes to standard output.

    After plain `chalice deploy`, whose policies these are, the first line makes the log group.
    """
    made = ("logs:CreateLogGroup", *LOG_ACTIONS)
    return {(action, f"log-group:/aws/lambda/{name}:*") for action in made if log.events()}


def test_the_api_handler_may_do_what_it_does(
    deployment: Deployment, time: Time, change_setting: Callable[[str, object], None], log: Log
) -> None:
    change_setting("may_register", "everyone")
    change_setting("mail", "ses")
    change_setting("mail_from", "Community Maps <no-reply@maps.example>")
    change_setting("upstream_client_secret", "ssm:/oauth/upstream")
    change_setting("client_cache_lifetime", 0)
    deployment.add_account()
    grant_types = ("authorization_code", "refresh_token", "client_credentials")
    app = deployment.add_app(grant_types=grant_types, may_introspect=True)
    jwks = public_keys(*KEYS.values())
    service, _ = registration.register(
        ClientMetadata(
            client_name="Service",
            grant_types=("client_credentials",),
            token_endpoint_auth_method="private_key_jwt",
            jwks=jwks,
        )
    )
    signer = Signer(service.client_id, time.now)
    clients.forget()
    set_up_other_services()
    with record() as used:
        tokens = deployment.tokens(app)
        signed = event("GET", "/api/me")
        signed["requestContext"]["authorizer"] = authorize(tokens["access_token"])["context"]
        assert send(signed).json["acts_for"] == "user"
        assert app.refresh(tokens["refresh_token"]).status == 200
        assert app.token(grant_type="client_credentials").status == 200
        assert app.post("/oauth2/introspect", token=tokens["access_token"]).json["active"]
        assert app.post("/oauth2/revoke", token=tokens["refresh_token"]).status == 200
        browser = deployment.signed_in_browser()
        assert app.exchange(deployment.code(app, browser)).status == 200
        assert browser.submit(browser.get("/connections")).status == 303
        assert signer.send(signer.assertion()).status == 200
        manage_an_application(deployment)
        send_mail()
        read_the_upstream_secret()
    assert differences("api_handler", used | writing_its_log("oauth-dev", log)) == []


def manage_an_application(deployment: Deployment) -> None:
    """Walk the pages of a developer."""
    browser = deployment.signed_in_browser()
    app = applications.register(browser)
    deployment.tokens(app)
    assert browser.get("/applications").status == 200
    applications.rotate(browser, app, "0")
    assert applications.edit(browser, app, client_name="Renamed").status == 303
    assert browser.submit(applications.page_of(browser, app, "/delete")).status == 303


def set_up_other_services() -> None:
    mail._ses.cache_clear()
    boto3.client("sesv2", region_name="us-east-1").create_email_identity(EmailIdentity="maps.example")
    ssm = boto3.client("ssm", region_name="us-east-1")
    ssm.put_parameter(Name="/oauth/upstream", Value="secret", Type="SecureString")


def send_mail() -> None:
    """Have a code mailed through SES."""
    browser = Browser()
    assert browser.submit(browser.get("/forgotten-password"), email="user@example.org").status == 303


def read_the_upstream_secret() -> None:
    """Do what signing in upstream does at first."""
    assert provider._read_secret() == "secret"


def test_the_authorizer_may_do_what_it_does(deployment: Deployment, log: Log) -> None:
    deployment.add_account()
    token = deployment.tokens(deployment.add_app())["access_token"]
    with record() as used:
        assert is_alive(token)
    assert differences("bearer", used | writing_its_log("oauth-dev-bearer", log)) == []


def test_the_authorizer_of_any_api_may_do_what_it_does(deployment: Deployment, log: Log) -> None:
    deployment.add_account()
    token = deployment.tokens(deployment.add_app())["access_token"]
    asked = {"type": "TOKEN", "authorizationToken": f"Bearer {token}", "methodArn": f"{ARN}/prod/GET/x"}
    with record() as used:
        assert gateway.authorizer(asked, None)
    assert differences("authorizer", used | writing_its_log("oauth-dev-authorizer", log)) == []


def test_the_trail_is_written_by_one_function_and_read_by_none() -> None:
    """Whoever takes a function over can add to the trail, and neither read, nor change, nor delete it."""
    actions = {
        function: [
            action
            for statement in policy(function, StageSettings.of("dev"))["Statement"]
            if any(arn.endswith("-audit") for arn in statement["Resource"])
            for action in statement["Action"]
        ]
        for function in PERMISSIONS
    }
    assert actions.pop("api_handler") == ["dynamodb:PutItem"]
    assert not any(actions.values())
