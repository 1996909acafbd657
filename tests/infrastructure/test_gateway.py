"""What API Gateway does by itself: how it refuses, how much it lets through, and what it notes."""

import json
import re
from typing import Any

import pytest

from chalicelib.authorizer.challenges import ACCESS_DENIED, UNAUTHORIZED
from management.infrastructure.throttling import DEFAULTS
from management.stage_settings import StageError
from tests.infrastructure.conftest import Packaged

STATUS = {
    "UNAUTHORIZED": 401,
    "ACCESS_DENIED": 403,
    "MISSING_AUTHENTICATION_TOKEN": 404,
    "INVALID_SIGNATURE": 404,
    "RESOURCE_NOT_FOUND": 404,
    "THROTTLED": 429,
    "AUTHORIZER_FAILURE": 503,
    "AUTHORIZER_CONFIGURATION_ERROR": 503,
    "DEFAULT_4XX": None,
    "DEFAULT_5XX": None,
}
"""What each case is answered with. A status for a default would be the status of all other cases."""


def api(template: dict[str, Any]) -> dict[str, Any]:
    return dict(template["Resources"]["RestAPI"]["Properties"])


def responses(packaged: Packaged) -> dict[str, Any]:
    return dict(api(packaged())["GatewayResponses"])


def headers(response: dict[str, Any]) -> dict[str, str]:
    quoted: dict[str, str] = response["ResponseParameters"]["Headers"]
    assert all(re.fullmatch(r"'[^']*'", value) for value in quoted.values())
    return {name: value.strip("'") for name, value in quoted.items()}


def test_the_gateway_answers_in_the_words_of_rfc_6749(packaged: Packaged) -> None:
    answers = responses(packaged)
    assert {name: answer.get("StatusCode") for name, answer in answers.items()} == STATUS
    for answer in answers.values():
        body = json.loads(answer["ResponseTemplates"]["application/json"])
        assert set(body) == {"error", "error_description"}
        assert headers(answer)["Cache-Control"] == "no-store"


def test_no_answer_of_the_gateway_quotes_the_request(packaged: Packaged) -> None:
    assert "$" not in json.dumps(responses(packaged))


def test_pages_of_other_origins_can_read_what_the_gateway_answers(packaged: Packaged) -> None:
    for answer in responses(packaged).values():
        assert headers(answer)["Access-Control-Allow-Origin"] == "*"
        exposed = headers(answer)["Access-Control-Expose-Headers"].split(",")
        assert {"WWW-Authenticate", "Retry-After"} <= set(exposed)


def test_401_and_403_carry_a_challenge_as_rfc_6750_says(packaged: Packaged) -> None:
    answers = responses(packaged)
    for name, challenge in (("UNAUTHORIZED", UNAUTHORIZED), ("ACCESS_DENIED", ACCESS_DENIED)):
        assert headers(answers[name])["WWW-Authenticate"] == challenge.header
        assert json.loads(answers[name]["ResponseTemplates"]["application/json"]) == json.loads(
            challenge.body
        )


def test_who_is_told_to_come_later_is_told_when(packaged: Packaged) -> None:
    later = {name for name, answer in responses(packaged).items() if "Retry-After" in headers(answer)}
    assert later == {name for name, status in STATUS.items() if status in {429, 503}}


def test_answers_are_in_the_definition_since_a_deployment_loses_resources_of_their_own(
    packaged: Packaged,
) -> None:
    kinds = {resource.get("Type") for resource in packaged()["Resources"].values()}
    assert "AWS::ApiGateway::GatewayResponse" not in kinds


def test_there_is_one_stage_and_not_an_unguarded_second_one(packaged: Packaged) -> None:
    assert api(packaged())["OpenApiVersion"] == "2.0"


def test_answers_are_compressed(packaged: Packaged) -> None:
    assert api(packaged())["MinimumCompressionSize"] == 1024


def limits(packaged: Packaged, **throttle: Any) -> dict[str, tuple[float, int]]:
    settings = api(packaged("dev", deployment={"throttle": throttle}))["MethodSettings"]
    return {
        f"{entry['HttpMethod']} {entry['ResourcePath']}": (
            entry["ThrottlingRateLimit"],
            entry["ThrottlingBurstLimit"],
        )
        for entry in settings
    }


def test_everything_is_throttled_and_what_costs_much_is_throttled_more(packaged: Packaged) -> None:
    throttled = limits(packaged)
    all_others, _ = throttled["* /*"]
    assert len(throttled) == len(DEFAULTS)
    assert throttled["POST /~1sign-up"] < throttled["POST /~1sign-in"] < throttled["POST /~1oauth2~1token"]
    assert throttled["POST /~1oauth2~1token"] == throttled["POST /~1oauth2~1access_token"]
    assert all(rate <= all_others for rate, _ in throttled.values())


def test_a_stage_throttles_as_it_likes(packaged: Packaged) -> None:
    routes = {
        "*": {"rate": 7, "burst": 8},
        "POST /oauth2/token": {"rate": 0.5, "burst": 1},
        "* /device": {"rate": 3, "burst": 4},
        "GET /": {"rate": 5, "burst": 6},
        "GET /applications/{client_id}": {"rate": 1, "burst": 2},
    }
    throttled = limits(packaged, **routes)
    assert throttled["* /*"] == (7, 8)
    assert throttled["POST /~1oauth2~1token"] == (0.5, 1)
    assert throttled["GET /~1device"] == throttled["POST /~1device"] == (3, 4)
    assert throttled["GET /"] == (5, 6)
    assert throttled["GET /~1applications~1{client_id}"] == (1, 2)
    assert throttled["POST /~1sign-in"] == (50, 100)


@pytest.mark.parametrize("route", ["POST /oauth2/tokens", "DELETE /sign-in", "* /nowhere"])
def test_a_route_that_there_is_not_cannot_be_throttled(packaged: Packaged, route: str) -> None:
    with pytest.raises(StageError, match=re.escape(f"throttle: there is no route {route}")):
        limits(packaged, **{route: {"rate": 1, "burst": 1}})


def access_log(packaged: Packaged, **entries: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    template = packaged("dev", log_retention_in_days=7, **entries)
    condition, logged, otherwise = api(template)["AccessLogSetting"]["Fn::If"]
    assert template["Conditions"][condition] == {"Fn::Equals": [{"Ref": "AccessLogs"}, "true"]}
    assert otherwise == {"Ref": "AWS::NoValue"}
    assert logged["DestinationArn"] == {"Fn::GetAtt": ["AccessLog", "Arn"]}
    return json.loads(logged["Format"]), template["Resources"]["AccessLog"]["Properties"]


def test_requests_are_logged_as_json_for_as_long_as_the_stage_says(packaged: Packaged) -> None:
    line, group = access_log(packaged)
    assert group == {"LogGroupName": "/aws/apigateway/oauth-dev", "RetentionInDays": 7}
    assert {"gateway_request_id", "request_id", "source_ip", "route", "status", "latency"} <= set(line)
    assert all(re.fullmatch(r"\$context(\.[A-Za-z]+)+", value) for value in line.values())


def test_the_access_log_names_the_trace_where_there_is_one(packaged: Packaged) -> None:
    assert "trace_id" not in access_log(packaged)[0]
    assert access_log(packaged, xray=True)[0]["trace_id"] == "$context.xrayTraceId"


def test_no_access_log_holds_what_could_be_a_credential(packaged: Packaged) -> None:
    line, _ = access_log(packaged, xray=True)
    forbidden = (
        r"\$context\.(path|requestOverride|responseOverride|customDomain)\b",
        r"\$context\.identity\.(?!sourceIp$)",
        # Quotes the `Authorization` header of a request to an unknown path.
        r"\$context\.error\.message",
        # What an exception in a function says.
        r"\$context\.(authorizer|authorize|integration)\.error",
        r"\$context\.integrationErrorMessage",
        # What the authorizer says of a token, but whose it is.
        r"\$context\.authorizer\.(?!principalId$|status$|latency$)",
        r"\$(input|util|stageVariables)\b",
    )
    for value in line.values():
        assert not any(re.search(pattern, value) for pattern in forbidden), value


def test_no_execution_log_is_written_which_would_hold_headers_and_bodies(packaged: Packaged) -> None:
    for entry in api(packaged())["MethodSettings"]:
        assert (entry["LoggingLevel"], entry["DataTraceEnabled"]) == ("OFF", False)


def test_without_the_role_for_it_a_stack_can_be_deployed_all_the_same(packaged: Packaged) -> None:
    assert packaged()["Parameters"]["AccessLogs"]["Default"] == "false"
