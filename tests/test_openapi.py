"""`docs/openapi.yaml` is valid, complete, and true: what the app answers is what it says."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

import app
from chalicelib.authorizer.challenges import ACCESS_DENIED, UNAUTHORIZED, Challenge
from chalicelib.models.client import Client
from chalicelib.models.grant import Grant
from chalicelib.models.session import SessionRow
from chalicelib.models.table import dynamodb
from chalicelib.oauth import grants
from chalicelib.oauth.errors import OAuthError
from chalicelib.settings import DEFAULT_SCOPE_RULES, settings
from tests.conftest import Time
from tests.harness import (
    CALLBACK,
    DEVICE_CODE,
    EMAIL,
    FORM,
    PASSWORD,
    Answer,
    App,
    Browser,
    Deployment,
    authorize,
    basic,
    event,
    post,
    send,
)
from tests.openapi import DOCUMENT, POST_ONLY, check, check_redirect, documented, operation, resolve

SERVER = "/.well-known/oauth-authorization-server"
RESOURCE = "/.well-known/oauth-protected-resource"
REFUSED = {(path, method) for path in POST_ONLY for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE")}
"""Routed so that they get an OAuth error, not to be used."""

ALL_GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials", DEVICE_CODE)
VERIFIER, CHALLENGE = (
    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
)


def call(
    path: str, fields: Mapping[str, str], status: int, headers: Mapping[str, str] | None = None
) -> Answer:
    """Post a form, and hold the answer against the document; and the request too, if it succeeds."""
    if status == 200:
        body = resolve(operation("POST", path)["requestBody"])
        check(body["content"][FORM]["schema"], fields)
    return documented(post(path, fields, headers), "POST", path, status)


def credentials(client: App) -> dict[str, str]:
    return {"client_id": client.client_id, "client_secret": client.client_secret or ""}


def check_authorization_request(url: str) -> None:
    """Hold the parameters of a URL against those of the authorization endpoint."""
    schemas = {
        parameter["name"]: parameter["schema"]
        for parameter in DOCUMENT["paths"]["/oauth2/authorize"]["parameters"]
    }
    for name, value in parse_qsl(urlsplit(url).query):
        check(schemas[name], value)


@pytest.fixture
def client(deployment: Deployment) -> App:
    """An application that may do everything."""
    deployment.add_account()
    return deployment.add_app(grant_types=ALL_GRANT_TYPES, may_introspect=True)


def test_the_document_is_valid() -> None:
    validate(DOCUMENT)


def test_every_route_is_documented_and_nothing_else_is() -> None:
    routes = {(path, method) for path, methods in app.app.routes.items() for method in methods}
    described = {
        (path, method.upper())
        for path, item in DOCUMENT["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert described == routes - REFUSED


@pytest.mark.parametrize(("path", "method"), sorted(REFUSED))
def test_what_is_routed_and_not_documented_is_refused(path: str, method: str) -> None:
    documented(send(event(method, path)), "POST", path, 405)


def test_every_component_is_used() -> None:
    references = set(re.findall(r"#/components/(\w+/\w+)", json.dumps(DOCUMENT)))
    schemes = {f"securitySchemes/{name}" for name in _schemes()}
    components = {f"{kind}/{name}" for kind, named in DOCUMENT["components"].items() for name in named}
    assert components == references | schemes


def _schemes() -> set[str]:
    """Return the security schemes that some operation names."""
    return {
        name
        for item in DOCUMENT["paths"].values()
        for method in item.values()
        if "security" in method
        for alternative in method["security"]
        for name in alternative
    }


def _examples(node: Any, where: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield where each example is, the schema that it is of, and the example."""
    if isinstance(node, dict):
        schema = node.get("schema")
        if schema is not None and "example" in node:
            yield where, schema, node["example"]
        if schema is not None and "examples" in node:
            yield from ((f"{where}/{name}", schema, one["value"]) for name, one in node["examples"].items())
        if isinstance(node.get("examples"), list):
            yield from ((where, node, one) for one in node["examples"])
        for name, value in node.items():
            yield from _examples(value, f"{where}/{name}")
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from _examples(value, f"{where}/{number}")


def test_every_example_is_what_its_schema_says() -> None:
    examples = list(_examples(DOCUMENT))
    assert len(examples) > 40
    for where, schema, example in examples:
        assert Draft202012Validator({**DOCUMENT, **schema}).is_valid(example), where


def test_every_token_in_an_example_has_forty_characters_and_is_nobodys() -> None:
    tokens = re.findall(r"\bo[a-z]{2}_\w+", json.dumps([example for *_, example in _examples(DOCUMENT)]))
    assert {token[:4] for token in tokens} == {"oat_", "oac_", "ort_", "odc_", "ocs_"}
    assert {token[4:] for token in tokens} == {"x" * 36}


def test_the_error_codes_are_those_of_the_catalogue_and_of_the_gateway() -> None:
    def codes(error: type[OAuthError]) -> set[str]:
        own = {error.error} if hasattr(error, "error") else set()
        return own.union(*(codes(kind) for kind in error.__subclasses__()))

    schemas = DOCUMENT["components"]["schemas"]
    written = {*schemas["ErrorCode"]["enum"], *schemas["AuthorizationError"]["enum"]}
    assert written == codes(OAuthError) | {UNAUTHORIZED.error, ACCESS_DENIED.error}


@pytest.mark.parametrize("path", ["/oauth2/access_token", "/oauth2/token"])
def test_each_grant_type_is_answered_as_documented(deployment: Deployment, client: App, path: str) -> None:
    code = {
        "grant_type": "authorization_code",
        "code": deployment.code(client, code_challenge=CHALLENGE, code_challenge_method="S256"),
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }
    issued = call(path, credentials(client) | code, 200).json
    refresh = {"grant_type": "refresh_token", "refresh_token": issued["refresh_token"], "scope": "read"}
    assert "refresh_token" in call(path, credentials(client) | refresh, 200).json
    own = {"grant_type": "client_credentials", "scope": "read write"}
    assert "refresh_token" not in call(path, credentials(client) | own, 200).json
    started = call("/oauth2/device_authorization", credentials(client) | {"scope": "read"}, 200).json
    poll = {"grant_type": DEVICE_CODE, "device_code": started["device_code"]}
    assert call(path, credentials(client) | poll, 400).json["error"] == "authorization_pending"
    assert call(path, credentials(client) | poll, 400).json["error"] == "slow_down"
    deployment.decide(started["user_code"])
    assert "refresh_token" in call(path, credentials(client) | poll, 200).json
    assert client.client_secret
    call(path, own, 200, basic(client.client_id, client.client_secret))


@pytest.mark.parametrize("path", ["/oauth2/access_token", "/oauth2/token"])
@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"grant_type": "authorization_code"}, 400, "invalid_request"),
        ({"client_secret": "é\n"}, 400, "invalid_request"),
        (
            {"grant_type": "authorization_code", "code": "x", "redirect_uri": CALLBACK},
            400,
            "invalid_grant",
        ),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, 400, "invalid_grant"),
        ({"grant_type": DEVICE_CODE, "device_code": "x"}, 400, "invalid_grant"),
        ({"grant_type": 'pass"word\\'}, 400, "unsupported_grant_type"),
        ({"scope": "admin"}, 400, "invalid_scope"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"code": "x" * 70_000}, 413, "invalid_request"),
    ],
    ids=str,
)
def test_each_error_of_the_token_endpoint_is_as_documented(
    client: App, path: str, changes: dict[str, str], status: int, error: str
) -> None:
    fields = credentials(client) | {"grant_type": "client_credentials"} | changes
    assert call(path, fields, status).json["error"] == error


def test_a_grant_type_that_a_client_may_not_use_is_refused_as_documented(deployment: Deployment) -> None:
    client = deployment.add_app(grant_types=("authorization_code",))
    answer = call("/oauth2/token", credentials(client) | {"grant_type": "client_credentials"}, 400)
    assert answer.json["error"] == "unauthorized_client"


@pytest.mark.parametrize("path", POST_ONLY)
def test_another_content_type_is_refused_as_documented(path: str) -> None:
    sent = event("POST", path, headers={"Content-Type": "application/json"}, body="{}")
    assert documented(send(sent), "POST", path, 400).json["error"] == "invalid_request"


@pytest.mark.parametrize("path", POST_ONLY)
def test_failing_storage_is_answered_as_documented(deployment: Deployment, path: str) -> None:
    client = deployment.add_app()
    dynamodb.client.delete_table(TableName=Client.Meta.table_name)
    call(path, credentials(client) | {"grant_type": "client_credentials", "token": "x"}, 503)


@pytest.mark.parametrize("path", POST_ONLY[:2])
def test_an_unexpected_error_is_answered_as_documented(
    client: App, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(grants, "token_request", fail)
    assert call(path, credentials(client), 500).json["error"] == "server_error"


def test_revocation_is_answered_as_documented(deployment: Deployment, client: App) -> None:
    token = deployment.tokens(client)["access_token"]
    other = deployment.add_app(name="Other")
    path = "/oauth2/revoke"
    assert call(path, credentials(other) | {"token": token}, 400).json["error"] == "invalid_grant"
    assert call(path, credentials(client), 400).json["error"] == "invalid_request"
    call(path, credentials(client) | {"token": token, "token_type_hint": "access_token"}, 200)
    call(path, credentials(client) | {"token": "x"}, 200)
    call(path, credentials(client) | {"client_secret": "wrong", "token": token}, 401)
    call(path, credentials(client) | {"token": "x" * 70_000}, 413)


def test_introspection_is_answered_as_documented(deployment: Deployment, client: App) -> None:
    tokens = deployment.tokens(client)
    own = client.token(grant_type="client_credentials").json["access_token"]
    other = deployment.add_app(name="Other")
    path = "/oauth2/introspect"
    for token in (tokens["access_token"], tokens["refresh_token"], own):
        assert call(path, credentials(client) | {"token": token}, 200).json["active"] is True
    assert call(path, credentials(client) | {"token": "x"}, 200).json == {"active": False}
    refused = call(path, credentials(other) | {"token": own}, 400)
    assert refused.json["error"] == "unauthorized_client"
    assert call(path, credentials(client), 400).json["error"] == "invalid_request"
    call(path, credentials(client) | {"client_secret": "wrong", "token": own}, 401)
    call(path, credentials(client) | {"token": "x" * 70_000}, 413)


def test_starting_a_device_is_answered_as_documented(deployment: Deployment, client: App) -> None:
    path = "/oauth2/device_authorization"
    call(path, credentials(client), 200)
    call(path, credentials(client) | {"scope": "read write"}, 200)
    assert call(path, {}, 400).json["error"] == "invalid_request"
    assert call(path, credentials(client) | {"scope": "admin"}, 400).json["error"] == "invalid_scope"
    call(path, credentials(client) | {"client_secret": "wrong"}, 401)
    call(path, credentials(client) | {"scope": "x" * 70_000}, 413)
    other = deployment.add_app(name="Other")
    assert call(path, credentials(other), 400).json["error"] == "unauthorized_client"


@pytest.mark.parametrize("decision", ["allow", "deny"])
def test_connecting_a_device_is_as_documented(
    deployment: Deployment, client: App, time: Time, decision: str
) -> None:
    started = client.start_device(scope="read write").json
    stranger = Browser().get(started["verification_uri_complete"])
    documented(stranger, "GET", "/device", 303)
    browser = deployment.signed_in_browser()
    form = documented(browser.get("/device"), "GET", "/device", 200)
    documented(browser.submit(form, csrf_token="0" * 64), "POST", "/device", 403)
    documented(browser.submit(form, user_code="x"), "POST", "/device", 422)
    typed = form.form.fields | {"user_code": started["user_code"]}
    check(operation("POST", "/device")["requestBody"]["content"][FORM]["schema"], typed)
    consent = documented(browser.submit(form, **typed), "POST", "/device", 200)

    path = "/device/decision"
    documented(browser.submit(consent, decision=decision, csrf_token="0" * 64), "POST", path, 403)
    documented(browser.submit(consent), "POST", path, 400)
    decided = consent.form.fields | {"decision": decision}
    check(operation("POST", path)["requestBody"]["content"][FORM]["schema"], decided)
    documented(Browser().submit(consent, **decided), "POST", path, 303)
    done = documented(browser.submit(consent, **decided), "POST", path, 303)
    documented(browser.submit(consent, **decided), "POST", path, 422)
    documented(browser.get(done.location), "GET", "/device/done", 200)
    documented(Browser().get(done.location), "GET", "/device/done", 303)
    for _ in range(5):
        documented(browser.submit(form, user_code="BCDF-GHJK"), "POST", "/device", 422)
    documented(browser.submit(form, user_code="BCDF-GHJK"), "POST", "/device", 429)
    documented(browser.submit(consent, **decided), "POST", path, 429)


@pytest.mark.parametrize("stage", ["", "/prod"])
@pytest.mark.parametrize("path", [SERVER, RESOURCE])
def test_the_metadata_is_as_documented(path: str, stage: str) -> None:
    documented(send(event("GET", path, stage=stage)), "GET", path, 200)


@pytest.mark.parametrize("path", ["/static/style.css", "/static/form_post.js"])
def test_static_files_are_as_documented(path: str) -> None:
    documented(send(event("GET", path)), "GET", path, 200)


@pytest.mark.parametrize("stage", ["", "/prod"])
def test_the_metadata_and_the_flows_name_the_same_urls(stage: str) -> None:
    metadata = send(event("GET", SERVER, stage=stage)).json
    for flow in DOCUMENT["components"]["securitySchemes"]["oauth2"]["flows"].values():
        assert metadata["token_endpoint"] == metadata["issuer"] + flow["tokenUrl"]
        assert flow.get("refreshUrl", flow["tokenUrl"]) == flow["tokenUrl"]
        if "authorizationUrl" in flow:
            assert metadata["authorization_endpoint"] == metadata["issuer"] + flow["authorizationUrl"]
    endpoints = {value for name, value in metadata.items() if name.endswith("_endpoint")}
    assert endpoints <= {metadata["issuer"] + path for path in DOCUMENT["paths"]}


def test_the_metadata_and_the_flows_name_the_same_scopes() -> None:
    flows = DOCUMENT["components"]["securitySchemes"]["oauth2"]["flows"]
    assert set(flows) == {"authorizationCode", "clientCredentials"}
    for flow in flows.values():
        assert flow["scopes"] == dict(settings.scopes)
        for path in (SERVER, RESOURCE):
            assert list(flow["scopes"]) == send(event("GET", path)).json["scopes_supported"]


def test_the_metadata_and_the_parameters_name_the_same_values() -> None:
    metadata = send(event("GET", SERVER)).json
    schemas = {
        parameter["name"]: parameter["schema"]
        for parameter in DOCUMENT["paths"]["/oauth2/authorize"]["parameters"]
    }
    forms = DOCUMENT["components"]["requestBodies"]["Token"]["content"][FORM]["schema"]
    assert list(forms["discriminator"]["mapping"]) == metadata["grant_types_supported"]
    assert schemas["response_mode"]["enum"] == metadata["response_modes_supported"]
    assert schemas["code_challenge_method"]["enum"] == metadata["code_challenge_methods_supported"]
    assert set(metadata["response_types_supported"]) < set(schemas["response_type"]["enum"])
    algorithms = DOCUMENT["components"]["schemas"]["SigningAlgorithm"]["enum"]
    assert algorithms == metadata["token_endpoint_auth_signing_alg_values_supported"]


def api(method: str, path: str, token: str, body: str | None = None, **headers: str) -> Answer:
    """Call the API as the gateway does, once the authorizer has let the token through."""
    sent = event(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    sent["body"] = body
    sent["requestContext"]["authorizer"] = authorize(token)["context"]
    return send(sent)


def test_the_api_tells_a_user_and_an_application_as_documented(deployment: Deployment, client: App) -> None:
    of_user = deployment.tokens(client)["access_token"]
    of_client = client.token(grant_type="client_credentials").json["access_token"]
    for token, acts_for in ((of_user, "user"), (of_client, "application")):
        me = documented(api("GET", "/api/me", token), "GET", "/api/me", 200)
        assert me.json["acts_for"] == acts_for


def test_the_api_takes_notes_as_documented(deployment: Deployment, client: App) -> None:
    of_user = deployment.tokens(client, scope="write")["access_token"]
    of_client = client.token(grant_type="client_credentials", scope="write").json["access_token"]
    schema = operation("POST", "/api/notes")["requestBody"]["content"]["application/json"]["schema"]
    for token in (of_user, of_client):
        for text, status in (("x", 201), ("x" * 1000, 201), ("", 400), ("x" * 1001, 400)):
            answer = api(
                "POST", "/api/notes", token, json.dumps({"text": text}), Content_Type="application/json"
            )
            documented(answer, "POST", "/api/notes", status)
            assert Draft202012Validator(schema).is_valid({"text": text}) is (status == 201)
        plain = api("POST", "/api/notes", token, "x", Content_Type="text/plain")
        documented(plain, "POST", "/api/notes", 415)


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/me"), ("POST", "/api/notes")])
@pytest.mark.parametrize("challenge", [UNAUTHORIZED, ACCESS_DENIED], ids=lambda challenge: challenge.error)
def test_the_gateway_refuses_as_documented(challenge: Challenge, method: str, path: str) -> None:
    headers = {"content-type": "application/json", "www-authenticate": challenge.header}
    answer = Answer(challenge.status, headers, [], challenge.body)
    assert documented(answer, method, path, challenge.status).json["error"] == challenge.error


def test_each_route_of_the_api_names_the_scope_that_the_authorizer_wants() -> None:
    protected = [
        (method, path, item["security"])
        for path, methods in DOCUMENT["paths"].items()
        for method, item in methods.items()
        if path.startswith("/api/")
    ]
    assert protected
    for method, path, security in protected:
        scope = DEFAULT_SCOPE_RULES[f"{method.upper()} /*"]
        assert security == [{"oauth2": [scope]}, {"bearer": [scope]}], path


@pytest.mark.parametrize("dialect", [False, True], ids=["redirect_uri", "redirect_url"])
@pytest.mark.parametrize("decision", ["allow", "deny"])
def test_the_authorization_flow_is_as_documented(client: App, dialect: bool, decision: str) -> None:
    browser = Browser()
    path = "/oauth2/authorize"
    url = client.authorization_url(
        state="xyz",
        scope="read write",
        code_challenge=CHALLENGE,
        code_challenge_method="S256",
        prompt="login consent",
        **({"redirect_uri": None, "redirect_url": CALLBACK, "response_type": "token"} if dialect else {}),
    )
    check_authorization_request(url)
    sign_in = documented(browser.get(url), "GET", path, 200)
    assert sign_in.set_cookies

    documented(browser.submit(sign_in, email=EMAIL, password="wrong"), "POST", "/sign-in", 422)
    documented(
        browser.submit(sign_in, csrf_token="0" * 64, email=EMAIL, password=PASSWORD), "POST", "/sign-in", 403
    )
    documented(browser.submit(sign_in, **{"continue": "https://evil.example"}), "POST", "/sign-in", 400)
    filled = sign_in.form.fields | {"email": EMAIL, "password": PASSWORD}
    check(operation("POST", "/sign-in")["requestBody"]["content"][FORM]["schema"], filled)
    signed_in = documented(browser.submit(sign_in, **filled), "POST", "/sign-in", 303)

    consent = documented(browser.get(signed_in.location), "GET", path, 200)
    documented(browser.submit(consent, decision="allow", csrf_token="0" * 64), "POST", path, 403)
    documented(browser.submit(consent), "POST", path, 400)
    decided = consent.form.fields | {"decision": decision}
    check(operation("POST", path)["requestBody"]["content"][FORM]["schema"], decided)
    redirect = documented(browser.submit(consent, **decided), "POST", path, 303)
    assert set(check_redirect(redirect)) >= {"state", "code" if decision == "allow" else "error"}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "id_token"}, "unsupported_response_type"),
        ({"scope": "admin"}, "invalid_scope"),
        ({"prompt": "none"}, "login_required"),
    ],
    ids=str,
)
def test_each_error_that_an_application_hears_is_as_documented(
    client: App, changes: dict[str, str | None], error: str
) -> None:
    url = client.authorization_url(state="xyz", **changes)
    redirect = documented(Browser().get(url), "GET", "/oauth2/authorize", 303)
    assert check_redirect(redirect)["error"] == error


def test_a_user_who_cannot_be_asked_is_told_as_documented(deployment: Deployment, client: App) -> None:
    answer = deployment.signed_in_browser().get(client.authorization_url(prompt="none"))
    redirect = documented(answer, "GET", "/oauth2/authorize", 303)
    assert check_redirect(redirect)["error"] == "consent_required"


def test_a_client_without_the_grant_type_is_told_as_documented(deployment: Deployment) -> None:
    client = deployment.add_app(grant_types=("client_credentials",))
    redirect = documented(Browser().get(client.authorization_url()), "GET", "/oauth2/authorize", 303)
    assert check_redirect(redirect)["error"] == "unauthorized_client"


@pytest.mark.parametrize("decision", ["allow", "deny"])
def test_the_answer_by_form_post_is_as_documented(deployment: Deployment, client: App, decision: str) -> None:
    browser = deployment.signed_in_browser()
    url = client.authorization_url(state="xyz", response_mode="form_post")
    check_authorization_request(url)
    answer = browser.submit(browser.get(url), decision=decision)
    form = documented(answer, "POST", "/oauth2/authorize", 200).form
    assert (form.action, form.method) == (CALLBACK, "post")
    (expected,) = resolve(operation("GET", "/oauth2/authorize")["callbacks"]["answer"]).values()
    check(expected["post"]["requestBody"]["content"][FORM]["schema"], form.fields)


def test_the_wrong_client_or_redirect_uri_is_a_page_as_documented(client: App) -> None:
    for changes in ({"client_id": "x"}, {"redirect_uri": "https://evil.example"}, {"redirect_uri": None}):
        answer = Browser().get(client.authorization_url(**changes))
        documented(answer, "GET", "/oauth2/authorize", 400)


def test_another_content_type_of_a_form_is_refused_as_documented(client: App) -> None:
    for path in (client.authorization_url(), "/sign-in", "/device", "/device/decision"):
        query = dict(parse_qsl(urlsplit(path).query))
        headers = {"Content-Type": "text/plain"}
        sent = event("POST", urlsplit(path).path, query=query, headers=headers, body="x")
        documented(send(sent), "POST", path, 415)


def test_pages_are_busy_as_documented_when_storage_fails(deployment: Deployment, client: App) -> None:
    browser = deployment.signed_in_browser()
    consent = browser.get(client.authorization_url())
    stranger = Browser()
    sign_in = stranger.get(client.authorization_url())
    for model in (Grant, SessionRow):
        dynamodb.client.delete_table(TableName=model.Meta.table_name)
    documented(browser.get(client.authorization_url()), "GET", "/oauth2/authorize", 503)
    documented(browser.submit(consent, decision="allow"), "POST", "/oauth2/authorize", 503)
    documented(stranger.submit(sign_in, email=EMAIL, password=PASSWORD), "POST", "/sign-in", 503)
