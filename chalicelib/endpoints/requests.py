"""What surrounds every request: its time, what its events have in common, and the line that ends it."""

import time
from collections.abc import Callable

from chalice import Blueprint, Response
from chalice.app import Request

from chalicelib import deadline, logs
from chalicelib.catalogue import REQUEST
from chalicelib.endpoints import http
from chalicelib.journal import tell

blueprint = Blueprint(__name__)


@blueprint.middleware("http")
def tell_of_the_request(request: Request, get_response: Callable[[Request], Response]) -> Response:
    """Tell how a request went, be it answered by a view, by Chalice, or not as it should."""
    began = time.perf_counter()
    gateway_request_id = str(request.context.get("requestId", ""))
    request_id = getattr(request.lambda_context, "aws_request_id", None) or gateway_request_id
    invocation = logs.begin(request_id=request_id, source_ip=http.source_ip(request))
    status = 500
    try:
        with deadline.within(deadline.REQUEST):
            response = get_response(request)
        status = response.status_code
        return response
    finally:
        tell(
            REQUEST,
            endpoint=f"{request.method} {request.context.get('resourcePath')}",
            group=group(str(request.context.get("resourcePath"))),
            status=status,
            duration_ms=round((time.perf_counter() - began) * 1000, 1),
            dynamodb_requests=invocation.dynamodb_requests,
            # By it somebody asks who was refused. What went well is in the gateway's own log.
            gateway_request_id=gateway_request_id if status >= 400 else None,
        )
        logs.end()


def group(path: str) -> str:
    """Return what the latency of a route counts for: a metric for each route would cost by the month."""
    return path if path.startswith("/oauth2/") else "other"
