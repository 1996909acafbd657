"""What it costs: published prices, and the arithmetic from what was measured to dollars.

Prices are those of us-east-1 in US dollars, without free allowances unless they are spoken of.
"""

import json
import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from management.infrastructure.gateway import ACCESS_LOG

LOOKED_UP = "2026-11-25"
"""When the prices were looked up, where `Price.read` says: AWS's own lists could not be read."""

MEMORY = "from memory, not looked up"

HOURS = 730
"""Of a month."""
MONTH = HOURS * 3600
"""Seconds."""
GB = 2**30
MILLION = 1_000_000


@dataclass(frozen=True)
class Price:
    """A published price."""

    dollars: float
    per: str
    published: str
    """AWS's page, on which it would have to be looked at."""
    read: str
    """Where it was read, and of when that page is."""


_APIS, _DYNAMODB, _LOGS = "api-gateway/pricing", "dynamodb/pricing/on-demand", "cloudwatch/pricing"
_LAMBDA, _FARGATE, _RDS = "lambda/pricing", "fargate/pricing", "rds/postgresql/pricing"
_FUNCTIONS = "appropri8-astro.pages.dev, Deploying a simple API, 2025-12"
_UNITS = "airbyte.com/data-engineering-resources/dynamodb-pricing, 2025-07"
_OBSERVED = "factualminds.com, Amazon CloudWatch pricing, 2026-06"
_CONTAINERS = "wring.co/blog/aws-fargate-pricing-guide, 2026-03"

PRICES: Mapping[str, Price] = {
    "API Gateway, REST": Price(
        3.50,
        "million requests",
        _APIS,
        "docs.aws.amazon.com, Best practices for private APIs, Cost optimization (of no date)",
    ),
    "Lambda, requests": Price(0.20, "million requests", _LAMBDA, _FUNCTIONS),
    "Lambda, x86_64": Price(0.0000166667, "GB-second", _LAMBDA, _FUNCTIONS),
    "Lambda, arm64": Price(0.0000133334, "GB-second", _LAMBDA, MEMORY),
    "DynamoDB, WRU": Price(0.625, "million units", _DYNAMODB, _UNITS),
    "DynamoDB, RRU": Price(0.125, "million units", _DYNAMODB, _UNITS),
    "DynamoDB, storage": Price(0.25, "GB and month", _DYNAMODB, MEMORY),
    "DynamoDB, point-in-time recovery": Price(
        0.20, "GB and month", _DYNAMODB, "finops.com.py/services/dynamodb/backups (of no date)"
    ),
    "CloudWatch, logs": Price(0.50, "GB taken in", _LOGS, _OBSERVED),
    "CloudWatch, metric": Price(0.30, "month", _LOGS, "signoz.io/guides/cloudwatch-pricing, 2026-02"),
    "CloudWatch, alarm": Price(0.10, "month", _LOGS, MEMORY),
    "CloudWatch, dashboard": Price(3.00, "month", _LOGS, _OBSERVED),
    "Traffic to the internet": Price(
        0.09, "GB", "ec2/pricing/on-demand", "leanopstech.com/blog/aws-data-transfer-pricing-2026, 2026-04"
    ),
    "Cognito, machine-to-machine token": Price(
        2.25,
        "thousand tokens, first tier",
        "cognito/pricing",
        "cur.vantage-api.com, CUPM2MTokenRequestsFull, 2025-04",
    ),
    "Cognito, machine client": Price(
        6.00,
        "month",
        "cognito/pricing",
        "dev.classmethod.jp/articles/amazon-cognito-tiered-pricing-m2m-usage, 2024-05",
    ),
    "Fargate, vCPU": Price(0.04048, "hour", _FARGATE, _CONTAINERS),
    "Fargate, memory": Price(0.004445, "GB and hour", _FARGATE, _CONTAINERS),
    "Load balancer (ALB)": Price(
        0.0225, "hour", "elasticloadbalancing/pricing", "cloud-horizons.com/blog, ALB, 2026-05"
    ),
    "RDS, PostgreSQL, db.t4g.micro": Price(
        0.016, "hour", _RDS, "infratally.com/articles/aws-rds-pricing-explained-2026.html, 2026"
    ),
    "RDS, storage (gp3)": Price(
        0.115, "GB and month", _RDS, "usage.ai/blogs/aws/reserved-instances/rds/pricing-calculator, 2026-06"
    ),
}

FREE_ALARMS, FREE_DASHBOARDS, FREE_METRICS = 10, 3, 10
"""Of an account, for ever (read on aws.amazon.com/cloudwatch/pricing)."""

WAIT = 5
"""Milliseconds that a request to DynamoDB takes: assumed."""
FULL_CPU = 1769
"""Megabytes at which a function has one CPU to itself; less memory is that much less CPU."""
ROUNDING = 0.5
"""Milliseconds by which Lambda rounds up, on average: it bills whole ones."""
COLD_SHARE = 0.001
"""One request in a thousand meets a cold start: assumed."""
COLD_CPU, COLD_BESIDES = 200, 300
"""Milliseconds of one that are billed: what our code computes, if it was not measured; and for Python
itself and TLS, assumed."""
ANSWER = 1024
"""Bytes of a response with its headers: assumed."""

_UUID = str(uuid.UUID(int=0))
_LAMBDA_WRITES = (
    f"START RequestId: {_UUID} Version: 12\n",
    f"END RequestId: {_UUID}\n",
    f"REPORT RequestId: {_UUID}\tDuration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 512 MB"
    "\tMax Memory Used: 80 MB\t\n",
)
LAMBDA_LINES = sum(map(len, _LAMBDA_WRITES))
"""Bytes that Lambda itself writes to the log at each invocation."""

_NOTED = {
    "$context.requestTimeEpoch": "1790000000000",
    "$context.requestId": _UUID,
    "$context.integration.requestId": _UUID,
    "$context.identity.sourceIp": "203.0.113.195",
    "$context.httpMethod": "POST",
    "$context.resourcePath": "/oauth2/access_token",
    "$context.status": "200",
    "$context.error.responseType": "-",
    "$context.responseLatency": "25",
    "$context.authorizer.principalId": "-",
    "$context.authorizer.latency": "-",
    "$context.integration.status": "200",
    "$context.integration.integrationStatus": "200",
}
"""What API Gateway has to say of a token request."""
_ACCESS = {name: _NOTED[variable] for name, variable in ACCESS_LOG.items()}
ACCESS_LINE = len(json.dumps(_ACCESS, separators=(",", ":")))
"""Bytes that API Gateway writes to the access log at each request."""


def dollars(name: str) -> float:
    """Return a price."""
    return PRICES[name].dollars


@dataclass(frozen=True)
class Work:
    """What an operation takes, of a function and of what is around it."""

    cpu: float
    """Milliseconds of a whole CPU."""
    requests: float
    """To DynamoDB."""
    read: float
    """RRU."""
    write: float
    """WRU."""
    logged: float
    """Bytes that we write."""
    rows: float = 0
    """Bytes times months that tables hold because of it, with what DynamoDB adds to each row."""
    entries: float = 0
    """The same of indexes."""
    calls: int = 1
    """Of the function."""
    through_gateway: bool = True
    """Whether these come by our API Gateway, which charges for them, logs them, and sends the answers."""
    cold: float = COLD_CPU
    """Milliseconds that our code computes at a cold start."""

    def milliseconds(self, memory: int) -> float:
        """Return for how long a function of so many megabytes is paid, on average."""
        waited = self.requests * WAIT
        besides = self.calls * (COLD_SHARE * (self.cold + COLD_BESIDES) + ROUNDING)
        return self.cpu * max(1, FULL_CPU / memory) + waited + besides


def per_million(work: Work, memory: int, architecture: str = "x86_64") -> dict[str, float]:
    """Return what a million of an operation cost, in dollars, by what is paid for.

    Args:
        work: of each.
        memory: of the function, in megabytes.
        architecture: as Lambda calls it.
    """
    gb_seconds = MILLION * work.milliseconds(memory) / 1000 * memory / 1024
    calls = work.calls * dollars("Lambda, requests")
    by_gateway = work.calls * work.through_gateway
    logged = work.logged + work.calls * LAMBDA_LINES + by_gateway * ACCESS_LINE
    # Point-in-time recovery is charged by the size of tables and local secondary indexes, and not of ours:
    # docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery_Howitworks.html
    stored = (work.rows + work.entries) * dollars("DynamoDB, storage")
    recoverable = work.rows * dollars("DynamoDB, point-in-time recovery")
    return {
        "API Gateway": by_gateway * dollars("API Gateway, REST"),
        "Lambda": calls + gb_seconds * dollars(f"Lambda, {architecture}"),
        "DynamoDB": work.write * dollars("DynamoDB, WRU") + work.read * dollars("DynamoDB, RRU"),
        "storage": MILLION / GB * (stored + recoverable),
        "logs": MILLION / GB * logged * dollars("CloudWatch, logs"),
        "traffic": MILLION / GB * by_gateway * ANSWER * dollars("Traffic to the internet"),
    }


def decided(cache: int, interval: int) -> float:
    """Return which share of the calls of an API are decided anew.

    Args:
        cache: seconds for which API Gateway remembers what it was told of a token.
        interval: seconds between two calls with the same token.
    """
    return 1 / max(1, math.ceil(cache / interval))


def unknown(interval: float, lifetime: float) -> float:
    """Return at which share of its requests a function has to read a client's row.

    They come at random. Who was read is known for a time, in which `lifetime / interval` more come, and is
    read again at the first one after it.

    Args:
        interval: seconds between two requests of a client to one function, on average.
        lifetime: seconds for which a function knows a client.
    """
    return interval / (interval + lifetime)


def at_rest(alarms: int, dashboards: int, *, allowances: bool) -> float:
    """Return what a stage costs in a month in which nobody calls, in dollars.

    Args:
        alarms: there are.
        dashboards: there are.
        allowances: whether nothing else in the account uses what is free.
    """
    if allowances:
        alarms, dashboards = max(0, alarms - FREE_ALARMS), max(0, dashboards - FREE_DASHBOARDS)
    return alarms * dollars("CloudWatch, alarm") + dashboards * dollars("CloudWatch, dashboard")


def containers() -> dict[str, float]:
    """Return what a month of two small containers, a load balancer and a small database costs."""
    container = 0.25 * dollars("Fargate, vCPU") + 0.5 * dollars("Fargate, memory")
    return {
        "two containers of 0.25 vCPU and 0.5 GB": 2 * HOURS * container,
        "a load balancer": HOURS * dollars("Load balancer (ALB)"),
        "a database, one zone, 20 GB": HOURS * dollars("RDS, PostgreSQL, db.t4g.micro")
        + 20 * dollars("RDS, storage (gp3)"),
    }


def cognito(tokens: float, clients: int) -> float:
    """Return what Cognito asks a month for machine-to-machine tokens, were all of them in its first tier.

    More tokens cost less each; from how many on, and how much, could not be found.
    """
    each = dollars("Cognito, machine-to-machine token") / 1000
    return tokens * each + clients * dollars("Cognito, machine client")
