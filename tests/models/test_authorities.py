"""Whom the DynamoDB client trusts: the same as ever, but read while a function starts, and once."""

import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import SSLError

from bench.stub import secure_stub
from chalicelib.models.grant import Grant
from chalicelib.models.table import read_authorities
from management.infrastructure import tables

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, Path]]:
    with secure_stub() as (url, trusted):
        yield url, trusted


def client_of(url: str, verify: str | bool) -> Any:
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    once = Config(retries={"total_max_attempts": 1})
    client = boto3.client(
        "dynamodb", endpoint_url=url, region_name="us-east-1", verify=verify, config=once, **keys
    )
    read_authorities(client)
    return client


def ask(client: Any) -> Any:
    return client.get_item(TableName=Grant.Meta.table_name, Key={"grant_id": {"S": "nobody"}})


def test_they_are_read_once_for_all_connections(
    server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, trusted = server
    read, files = ssl.SSLContext.load_verify_locations, []

    def reading(context: ssl.SSLContext, *which: Any) -> None:
        files.append(which)
        read(context, *which)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", reading)
    client = client_of(url, str(trusted))
    client.create_table(**tables.table_definition(Grant))
    client._endpoint.http_session._manager.clear()
    ask(client)
    assert files == [(str(trusted), None, None)]


def test_a_server_that_no_authority_vouches_for_is_not_trusted(server: tuple[str, Path]) -> None:
    with pytest.raises(SSLError, match="self-signed certificate"):
        ask(client_of(server[0], True))


def test_a_server_of_another_name_is_not_trusted(server: tuple[str, Path]) -> None:
    url, trusted = server
    with pytest.raises(SSLError, match="doesn't match"):
        ask(client_of(url.replace("127.0.0.1", "localhost"), str(trusted)))


@pytest.mark.parametrize(("variables", "times"), [({"AWS_LAMBDA_FUNCTION_NAME": "oauth-test"}, 1), ({}, 0)])
def test_a_function_reads_them_while_it_starts_and_a_command_when_it_needs_them(
    variables: dict[str, str], times: int
) -> None:
    program = (
        "import ssl; read = ssl.SSLContext.load_verify_locations; times = []; "
        "ssl.SSLContext.load_verify_locations = lambda *a: (times.append(a), read(*a)); "
        "import chalicelib.models.table; print(len(times))"
    )
    environment = {"PATH": os.environ["PATH"], "AWS_REGION": "us-east-1", **variables}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == times
