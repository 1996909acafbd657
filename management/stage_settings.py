"""How a stage is deployed, as `.chalice/config.json` says.

What Chalice has a name for stands under that name (`lambda_architecture`, `log_retention_in_days`,
`xray`, `api_gateway_custom_domain`), so that plain `chalice deploy` follows it as well. What is
ours stands under `deployment`, for all stages or for one.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

from management import stage as stages

EVENT_BUS = (
    r"[A-Za-z0-9._-]{1,256}|arn:aws[a-z-]*:events:[a-z0-9-]+:[0-9]{12}:event-bus/[A-Za-z0-9._/-]{1,256}"
)
EMAIL = r"[^@\s]+@[^@\s]+\.[^@\s]+"
ARCHITECTURES = ("x86_64", "arm64")
ENDPOINT_TYPES = ("EDGE", "REGIONAL")
TIMEOUTS = range(26, 29)
"""Seconds: more than a request takes at the worst (`chalicelib/deadline.py`), less than API Gateway waits."""
RETENTIONS = (
    1,
    3,
    5,
    7,
    14,
    30,
    60,
    90,
    120,
    150,
    180,
    365,
    400,
    545,
    731,
    1096,
    1827,
    2192,
    2557,
    2922,
    3288,
    3653,
)


class StageError(ValueError):
    """`.chalice/config.json` asks for what cannot be deployed; the message names the entry."""


@dataclass(frozen=True)
class StageSettings:
    """How a stage is deployed."""

    name: str
    app_name: str

    lambda_architecture: str = "x86_64"
    log_retention_in_days: int = 30
    """How long the logs of the functions and of the API are kept."""
    lambda_timeout: int = 28
    """Seconds that a function has."""
    xray: bool = False
    """Whether requests are traced with AWS X-Ray."""
    api_gateway_custom_domain: Mapping[str, Any] = field(default_factory=dict)
    """`domain_name` and `certificate_arn`, as Chalice takes them."""
    api_gateway_endpoint_type: str = "EDGE"
    api_gateway_stage: str = "api"
    """The last part of the URL without a custom domain."""

    alarm_email: str = ""
    """Who is told of alarms. Empty: whoever subscribes to the stack's topic."""
    hosted_zone_id: str = ""
    """The zone of Route 53 that gets a record of the custom domain. Empty: DNS is somebody else's."""
    provisioned_concurrency: Mapping[str, int] = field(default_factory=dict)
    """How many instances of a function are always warm, by the function's name."""
    snap_start: Sequence[str] = ()
    """The functions that start from a snapshot of their memory (Lambda SnapStart), by name."""
    throttle: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """`rate` (requests a second) and `burst` (requests), by method and path, or `*` for all others."""
    event_bus: str = ""
    """The EventBridge bus that is told what happens. Empty: none.

    A name: the bus is made with the stack. `default`, or the ARN of a bus: that one.
    """

    @classmethod
    def of(cls, name: str) -> Self:
        """Read how a stage is deployed.

        Raises:
            StageError: an entry is not what it should be.
        """
        config = stages.config()
        of_stage = config["stages"].get(name, {})
        chalices = {entry: value for entry, value in (config | of_stage).items() if entry in _CHALICES}
        ours = config.get("deployment", {}) | of_stage.get("deployment", {})
        unknown = sorted(set(ours) - set(_OURS))
        if unknown:
            raise StageError(f"deployment: there is no {', '.join(unknown)}, but {', '.join(_OURS)}")
        for entry, value in (chalices | ours).items():
            if not _CHECKS[entry](value):
                raise StageError(f"{entry}: expected {_EXPECTED[entry]}, not {value!r}")
        return cls(name=name, app_name=config["app_name"], **chalices, **ours)

    @property
    def is_prod(self) -> bool:
        """Whether the tables stay, whatever happens to the rest."""
        return stages.is_prod(self.name)

    @property
    def is_watched(self) -> bool:
        """Whether there are alarms and a dashboard: for `prod`, and where somebody wants to be told."""
        return self.is_prod or bool(self.alarm_email)

    @property
    def stack_name(self) -> str:
        """What the stack is called, and what the names of most things in it start with."""
        return f"{self.app_name}-{self.name}"

    @property
    def domain_name(self) -> str:
        """The custom domain, or nothing."""
        return str(self.api_gateway_custom_domain.get("domain_name", ""))

    def function_name(self, function: str) -> str:
        """Return the name under which Chalice deploys a function."""
        return self.stack_name if function == "api_handler" else f"{self.stack_name}-{function}"

    def log_group(self, function: str) -> str:
        """Return the log group that Lambda writes to."""
        return f"/aws/lambda/{self.function_name(function)}"

    @property
    def access_log(self) -> str:
        """The log group of the API's access logs."""
        return f"/aws/apigateway/{self.stack_name}"


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_throttle(value: object) -> bool:
    return isinstance(value, dict) and all(
        re.fullmatch(r"\*|(GET|HEAD|POST|PUT|PATCH|DELETE|\*) /\S*", method)
        and isinstance(limits, dict)
        and set(limits) == {"rate", "burst"}
        and all(isinstance(limit, (int, float)) and limit > 0 for limit in limits.values())
        for method, limits in value.items()
    )


_CHECKS: dict[str, Callable[[Any], object]] = {
    "lambda_architecture": lambda value: value in ARCHITECTURES,
    "log_retention_in_days": lambda value: _is_count(value) and value in RETENTIONS,
    "lambda_timeout": lambda value: _is_count(value) and value in TIMEOUTS,
    "xray": lambda value: isinstance(value, bool),
    "api_gateway_custom_domain": lambda value: (
        isinstance(value, dict) and {"domain_name", "certificate_arn"} <= set(value)
    ),
    "api_gateway_endpoint_type": lambda value: value in ENDPOINT_TYPES,
    "api_gateway_stage": lambda value: (
        isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,128}", value)
    ),
    "alarm_email": lambda value: isinstance(value, str) and re.fullmatch(f"({EMAIL})?", value),
    "hosted_zone_id": lambda value: isinstance(value, str) and re.fullmatch(r"[A-Z0-9]{0,32}", value),
    "provisioned_concurrency": lambda value: isinstance(value, dict) and all(map(_is_count, value.values())),
    "snap_start": lambda value: isinstance(value, list) and all(isinstance(name, str) for name in value),
    "throttle": _is_throttle,
    "event_bus": lambda value: isinstance(value, str) and re.fullmatch(f"({EVENT_BUS})?", value),
}

_EXPECTED = {
    "lambda_architecture": " or ".join(ARCHITECTURES),
    "log_retention_in_days": f"a number of days that CloudWatch Logs has: {', '.join(map(str, RETENTIONS))}",
    "lambda_timeout": f"{TIMEOUTS[0]} to {TIMEOUTS[-1]} seconds",
    "xray": "true or false",
    "api_gateway_custom_domain": "an object with domain_name and certificate_arn",
    "api_gateway_endpoint_type": " or ".join(ENDPOINT_TYPES),
    "api_gateway_stage": "1 to 128 letters, digits, '_' or '-'",
    "alarm_email": "an e-mail address",
    "hosted_zone_id": "the id of a hosted zone of Route 53",
    "provisioned_concurrency": 'an object as {"api_handler": 2, "bearer": 1}',
    "snap_start": 'a list as ["api_handler", "bearer"]',
    "throttle": 'an object as {"*": {"rate": 100, "burst": 200}, "POST /oauth2/token": {...}}',
    "event_bus": "the name of an EventBridge bus, or its ARN",
}

_CHALICES = (
    "lambda_architecture",
    "log_retention_in_days",
    "lambda_timeout",
    "xray",
    "api_gateway_custom_domain",
    "api_gateway_endpoint_type",
    "api_gateway_stage",
)
_OURS = tuple(
    known.name for known in fields(StageSettings) if known.name not in {"name", "app_name", *_CHALICES}
)
