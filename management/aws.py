"""The command line's own client of DynamoDB: more patient than that of the functions."""

from typing import Any

import boto3
from botocore.config import Config

from chalicelib.models import table

THREADS = 8
"""Requests at once. More add nothing: one Python is busy then (measured in `revoking`)."""

ATTEMPTS = 10
"""Of one request. `adaptive` slows down by itself where DynamoDB throttles."""


def dynamodb() -> Any:
    """Return a client for the tables of the stage, and for what the functions may not do with them."""
    return boto3.client(
        "dynamodb",
        region_name=table.dynamodb.region,
        endpoint_url=table.dynamodb.host,
        config=Config(
            retries={"mode": "adaptive", "total_max_attempts": ATTEMPTS}, max_pool_connections=THREADS + 2
        ),
    )
