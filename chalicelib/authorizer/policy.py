"""What a token allows, as an IAM policy for API Gateway.

API Gateway keeps a policy for as long as the cache time and applies it to every route that the
same token calls. So it speaks of the whole stage, never of the method that was called.
"""

from typing import Any

from chalicelib.authorizer.decision import Decision

METHODS_OF_SCOPE = {
    "read": ("GET", "HEAD"),
    "write": ("POST", "PUT", "PATCH", "DELETE"),
}
"""Which HTTP methods a scope allows."""


def policy(decision: Decision, method_arn: str) -> dict[str, Any]:
    """Return the answer to API Gateway.

    Args:
        decision: what the token stands for.
        method_arn: `arn:aws:execute-api:<region>:<account>:<api>/<stage>/<method>/<path>`.
    """
    api, stage = method_arn.split("/", 2)[:2]
    methods = [method for scope in decision.scope.split(" ") for method in METHODS_OF_SCOPE.get(scope, ())]
    return {
        "principalId": decision.user_id or decision.client_id,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                _statement("Allow", [f"{api}/{stage}/{method}/*" for method in methods])
                if methods
                # An empty list has been reported to let everything through (Chalice issue 1619).
                else _statement("Deny", [f"{api}/{stage}/*"])
            ],
        },
        "context": decision.context(),
    }


def _statement(effect: str, resources: list[str]) -> dict[str, Any]:
    return {"Effect": effect, "Action": "execute-api:Invoke", "Resource": resources}
