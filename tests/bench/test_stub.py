"""The stub, met by botocore as the benchmarks do."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, SSLError

from bench.stub import secure_stub, stub
from chalicelib.models.grant import Grant
from management.infrastructure import tables

NEW = {"ConditionExpression": "attribute_not_exists(#0)", "ExpressionAttributeNames": {"#0": "grant_id"}}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with stub() as url:
        client_of(url).create_table(**tables.table_definition(Grant))
        yield url


def client_of(url: str, **options: Any) -> Any:
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client("dynamodb", endpoint_url=url, region_name="us-east-1", **keys, **options)


def row(key: str, **attributes: str) -> dict[str, Any]:
    table: str = Grant.Meta.table_name
    item = {name: {"S": value} for name, value in {"grant_id": key, **attributes}.items()}
    return {"TableName": table, "Item": item}


def read(client: Any, key: str) -> Any:
    return client.get_item(TableName=Grant.Meta.table_name, Key={"grant_id": {"S": key}}).get("Item")


def test_it_speaks_tls_to_those_who_trust_it() -> None:
    with secure_stub() as (url, trusted):
        assert client_of(url, verify=str(trusted)).create_table(**tables.table_definition(Grant))
        with pytest.raises(SSLError):
            client_of(url, verify=True).get_item(TableName="any", Key={})


def test_what_is_put_is_read(endpoint: str) -> None:
    client = client_of(endpoint)
    client.put_item(**row("put", scope="read"))
    assert read(client, "put") == {"grant_id": {"S": "put"}, "scope": {"S": "read"}}
    assert read(client, "nobody") is None


def test_a_condition_that_does_not_hold_changes_nothing(endpoint: str) -> None:
    client = client_of(endpoint)
    client.put_item(**row("once", scope="read"), **NEW)
    with pytest.raises(ClientError, match="ConditionalCheckFailedException"):
        client.put_item(**row("once", scope="write"), **NEW)
    assert read(client, "once")["scope"] == {"S": "read"}


def test_a_transaction_is_all_or_nothing(endpoint: str) -> None:
    client = client_of(endpoint)
    client.put_item(**row("there"))
    with pytest.raises(ClientError, match="TransactionCanceledException"):
        client.transact_write_items(
            TransactItems=[{"Put": row("not there")}, {"Put": {**row("there"), **NEW}}]
        )
    assert read(client, "not there") is None


def test_a_replay_is_answered_as_the_first_time(endpoint: str) -> None:
    client, replayed = client_of(endpoint), client_of(f"{endpoint}/replay")
    client.put_item(**row("again", scope="read"), **NEW)
    replayed.put_item(**row("again", scope="read"), **NEW)
    before = read(client, "again")
    client.put_item(**row("again", scope="write"))
    assert read(replayed, "again") == before
