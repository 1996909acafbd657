"""Makes `chalice local` answer 401 and 403 as the deployed gateway does.

By itself it drops the connection when an authorizer says "Unauthorized", and its 403 lacks
`WWW-Authenticate`. Imported only while Chalice's command line runs, never in Lambda.
"""

from typing import Any

import chalice.local
from chalice.local import ForbiddenError, LocalGatewayAuthorizer, NotAuthorizedError

from chalicelib.authorizer.challenges import ACCESS_DENIED, UNAUTHORIZED, Challenge
from chalicelib.authorizer.decision import Unauthorized


class GatewayAuthorizer(LocalGatewayAuthorizer):
    """Chalice's local authorizer, with the gateway responses that the template deploys."""

    def authorize(self, raw_path: str, lambda_event: Any, lambda_context: Any) -> Any:
        """Run the authorizer of a route, if it has one."""
        try:
            return super().authorize(raw_path, lambda_event, lambda_context)
        except (Unauthorized, NotAuthorizedError):
            raise NotAuthorizedError(*_response(UNAUTHORIZED)) from None
        except ForbiddenError:
            raise ForbiddenError(*_response(ACCESS_DENIED)) from None


def _response(challenge: Challenge) -> tuple[dict[str, str], bytes]:
    headers = {
        "WWW-Authenticate": challenge.header,
        "Content-Type": "application/json",
        "Access-Control-Allow-Origin": "*",
    }
    return headers, challenge.body.encode()


def install() -> None:
    """Put our authorizer in the place of Chalice's."""
    setattr(chalice.local, LocalGatewayAuthorizer.__name__, GatewayAuthorizer)
