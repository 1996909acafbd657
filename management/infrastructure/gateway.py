"""API Gateway: how it answers when it lets nothing through, what it lets through, and what it notes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.authorizer.challenges import ACCESS_DENIED, UNAUTHORIZED, Challenge
from management.infrastructure import functions
from management.infrastructure.throttling import method_settings
from management.stage_settings import StageSettings

PARAMETERS = {
    "AccessLogs": {
        "Type": "String",
        "AllowedValues": ["true", "false"],
        "Default": "false",
        "Description": "Whether API Gateway logs requests. It needs a role for it in the account and region",
    }
}
CONDITIONS = {"HasAccessLogs": {"Fn::Equals": [{"Ref": "AccessLogs"}, "true"]}}

ACCESS_LOG = {
    "time": "$context.requestTimeEpoch",
    "gateway_request_id": "$context.requestId",
    "request_id": "$context.integration.requestId",
    "source_ip": "$context.identity.sourceIp",
    "method": "$context.httpMethod",
    "route": "$context.resourcePath",
    "status": "$context.status",
    "refusal": "$context.error.responseType",
    "latency": "$context.responseLatency",
    "principal": "$context.authorizer.principalId",
    "authorizer_latency": "$context.authorizer.latency",
    "function_status": "$context.integration.status",
    "lambda_status": "$context.integration.integrationStatus",
}
"""What is noted of a request, once: each byte is paid for, of every request. What the authorizer answered
follows from `refusal`, how long the function took from the two latencies. `request_id` is the function's,
by which its own log names the request too. Nothing in it is the caller's choice but the method and the
address.

The route is the one in our code, not the path that was asked for. No message of an error may be here:
to an unknown path with a token, API Gateway says what is wrong with the token, and quotes it; and what an
exception of ours says, the function's own log has, by the request id.
"""

TRACED = {"trace_id": "$context.xrayTraceId"}
"""What is noted besides if requests are traced."""


@dataclass(frozen=True)
class Refusal:
    """An answer of the gateway itself."""

    status: int | None
    """None: what API Gateway would answer."""
    error: str
    description: str
    headers: Mapping[str, str] = field(default_factory=dict)


def _challenge(challenge: Challenge) -> Refusal:
    headers = {"WWW-Authenticate": challenge.header}
    return Refusal(challenge.status, challenge.error, challenge.description, headers)


_LATER = {"Retry-After": "1"}
_NOT_FOUND = Refusal(404, "not_found", "There is nothing here, or not by this method.")
_AUTHORIZER_FAILED = Refusal(
    503, "temporarily_unavailable", "The access token could not be checked. Try again.", _LATER
)

REFUSALS = {
    "UNAUTHORIZED": _challenge(UNAUTHORIZED),
    "ACCESS_DENIED": _challenge(ACCESS_DENIED),
    "AUTHORIZER_FAILURE": _AUTHORIZER_FAILED,
    "AUTHORIZER_CONFIGURATION_ERROR": _AUTHORIZER_FAILED,
    "THROTTLED": Refusal(429, "temporarily_unavailable", "Too many requests. Try again in a second.", _LATER),
    # An unknown path, without and with an `Authorization` header: API Gateway takes it for a signed request.
    "MISSING_AUTHENTICATION_TOKEN": _NOT_FOUND,
    "INVALID_SIGNATURE": _NOT_FOUND,
    "RESOURCE_NOT_FOUND": _NOT_FOUND,
    # All others.
    "DEFAULT_4XX": Refusal(None, "invalid_request", "The gateway does not take this request."),
    "DEFAULT_5XX": Refusal(None, "server_error", "Something went wrong. Try again later."),
}
"""The answers by the type of gateway response. Their text is ours, since API Gateway's quotes the request."""


def resources(stage: StageSettings) -> dict[str, Any]:
    """Return what is said of the API beyond what Chalice knows, and its log group.

    Raises:
        StageError: `throttle` names a route that there is not.
    """
    properties: dict[str, Any] = {
        # Without it SAM makes a second stage, `Stage`, that is neither throttled nor logged.
        "OpenApiVersion": "2.0",
        # In the API's definition: as resources of their own, the next deployment would lose them.
        "GatewayResponses": {name: _gateway_response(refusal) for name, refusal in REFUSALS.items()},
        "MethodSettings": method_settings(stage),
        "AccessLogSetting": {
            "Fn::If": [
                "HasAccessLogs",
                {
                    "DestinationArn": {"Fn::GetAtt": ["AccessLog", "Arn"]},
                    "Format": json.dumps(ACCESS_LOG | (TRACED if stage.xray else {}), separators=(",", ":")),
                },
                {"Ref": "AWS::NoValue"},
            ]
        },
        "TracingEnabled": stage.xray,
        "DefinitionBody": _definition(),
    }
    return {
        "RestAPI": {"Properties": properties},
        "AccessLog": functions.log_group(stage.access_log, stage),
    }


def _gateway_response(refusal: Refusal) -> dict[str, Any]:
    headers = {
        **refusal.headers,
        "Cache-Control": "no-store",
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": "Retry-After,WWW-Authenticate",
    }
    body = {"error": refusal.error, "error_description": refusal.description}
    return {
        **({} if refusal.status is None else {"StatusCode": refusal.status}),
        "ResponseParameters": {"Headers": {name: f"'{value}'" for name, value in headers.items()}},
        "ResponseTemplates": {"application/json": json.dumps(body)},
    }


def _definition() -> dict[str, Any]:
    """Send requests to the versions that answer. Chalice knows of none, and names the functions."""
    from app import app

    integration = {"x-amazon-apigateway-integration": {"uri": _invocation("api_handler")}}
    authorizer = {"authorizerUri": _invocation("bearer")}
    return {
        "paths": {
            path: {method.lower(): integration for method in methods} for path, methods in app.routes.items()
        },
        "securityDefinitions": {"bearer": {"x-amazon-apigateway-authorizer": authorizer}},
    }


def _invocation(function: str) -> dict[str, Any]:
    path = "lambda:path/2015-03-31/functions/${Alias}/invocations"
    uri = f"arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}:{path}"
    return {"Fn::Sub": [uri, {"Alias": functions.arn(function)}]}
