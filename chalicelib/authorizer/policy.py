"""What a token allows, as an IAM policy for API Gateway.

API Gateway keeps a policy for as long as the cache time and applies it to every route that the
same token calls. So it speaks of the whole stage, never of the method that was called.
"""

import re
from dataclasses import dataclass
from typing import Any, Self

from chalicelib.authorizer.decision import Decision, Unauthorized
from chalicelib.scope_rules import Access, ScopeRules, compiled
from chalicelib.settings import settings

_ARN = re.compile(r"(?P<stage>arn:[^/*?]+/[^/*?]+)/(?P<method>[^/*?]+)/(?P<path>.*)", re.DOTALL)


@dataclass(frozen=True)
class Request:
    """What API Gateway asks about."""

    stage: str
    """`arn:aws:execute-api:<region>:<account>:<api>/<stage>`."""
    method: str
    path: str

    @classmethod
    def of(cls, arn: object) -> Self:
        """Read the ARN of a method, which is that of its stage, and `/<method>/<path>`.

        Raises:
            Unauthorized: it is none. API Gateway sends no such thing.
        """
        parts = _ARN.fullmatch(arn) if isinstance(arn, str) else None
        if not parts:
            raise Unauthorized
        return cls(parts["stage"], parts["method"], f"/{parts['path']}")


def own_rules() -> ScopeRules:
    """Return the rules in `OAUTH_SCOPE_RULES`."""
    return compiled(tuple(settings.scope_rules.items()))


def policy(decision: Decision, access: Access, request: Request) -> dict[str, Any]:
    """Return the answer to API Gateway.

    Args:
        decision: what the token stands for.
        access: what its scopes open.
        request: only its stage counts.
    """
    return {
        "principalId": decision.user_id or decision.client_id,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": _statements(access, request.stage),
        },
        "context": decision.context(),
    }


def _statements(access: Access, stage: str) -> list[dict[str, Any]]:
    """Return the policy. A method is never `*`, which would reach into the path.

    IAM documents `?` as one character (not tried on AWS); were it none, `/maps/?*` would open nothing.
    """
    if not access.allowed:
        # An empty list has been reported to let everything through (Chalice issue 1619).
        return [_statement("Deny", [f"{stage}/*"])]
    allowed = [
        f"{stage}/{method}{path}"
        for rule in access.allowed
        for method in rule.methods
        for path in rule.opened
    ]
    refused = [
        f"{stage}/{method}{path}" for rule in access.refused for method in rule.methods for path in rule.paths
    ]
    refused += [f"{stage}/{path}" for path in access.spellings]
    statements = [_statement("Allow", allowed)]
    if refused:
        statements.append(_statement("Deny", refused))
    return statements


def _statement(effect: str, resources: list[str]) -> dict[str, Any]:
    return {"Effect": effect, "Action": "execute-api:Invoke", "Resource": resources}
