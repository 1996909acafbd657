"""Rows and transactions: nothing gets overwritten, and what got lost on the way counts once."""

import secrets

import pytest

from chalicelib.models import table
from chalicelib.models.client import Client
from chalicelib.models.grant import CLIENT_SHARDS, AuthorizationCode, Grant, client_shard, client_shards
from chalicelib.models.session import BrowserSession
from chalicelib.models.table import Conflict, Row, StorageError, Transaction, dynamodb
from chalicelib.models.user import Account, EmailAddress
from tests.faults import CONFLICT, FAULTS, answer_gets_lost, first_attempt_fails, meanwhile, storage_fails
from tests.harness import Deployment


def new_client(name: str = "Example") -> Client:
    return Client("id", client_name=name, grant_types=[], scope="read", created_at=0)


@pytest.fixture
def client(deployment: Deployment) -> Client:
    client = new_client()
    client.write()
    return client


def stored() -> Client:
    client = Client.find("id")
    assert client
    return client


def rename(name: str) -> None:
    client = stored()
    client.client_name = name
    client.write()


def test_a_row_may_be_written_again_by_who_wrote_it(client: Client) -> None:
    for name in ("Second", "Third"):
        client.client_name = name
        client.write()
    assert stored().client_name == "Third"


def test_every_write_has_a_revision_of_its_own(client: Client) -> None:
    first = client.revision
    client.write()
    assert client.revision != first
    assert stored().revision == client.revision


def test_a_new_row_does_not_overwrite_another(client: Client) -> None:
    with pytest.raises(Conflict):
        new_client("Impostor").write()
    assert stored().client_name == "Example"


def test_a_map_that_lacks_something_is_not_stored(deployment: Deployment) -> None:
    now = 1_700_000_000
    code = AuthorizationCode(hash="of the code")  # When does it expire?
    grant = Grant(
        "grant", client_id="id", scope="read", created_at=now, issued_on="2023-11-14", expires_at=now
    )
    grant.authorization_code = code
    with pytest.raises(ValueError, match=r"authorization_code\.expires_at"):
        grant.write()
    assert Grant.find("grant") is None


def test_what_was_read_before_another_write_cannot_be_written(client: Client) -> None:
    stale = stored()
    rename("Renamed")
    stale.client_name = "Stale"
    with pytest.raises(Conflict):
        stale.write()
    assert stored().client_name == "Renamed"


def test_a_row_that_was_deleted_meanwhile_does_not_come_back(client: Client) -> None:
    stale = stored()
    client.delete()
    with pytest.raises(Conflict):
        stale.write()
    assert Client.find("id") is None


def test_a_write_whose_answer_got_lost_is_no_conflict(client: Client) -> None:
    client.client_name = "Renamed"
    with answer_gets_lost("PutItem") as lost:
        client.write()
    assert lost
    assert stored().client_name == "Renamed"


def test_a_first_write_whose_answer_got_lost_is_no_conflict(deployment: Deployment) -> None:
    with answer_gets_lost("PutItem") as lost:
        new_client().write()
    assert lost
    assert stored().client_name == "Example"


def test_a_write_that_came_too_late_is_a_conflict(client: Client) -> None:
    client.client_name = "Slower"
    with meanwhile("PutItem", lambda: rename("Faster")), pytest.raises(Conflict):
        client.write()
    assert stored().client_name == "Faster"


@pytest.mark.parametrize("fault", FAULTS)
def test_failing_storage_is_a_storage_error(client: Client, fault: str) -> None:
    with storage_fails(FAULTS[fault]):
        with pytest.raises(StorageError):
            client.write()
        with pytest.raises(StorageError):
            Client.find("id")
        with pytest.raises(StorageError):
            write_both(client, account())


def test_a_write_that_cannot_be_checked_is_a_storage_error(client: Client) -> None:
    """The condition failed, and whether that was our own write cannot be read."""
    with (
        storage_fails(CONFLICT, "PutItem"),
        storage_fails(FAULTS["unreachable"], "GetItem"),
        pytest.raises(StorageError),
    ):
        client.write()


# Transactions


def account() -> Account:
    return Account("user", Account.ITEM, email="user@example.org", created_at=0)


def write_both(one: Row, other: Row) -> None:
    with Transaction(secrets.token_urlsafe(24)) as transaction:
        one.write_in(transaction)
        other.write_in(transaction)


def test_a_transaction_is_all_or_nothing(client: Client) -> None:
    stale = stored()
    rename("Renamed")
    with pytest.raises(Conflict):
        write_both(account(), stale)
    assert Account.of("user") is None


def test_a_transaction_that_is_retried_says_that_it_is_the_same(client: Client) -> None:
    """By which DynamoDB counts it once, if the answer got lost. moto does not."""
    with first_attempt_fails("TransactWriteItems") as attempts, Transaction("token") as transaction:
        account().write_in(transaction)
        client.write_in(transaction)
    assert [attempt["ClientRequestToken"] for attempt in attempts] == ["token", "token"]
    assert attempts[0] == attempts[1]
    assert Account.of("user")


# What is read


def test_what_is_not_there_is_none(deployment: Deployment) -> None:
    assert Client.find("id") is None
    assert Grant.find("id") is None
    assert Account.of("id") is None


def test_kinds_of_rows_in_one_table_are_told_apart(deployment: Deployment) -> None:
    account().write()
    EmailAddress("user", EmailAddress.ITEM, account_id="x").save()
    found = Account.of("user")
    assert type(found) is Account
    assert [type(row) for row in EmailAddress.scan()] == [EmailAddress]


def test_times_are_whole_epoch_seconds(deployment: Deployment) -> None:
    BrowserSession(
        "key", user_id="user", epoch=0, signed_in_at=1, last_used_at=1, expires_at=4_000_000_000
    ).save()
    (row,) = deployment.snapshot()["sessions"]
    assert row["expires_at"] == {"N": "4000000000"}
    assert type(BrowserSession.get("key").expires_at) is int


# The connection


def test_all_models_share_one_connection() -> None:
    for model in (Client, Account, Grant, BrowserSession):
        assert model._get_connection().connection is dynamodb


def test_requests_have_time_limits() -> None:
    config = dynamodb.client.meta.config
    assert (config.connect_timeout, config.read_timeout) == (table.CONNECT_TIMEOUT, table.READ_TIMEOUT)
    assert config.retries["total_max_attempts"] == 1 + table.RETRIES


# Shards


def test_a_clients_grants_spread_over_all_shards_and_no_others() -> None:
    used = {client_shard("client", f"grant-{number}") for number in range(1000)}
    assert used == set(client_shards("client"))
    assert len(used) == CLIENT_SHARDS
    assert not used & set(client_shards("other"))
