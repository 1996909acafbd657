"""The Chalice authorizer of this app's own routes (RFC 6750 section 2.1).

Deployed, this module is the function's handler: `app.py` is never imported.
"""

from typing import Any

from chalice import Blueprint
from chalice.app import AuthRequest, ChaliceAuthorizer

from chalicelib import deadline, logs
from chalicelib.authorizer.decision import decide
from chalicelib.authorizer.policy import Request, own_rules, policy
from chalicelib.settings import settings

blueprint = Blueprint(__name__)


@blueprint.authorizer(ttl_seconds=settings.authorizer_cache_lifetime)
def bearer(request: AuthRequest) -> dict[str, Any]:
    """Answer API Gateway's question about a request.

    Raises:
        Unauthorized: API Gateway makes it a 401.
        StorageError: API Gateway makes it a 500. Nobody gets in.
    """
    decision = decide(request.token)
    return policy(decision, own_rules().access(decision.scopes), Request.of(request.method_arn))


class _Invoked(ChaliceAuthorizer):
    """Says how long an invocation has, and lets the log know which it is: Chalice does not hand that on."""

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        logs.begin(request_id=getattr(context, "aws_request_id", None))
        with deadline.within(deadline.AUTHORIZER):
            return super().__call__(event, context)


# It is registered with Chalice, which would not know of another object in its place.
bearer.__class__ = _Invoked
