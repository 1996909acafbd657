"""API Gateway: how it answers when it lets nothing through."""

import json
from typing import Any

from chalicelib.authorizer.challenges import ACCESS_DENIED, UNAUTHORIZED, Challenge
from management.stage_settings import StageSettings


def resources(stage: StageSettings) -> dict[str, Any]:
    """Return the gateway responses, by their logical ids."""
    return {
        "UnauthorizedResponse": _gateway_response("UNAUTHORIZED", UNAUTHORIZED),
        "AccessDeniedResponse": _gateway_response("ACCESS_DENIED", ACCESS_DENIED),
    }


def _gateway_response(response_type: str, challenge: Challenge) -> dict[str, Any]:
    return {
        "Type": "AWS::ApiGateway::GatewayResponse",
        "Properties": {
            "RestApiId": {"Ref": "RestAPI"},
            "ResponseType": response_type,
            "StatusCode": str(challenge.status),
            "ResponseParameters": {
                "gatewayresponse.header.WWW-Authenticate": f"'{challenge.header}'",
                "gatewayresponse.header.Cache-Control": "'no-store'",
                "gatewayresponse.header.Access-Control-Allow-Origin": "'*'",
            },
            "ResponseTemplates": {"application/json": json.dumps(json.loads(challenge.body))},
        },
    }
