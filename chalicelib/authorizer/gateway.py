"""The Lambda authorizer of other stacks' APIs, whatever kind of API Gateway they have.

One handler with an adapter for each of the events that API Gateway has for it. Deployed, this
module is the function's handler: `app.py` is never imported.
"""

from collections.abc import Callable, Mapping
from typing import Any

from chalice import Blueprint

from chalicelib import deadline, logs
from chalicelib.authorizer.decision import Unauthorized, decide
from chalicelib.authorizer.policy import Request, own_rules, policy
from chalicelib.catalogue import SCOPE_RULES_REFUSED
from chalicelib.journal import tell
from chalicelib.scope_rules import STAGE_VARIABLE, ScopeRules, ScopeRulesError, from_stage_variable

blueprint = Blueprint(__name__)

Event = Mapping[str, Any]


@blueprint.lambda_function(name="authorizer")
def authorizer(event: Any, context: object) -> dict[str, Any]:
    """Answer API Gateway's question about a request to somebody's API.

    Raises:
        Unauthorized: API Gateway makes it a 401.
        ScopeRulesError: the rules that the API brings are wrong; a 500. Nobody gets in.
        StorageError: DynamoDB did not answer; a 500. Nobody gets in.
    """
    logs.begin(request_id=getattr(context, "aws_request_id", None))
    with deadline.within(deadline.AUTHORIZER):
        return _adapter(event)(event)


def _adapter(event: Any) -> "Callable[[Event], dict[str, Any]]":
    if isinstance(event, dict):
        if event.get("type") == "TOKEN":
            return _token
        if event.get("type") == "REQUEST":
            return _simple if event.get("version") == "2.0" else _request
    raise Unauthorized


def _token(event: Event) -> dict[str, Any]:
    """REST APIs, `TOKEN`: the header alone. It brings no stage variables."""
    request = Request.of(event.get("methodArn"))
    decision = decide(_text(event.get("authorizationToken")))
    return policy(decision, own_rules().access(decision.scopes), request)


def _request(event: Event) -> dict[str, Any]:
    """REST APIs, `REQUEST`, and HTTP APIs with payload format 1.0: a policy, for all routes at once."""
    request = Request.of(event.get("methodArn"))
    decision = decide(_authorization(event))
    return policy(decision, _rules(event).access(decision.scopes), request)


def _simple(event: Event) -> dict[str, Any]:
    """HTTP APIs, payload format 2.0 and simple responses: yes or no, for this one method and path."""
    request = Request.of(event.get("routeArn"))
    decision = decide(_authorization(event))
    if not _rules(event).access(decision.scopes).covers(request.method, request.path):
        return {"isAuthorized": False}
    return {"isAuthorized": True, "context": decision.context()}


def _authorization(event: Event) -> str | None:
    """Return the one `Authorization` header. Two of them that differ are as good as none."""
    found = {
        value
        for headers in (event.get("headers"), event.get("multiValueHeaders"))
        if isinstance(headers, dict)
        for name, values in headers.items()
        if name.lower() == "authorization"
        for value in (values if isinstance(values, list) else [values])
        if isinstance(value, str)
    }
    return found.pop() if len(found) == 1 else None


def _rules(event: Event) -> ScopeRules:
    """Return the rules that the API brings, or else our own."""
    variables = event.get("stageVariables")
    if not isinstance(variables, dict) or STAGE_VARIABLE not in variables:
        return own_rules()
    try:
        return from_stage_variable(str(variables[STAGE_VARIABLE]))
    except ScopeRulesError as error:
        api = event.get("methodArn") or event.get("routeArn")
        tell(SCOPE_RULES_REFUSED, api=Request.of(api).stage, problem=f"{STAGE_VARIABLE}: {error}")
        raise


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
