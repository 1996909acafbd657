"""Each function may do what its code does, and nothing else: the flows are walked and compared."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from chalicelib.authorizer import gateway
from chalicelib.models.table import dynamodb
from chalicelib.oauth import clients, registration
from chalicelib.oauth.registration import ClientMetadata
from management.infrastructure.policies import PERMISSIONS
from tests.conftest import Time
from tests.endpoints.test_client_assertion import KEYS, Signer, public_keys
from tests.harness import ARN, Deployment, authorize, event, is_alive, send
from tests.pages import test_applications as applications

IN_TRANSACTIONS = {
    "ConditionCheck": "ConditionCheckItem",
    "Delete": "DeleteItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
}


@contextmanager
def record() -> Iterator[set[tuple[str, str]]]:
    """Collect which IAM actions are used, on which tables and indexes."""
    used: set[tuple[str, str]] = set()

    def note(params: dict[str, Any], event_name: str, **_: Any) -> None:
        operation = event_name.rpartition(".")[2]
        if operation == "TransactWriteItems":
            for item in params["TransactItems"]:
                ((kind, arguments),) = item.items()
                used.add((arguments["TableName"], IN_TRANSACTIONS[kind]))
        elif operation == "BatchGetItem":
            used.update((table, operation) for table in params["RequestItems"])
        else:
            index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
            used.add((params["TableName"] + index, operation))

    events = dynamodb.client.meta.events
    events.register("provide-client-params.dynamodb", note)
    try:
        yield used
    finally:
        events.unregister("provide-client-params.dynamodb", note)


def permitted(function: str) -> set[tuple[str, str]]:
    return {
        (f"oauth-test-{kind}", action.removeprefix("dynamodb:"))
        for kind, actions in PERMISSIONS[function].items()
        for action in actions
    }


def test_the_api_handler_may_do_what_it_does(
    deployment: Deployment, time: Time, change_setting: Callable[[str, object], None]
) -> None:
    change_setting("may_register", "everyone")
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
    assert used == permitted("api_handler")


def manage_an_application(deployment: Deployment) -> None:
    """Walk the pages of a developer."""
    browser = deployment.signed_in_browser()
    app = applications.register(browser)
    deployment.tokens(app)
    assert browser.get("/applications").status == 200
    applications.rotate(browser, app, "0")
    assert applications.edit(browser, app, client_name="Renamed").status == 303
    assert browser.submit(applications.page_of(browser, app, "/delete")).status == 303


def test_the_authorizer_may_do_what_it_does(deployment: Deployment) -> None:
    deployment.add_account()
    token = deployment.tokens(deployment.add_app())["access_token"]
    with record() as used:
        assert is_alive(token)
    assert used == permitted("bearer")


def test_the_authorizer_of_any_api_may_do_what_it_does(deployment: Deployment) -> None:
    deployment.add_account()
    token = deployment.tokens(deployment.add_app())["access_token"]
    asked = {"type": "TOKEN", "authorizationToken": f"Bearer {token}", "methodArn": f"{ARN}/prod/GET/x"}
    with record() as used:
        assert gateway.authorizer(asked, None)
    assert used == permitted("authorizer")
