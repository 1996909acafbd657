"""The authorizer of other stacks' APIs: every event that API Gateway has for one."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.authorizer.decision import Unauthorized
from chalicelib.authorizer.gateway import authorizer
from chalicelib.models.table import StorageError
from chalicelib.scope_rules import ScopeRulesError, to_stage_variable
from tests.conftest import Log, Time
from tests.endpoints.test_token_errors import storage_fails
from tests.harness import ARN, App, Deployment, count_requests

RULES = to_stage_variable({"GET /maps/*": "read", "* /maps/*/members": "read write"})


def token_event(header: object, method: str = "GET", path: str = "/maps/1", **_: object) -> dict[str, Any]:
    """REST API, `TOKEN`."""
    return {"type": "TOKEN", "authorizationToken": header, "methodArn": f"{ARN}/prod/{method}{path}"}


def request_event(
    header: object, method: str = "GET", path: str = "/maps/1", variables: object = None
) -> dict[str, Any]:
    """REST API, `REQUEST`."""
    return {
        "type": "REQUEST",
        "methodArn": f"{ARN}/prod/{method}{path}",
        "resource": "/maps/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": {"Host": "api.example", "Authorization": header},
        "multiValueHeaders": {"Host": ["api.example"], "Authorization": [header]},
        "queryStringParameters": None,
        "pathParameters": {"proxy": path.removeprefix("/maps/")},
        "stageVariables": variables,
        "requestContext": {"stage": "prod", "resourcePath": "/maps/{proxy+}", "httpMethod": method},
    }


def http_api_event_1(header: object, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """HTTP API, payload format 1.0: no `multiValueHeaders`, and the identity sources."""
    event = request_event(header, *args, **kwargs)
    del event["multiValueHeaders"]
    return event | {"version": "1.0", "identitySource": header, "authorizationToken": header}


def http_api_event_2(
    header: object, method: str = "GET", path: str = "/maps/1", variables: object = None
) -> dict[str, Any]:
    """HTTP API, payload format 2.0."""
    return {
        "version": "2.0",
        "type": "REQUEST",
        "routeArn": f"{ARN}/$default/{method}{path}",
        "identitySource": [header],
        "routeKey": "ANY /{proxy+}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "api.example", "authorization": header},
        "requestContext": {"http": {"method": method, "path": path}, "stage": "$default"},
        "stageVariables": variables,
    }


Event = Callable[..., dict[str, Any]]
WITH_HEADERS = (request_event, http_api_event_1, http_api_event_2)
EVENTS = (token_event, *WITH_HEADERS)
each_event = pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
each_event_with_headers = pytest.mark.parametrize("event", WITH_HEADERS, ids=lambda event: event.__name__)


@pytest.fixture
def app(deployment: Deployment) -> App:
    deployment.add_account()
    return deployment.add_app(grant_types=("authorization_code", "client_credentials"))


def token_of(app: App, scope: str = "read") -> str:
    return str(app.token(grant_type="client_credentials", scope=scope).json["access_token"])


def resources(answer: dict[str, Any], effect: str = "Allow") -> list[str]:
    statements = answer["policyDocument"]["Statement"]
    return [resource for one in statements if one["Effect"] == effect for resource in one["Resource"]]


def passes(answer: dict[str, Any]) -> bool:
    """Tell whether a request that was asked about passes: in a policy, those that only read do."""
    return bool(answer["isAuthorized"]) if "isAuthorized" in answer else bool(resources(answer))


@each_event
def test_a_good_token_passes_and_the_backend_is_told_whose_it_is(
    deployment: Deployment, app: App, event: Event
) -> None:
    answer = authorizer(event(f"Bearer {deployment.tokens(app, scope='read')['access_token']}"), None)
    assert passes(answer)
    assert set(answer["context"]) == {"grant_id", "client_id", "user_id", "scope", "expires_at"}
    assert all(isinstance(value, str) for value in answer["context"].values())
    assert answer["context"]["client_id"] == app.client_id


@each_event
def test_an_expired_and_a_revoked_token_are_unauthorized_by_one_request(
    app: App, time: Time, event: Event
) -> None:
    revoked, expired = token_of(app), token_of(app)
    app.post("/oauth2/revoke", token=revoked)
    time.passes(2592000)
    for token in (revoked, expired):
        with count_requests() as requests, pytest.raises(Unauthorized, match=r"^Unauthorized$"):
            authorizer(event(f"Bearer {token}"), None)
        assert requests == {"GetItem": 1}


@each_event
@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer x", "Basic eDp5", "Bearer oat_" + "A" * 35, None, 5, ["x"]]
)
def test_garbage_is_unauthorized_and_costs_nothing(
    deployment: Deployment, event: Event, header: object
) -> None:
    with count_requests() as requests, pytest.raises(Unauthorized):
        authorizer(event(header), None)
    assert requests.total() == 0


@each_event
def test_a_good_token_takes_one_request(app: App, event: Event) -> None:
    token = token_of(app)
    with count_requests() as requests:
        authorizer(event(f"Bearer {token}"), None)
    assert requests == {"GetItem": 1}


@each_event
def test_when_storage_fails_nobody_gets_in(app: App, event: Event) -> None:
    token = token_of(app)
    with storage_fails("throttled"), pytest.raises(StorageError):
        authorizer(event(f"Bearer {token}"), None)


@pytest.mark.parametrize("event", [token_event, request_event, http_api_event_1])
def test_a_policy_is_for_all_routes_whichever_was_called(app: App, event: Event) -> None:
    header = f"Bearer {token_of(app)}"
    answers = [
        authorizer(event(header, *call), None) for call in (("GET", "/a"), ("DELETE", "/b/c"), ("GET", "/"))
    ]
    assert answers[0] == answers[1] == answers[2]
    assert resources(answers[0]) == [f"{ARN}/prod/GET/*", f"{ARN}/prod/HEAD/*"]


@pytest.mark.parametrize("event", [request_event, http_api_event_1])
def test_an_api_brings_its_own_rules(app: App, event: Event) -> None:
    variables = {"oauth_scope_rules": RULES, "other": "x"}
    answer = authorizer(event(f"Bearer {token_of(app)}", variables=variables), None)
    assert resources(answer) == [f"{ARN}/prod/GET/maps/?*"]
    assert f"{ARN}/prod/GET/maps/*/members" in resources(answer, "Deny")
    both = authorizer(event(f"Bearer {token_of(app, 'read write')}", variables=variables), None)
    assert f"{ARN}/prod/GET/maps/*/members" not in resources(both, "Deny")


@pytest.mark.parametrize(
    ("scope", "call", "expected"),
    [
        ("read", ("GET", "/maps/1"), True),
        ("read", ("POST", "/maps/1"), False),
        ("read", ("GET", "/maps/1/members"), False),
        ("read", ("GET", "/maps/1/member%73"), False),
        ("read", ("GET", "/maps/"), False),
        ("read write", ("GET", "/maps/%2e%2e/admin"), False),
        ("read write", ("GET", "/maps/1/members"), True),
        ("write", ("GET", "/maps/1"), False),
    ],
)
def test_a_simple_response_is_for_one_method_and_path(
    app: App, scope: str, call: tuple[str, str], expected: bool
) -> None:
    event = http_api_event_2(f"Bearer {token_of(app, scope)}", *call, variables={"oauth_scope_rules": RULES})
    answer = authorizer(event, None)
    assert answer["isAuthorized"] is expected
    assert ("context" in answer) is expected


@each_event
def test_without_rules_of_its_own_an_api_has_those_of_the_authorizer(
    app: App, event: Event, change_setting: Callable[[str, object], None]
) -> None:
    change_setting("scope_rules", {"GET /maps/*": "write"})
    assert passes(authorizer(event(f"Bearer {token_of(app, 'write')}"), None))
    assert not passes(authorizer(event(f"Bearer {token_of(app, 'read')}"), None))


@each_event_with_headers
@pytest.mark.parametrize("value", ["", "e30", "not rules", None, 5])
def test_bad_rules_let_nobody_in_and_the_log_says_why(
    app: App, event: Event, value: object, log: Log
) -> None:
    header = f"Bearer {token_of(app, 'read write')}"
    with pytest.raises(ScopeRulesError):
        authorizer(event(header, variables={"oauth_scope_rules": value}), None)
    told = log.event("authorizer.rules_refused")
    assert told["api"].startswith(f"{ARN}/")
    assert told["problem"].startswith("oauth_scope_rules: ")
    assert header not in log.read()


@each_event_with_headers
def test_the_name_of_the_header_is_written_as_one_likes(app: App, event: Event) -> None:
    sent = event("") | {"headers": {"AUTHORIZATION": f"Bearer {token_of(app)}"}, "multiValueHeaders": None}
    assert passes(authorizer(sent, None))


@each_event_with_headers
def test_two_tokens_are_none(app: App, event: Event) -> None:
    good, other = f"Bearer {token_of(app)}", f"Bearer {token_of(app)}"
    for headers in (
        {"headers": {"Authorization": good}, "multiValueHeaders": {"Authorization": [other, good]}},
        {"headers": {"Authorization": good, "authorization": other}, "multiValueHeaders": None},
        {"headers": {"authorization": f"{good},{other}"}, "multiValueHeaders": None},
    ):
        with pytest.raises(Unauthorized):
            authorizer(event(good) | headers, None)


ODD: tuple[object, ...] = (
    None,
    True,
    5,
    "",
    "x",
    "2.0",
    "TOKEN",
    "REQUEST",
    [],
    ["x"],
    {},
    {"authorization": 5},
    {"Authorization": [None]},
)
MEMBERS = ("type", "version", "headers", "multiValueHeaders", "methodArn", "routeArn", "authorizationToken")


@given(
    st.sampled_from(EVENTS),
    st.dictionaries(st.sampled_from(MEMBERS), st.sampled_from(ODD), max_size=4),
    st.booleans(),
)
def test_a_spoilt_event_is_unauthorized(event: Event, spoilt: dict[str, object], removed: bool) -> None:
    sent = event("Bearer x") | spoilt
    if removed:
        sent = {name: value for name, value in sent.items() if name not in spoilt}
    with pytest.raises(Unauthorized):
        authorizer(sent, None)


@pytest.mark.parametrize(
    "event", [None, [], "x", {}, {"type": "TOKEN"}, {"type": "REQUEST", "version": "2.0"}]
)
def test_what_is_no_event_is_unauthorized(event: object) -> None:
    with pytest.raises(Unauthorized):
        authorizer(event, None)


@each_event
@pytest.mark.parametrize(
    "arn", [None, "", "x", f"{ARN}/prod", f"{ARN}/prod/GET", "arn:aws:execute-api:*/*/GET/x"]
)
def test_an_arn_that_is_none_is_unauthorized_whatever_the_token(app: App, event: Event, arn: object) -> None:
    sent = event(f"Bearer {token_of(app)}")
    name = "routeArn" if "routeArn" in sent else "methodArn"
    with pytest.raises(Unauthorized):
        authorizer(sent | {name: arn}, None)
