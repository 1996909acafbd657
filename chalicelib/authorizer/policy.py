"""What a token allows, as an IAM policy for API Gateway.

API Gateway keeps a policy for as long as the cache time and applies it to every route that the
same token calls. So it speaks of the whole stage, never of the method that was called.
"""

import re
from dataclasses import dataclass
from typing import Any, Self

from chalicelib.authorizer.decision import Decision, Unauthorized
from chalicelib.scope_rules import OTHER_SPELLINGS, Access, Rule, ScopeRules, compiled
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
    if not access.allowed:
        # An empty list has been reported to let everything through (Chalice issue 1619).
        return [_statement("Deny", [f"{stage}/*"])]
    statements = [_statement("Allow", _resources(access.allowed, stage))]
    if access.refused:
        refused = [*_resources(access.refused, stage), *(f"{stage}/{path}" for path in OTHER_SPELLINGS)]
        statements.append(_statement("Deny", refused))
    return statements


def _resources(rules: tuple[Rule, ...], stage: str) -> list[str]:
    """Return what rules are about. A method is never `*`, which would reach into the path."""
    return [f"{stage}/{method}{path}" for rule in rules for method in rule.methods for path in rule.paths]


def _statement(effect: str, resources: list[str]) -> dict[str, Any]:
    return {"Effect": effect, "Action": "execute-api:Invoke", "Resource": resources}
