"""What is measured, in processes of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

SECONDS = 600
"""For any one of them, at most."""


def environment(endpoint: str, **settings: str) -> dict[str, str]:
    """Return what a subject finds in its environment, and nothing else.

    Args:
        endpoint: the URL of its DynamoDB.
        settings: more variables.
    """
    return {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL_DYNAMODB": endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_SESSION_TOKEN": "bench" * 40,
        "OAUTH_TABLE_PREFIX": "oauth-bench",
        "OAUTH_CLIENT_CACHE_LIFETIME": "300",
        **settings,
    }


def run(name: str, *arguments: str, variables: Mapping[str, str]) -> Any:
    """Run a subject of this package, and return what it prints, as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", f"bench.subjects.{name}", *arguments],
        cwd=ROOT,
        env=variables,
        stdout=subprocess.PIPE,
        check=True,
        timeout=SECONDS,
    )
    return json.loads(done.stdout.splitlines()[-1])
