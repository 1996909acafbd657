"""How many requests API Gateway lets through, by method and path.

They are counted for all callers together, so a limit is no defence against one of them; it is a bound
to what a flood may cost. One caller is held up by the server itself (`accounts/throttle.py`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from management.stage_settings import StageError, StageSettings

ALL_OTHERS = "*"

DEFAULTS: Mapping[str, Mapping[str, float]] = {
    ALL_OTHERS: {"rate": 1000, "burst": 2000},
    "POST /oauth2/access_token": {"rate": 500, "burst": 1000},
    "POST /oauth2/token": {"rate": 500, "burst": 1000},
    # Each hashes a password, which keeps a function busy for a good part of a second.
    "POST /sign-in": {"rate": 50, "burst": 100},
    "POST /sign-up/confirm": {"rate": 20, "burst": 40},
    "POST /forgotten-password/confirm": {"rate": 20, "burst": 40},
    "POST /account/password": {"rate": 20, "burst": 40},
    # Each sends a mail.
    "POST /sign-up": {"rate": 10, "burst": 20},
    "POST /forgotten-password": {"rate": 10, "burst": 20},
}
"""`rate` is in requests a second, `burst` in requests."""

UNLOGGED = {"LoggingLevel": "OFF", "DataTraceEnabled": False, "MetricsEnabled": False}
"""Execution logs hold headers and bodies, and so credentials. Metrics by method cost by method."""


def method_settings(stage: StageSettings) -> list[dict[str, Any]]:
    """Return the settings of the API's methods, as `AWS::ApiGateway::Stage` takes them.

    Raises:
        StageError: there is no such route.
    """
    return [
        {
            "HttpMethod": method,
            "ResourcePath": path,
            "ThrottlingRateLimit": limits["rate"],
            "ThrottlingBurstLimit": int(limits["burst"]),
            **UNLOGGED,
        }
        for route, limits in {**DEFAULTS, **stage.throttle}.items()
        for method, path in _methods(route)
    ]


def _methods(route: str) -> Iterator[tuple[str, str]]:
    """Find the methods that `POST /oauth2/token`, `* /oauth2/token` or `*` speak of."""
    if route == ALL_OTHERS:
        yield "*", "/*"
        return
    wanted, _, path = route.partition(" ")
    methods = [method for method in _routes().get(path, ()) if wanted in {"*", method}]
    if not methods:
        raise StageError(f"throttle: there is no route {route}")
    for method in methods:
        yield method, _encoded(path)


def _routes() -> dict[str, list[str]]:
    """Return the methods of each path."""
    from app import app

    return {path: list(methods) for path, methods in app.routes.items()}


def _encoded(path: str) -> str:
    """Return a path as CloudFormation names it: `/~1oauth2~1token`."""
    return path if path == "/" else "/" + path.replace("/", "~1")
