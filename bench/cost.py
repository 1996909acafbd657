"""What it costs: published prices, and the arithmetic from what was measured to dollars.

Prices are those of us-east-1 in US dollars, without free allowances unless they are spoken of.
"""

from collections.abc import Mapping
from dataclasses import dataclass

LOOKED_UP = "2026-11-25"
"""When the prices were looked up, where `Price.read` says: AWS's own lists could not be read."""

MEMORY = "from memory, not looked up"

HOURS = 730
"""Of a month."""
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
        "thousand tokens",
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
COLD_SHARE, COLD_MILLISECONDS = 0.001, 1500
"""One request in a thousand meets a cold start of 1.5 s, which is billed: assumed."""
LAMBDA_LINES = 280
"""Bytes that Lambda itself writes to the log at each invocation: START, END and REPORT."""
ANSWER = 1024
"""Bytes of a response with its headers: assumed."""


def dollars(name: str) -> float:
    """Return a price."""
    return PRICES[name].dollars


@dataclass(frozen=True)
class Work:
    """What one request takes, of a function and of what is around it."""

    cpu: float
    """Milliseconds of a whole CPU."""
    requests: float
    """To DynamoDB."""
    read: float
    """RRU."""
    write: float
    """WRU."""
    logged: float
    """Bytes."""
    stored: float = 0
    """Bytes that stay for a month, with what DynamoDB adds to each row."""
    answered: float = ANSWER
    """Bytes that go to the internet."""
    through_gateway: bool = True
    """Whether API Gateway charges for the request."""

    def milliseconds(self, memory: int) -> float:
        """Return how long a function of so many megabytes is busy, on average."""
        return self.cpu * max(1, FULL_CPU / memory) + self.requests * WAIT + COLD_SHARE * COLD_MILLISECONDS


def per_million(work: Work, memory: int, architecture: str = "x86_64") -> dict[str, float]:
    """Return what a million requests cost, in dollars, by what is paid for.

    Args:
        work: of each.
        memory: of the function, in megabytes.
        architecture: as Lambda calls it.
    """
    gb_seconds = work.milliseconds(memory) / 1000 * memory / 1024
    stored = dollars("DynamoDB, storage") + dollars("DynamoDB, point-in-time recovery")
    return {
        "API Gateway": dollars("API Gateway, REST") if work.through_gateway else 0.0,
        "Lambda": dollars("Lambda, requests") + MILLION * gb_seconds * dollars(f"Lambda, {architecture}"),
        "DynamoDB": work.write * dollars("DynamoDB, WRU") + work.read * dollars("DynamoDB, RRU"),
        "storage": MILLION * work.stored / GB * stored,
        "logs": MILLION * (work.logged + LAMBDA_LINES) / GB * dollars("CloudWatch, logs"),
        "traffic": MILLION * work.answered / GB * dollars("Traffic to the internet"),
    }


def decided(cache: int, interval: int) -> float:
    """Return which share of the calls of an API are decided anew.

    Args:
        cache: seconds for which API Gateway remembers what it was told of a token.
        interval: seconds between two calls with the same token.
    """
    return 1.0 if cache < interval else interval / cache


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
    """Return what Cognito asks a month for machine-to-machine tokens, at its first tier."""
    each = dollars("Cognito, machine-to-machine token") / 1000
    return tokens * each + clients * dollars("Cognito, machine client")
