"""What all tables share: names, one DynamoDB client with time limits, and compare-and-swap."""

import functools
import os
import secrets
import threading
from collections.abc import Callable
from typing import Any, Self, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError
from botocore.httpsession import get_cert_path
from botocore.session import Session
from pynamodb.attributes import Attribute, ListAttribute, MapAttribute, UnicodeAttribute
from pynamodb.connection import Connection
from pynamodb.connection.table import TableConnection
from pynamodb.constants import NUMBER
from pynamodb.exceptions import DeleteError, PutError, PynamoDBException, TransactWriteError, UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from chalicelib import catalogue, deadline, logs
from chalicelib.settings import settings

StorageError = PynamoDBException
"""DynamoDB did not do what it was asked: throttled, unreachable, or failing."""

TTL_ATTRIBUTE = "expires_at"
"""Rows without it stay. DynamoDB deletes late, so expiry is checked on read as well."""

CONNECT_TIMEOUT, READ_TIMEOUT, RETRIES = 1, 2, 2
"""Seconds, seconds and count, as far as the invocation has time (`deadline`).

botocore waits before a retry, for a random part of at most 1 and 2 seconds after a throttle, and of
25 and 50 milliseconds after all else.
"""

PATIENCE = 6
"""How often a write is repeated that met a transaction on its row: at worst for 1.3 seconds."""

THROTTLED = (
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
)
"""Codes by which DynamoDB refuses what it would do later."""


USER_AGENT = Config(user_agent="oauth")
"""What our requests say that they come from. Left alone, botocore makes a long text, twice for each."""


class OutOfTime(BotoCoreError):  # type: ignore[misc]  # botocore has no types
    """A request to DynamoDB that was not sent. pynamodb makes a `StorageError` of it, as of all others."""

    fmt = "the time of the invocation is over"


class _Connection(Connection):
    """A connection whose requests are counted, and end with the invocation; the repeated ones as well."""

    @property
    def session(self) -> Session:
        """Return the session that the client is made by."""
        known = getattr(self._local, "session", None)
        session = super().session
        if session is not known:
            session.set_default_client_config(USER_AGENT)
            session.register("request-created.dynamodb", _admit)
            session.register("response-received.dynamodb", _look_at)
        return session


def _admit(**_: Any) -> None:
    if deadline.is_over():
        raise OutOfTime
    logs.count_dynamodb_request()


def _look_at(parsed_response: dict[str, Any] | None, event_name: str, **_: Any) -> None:
    """Tell of each answer that says to ask later, though botocore does so and nobody may notice."""
    code = (parsed_response or {}).get("Error", {}).get("Code")
    if code in THROTTLED:
        logs.write(catalogue.DYNAMODB_THROTTLED, {"operation": event_name.rpartition(".")[2], "code": code})


dynamodb = _Connection(
    region=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"),
    host=os.environ.get("AWS_ENDPOINT_URL_DYNAMODB") or settings.dynamodb_endpoint or None,
    connect_timeout_seconds=CONNECT_TIMEOUT,
    read_timeout_seconds=READ_TIMEOUT,
    max_retry_attempts=RETRIES,
)
"""The one connection. Left alone, pynamodb makes a client per model, each for 12 ms of a cold start."""


def read_authorities(client: Any) -> None:
    """Let a client know now whom it may trust, and keep it.

    Left alone, botocore reads the certificates of all authorities anew for each connection, which is
    most of what the first request computes. They stay the same files, and are read into the same context.
    """
    http = client._endpoint.http_session
    context = http._manager.connection_pool_kw["ssl_context"]
    context.load_verify_locations = functools.cache(context.load_verify_locations)
    context.load_verify_locations(get_cert_path(http._verify), None, None)


if os.environ.get("AWS_LAMBDA_FUNCTION_NAME"):
    # While a function starts it has a whole processor, and when it answers what its memory entitles it to.
    read_authorities(dynamodb.client)


_registering = threading.Lock()

Result = TypeVar("Result")
Map = TypeVar("Map", bound=MapAttribute[Any, Any])


class Conflict(Exception):
    """A condition did not hold: somebody else wrote the row since it was read."""


class EpochSeconds(Attribute[int]):
    """A point in time, in whole epoch seconds: what DynamoDB's TTL understands."""

    attr_type = NUMBER

    def serialize(self, value: int) -> str:
        """Write it."""
        return str(int(value))

    def deserialize(self, value: str) -> int:
        """Read it."""
        return int(value)


class OwnMap(MapAttribute[str, Any]):
    """A map in a row.

    Left alone, pynamodb looks for what is missing before it serializes a map, and again while it does.
    """

    def validate(self, *, null_check: bool = False) -> bool:
        """Leave it to serializing, which raises the same error."""
        return True


class Maps(ListAttribute[Map]):
    """A list of maps of one kind.

    Left alone, pynamodb makes a copy of all attributes of the map, for expressions, each time that it
    reads such a list: a third of what it costs to read a grant.
    """

    def deserialize(self, values: list[dict[str, Any]]) -> list[Map]:
        """Read it."""
        element: Any = self.element_type
        return [element._instantiate(value["M"]) for value in values]


class Table(Model):
    """Base of every model."""

    @classmethod
    def _get_connection(cls) -> TableConnection:
        table = super()._get_connection()
        if table.connection is not dynamodb:
            with _registering:
                if table.table_name not in dynamodb._tables:
                    dynamodb.add_meta_table(table.get_meta_table())
            table.connection = dynamodb
        return table

    @classmethod
    def find(cls, hash_key: str, range_key: str | None = None) -> Self | None:
        """Read a row by its key, consistently; None if there is none."""
        try:
            return cls.get(hash_key, range_key, consistent_read=True)
        except cls.DoesNotExist:
            return None

    def save(
        self, condition: Condition | None = None, *, add_version_condition: bool = True
    ) -> dict[str, Any]:
        """Store the row, once no transaction is at it."""
        store = super().save
        return _patiently(lambda: store(condition, add_version_condition=add_version_condition))

    def delete(self, condition: Condition | None = None, *, add_version_condition: bool = True) -> Any:
        """Delete the row, once no transaction is at it."""
        remove = super().delete
        return _patiently(lambda: remove(condition, add_version_condition=add_version_condition))

    def update_if(self, condition: Condition, *actions: Action) -> bool:
        """Change a row where it is, by one request, and read what it is then.

        Returns:
            False, and nothing was changed, if the condition does not hold.

        Raises:
            StorageError: DynamoDB did not answer as it should.
        """
        try:
            _patiently(lambda: self.update(list(actions), condition))
        except UpdateError as error:
            if _code(error) == "ConditionalCheckFailedException":
                return False
            raise
        return True


def _code(error: PynamoDBException) -> str | None:
    """Return DynamoDB's code for an error; None if there was no answer to have one."""
    response = getattr(error.cause, "response", None) or {}
    code: str | None = response.get("Error", {}).get("Code")
    return code


def _patiently(write: Callable[[], Result]) -> Result:
    """Repeat a write while a transaction holds its row, which takes milliseconds."""
    for attempt in range(PATIENCE):
        try:
            return write()
        except (PutError, DeleteError, UpdateError) as error:
            if _code(error) != "TransactionConflictException":
                raise
            deadline.pause(attempt)
    return write()


def table_name(kind: str) -> str:
    """Return the full name of the table `kind` in this deployment."""
    return f"{settings.table_prefix}-{kind}"


class Row(Table):
    """A row that is only ever replaced by compare-and-swap."""

    revision = UnicodeAttribute()
    """Random, and new at every write."""

    def write(self) -> None:
        """Store this row whole, if nobody else wrote it since it was read, or if it is new.

        Raises:
            Conflict: somebody else wrote or deleted it in between; nothing was stored.
            StorageError: DynamoDB did not answer as it should.
        """
        try:
            self.save(self._revise())
        except PutError as error:
            if self.is_stored():
                return
            if _code(error) == "ConditionalCheckFailedException":
                raise Conflict from None
            raise

    def overwrite(self) -> None:
        """Store this row whole, whatever there was in its place."""
        self._revise()
        self.save()

    def write_in(self, transaction: "Transaction") -> None:
        """Do the same as a part of a transaction, which raises `Conflict` as a whole."""
        transaction.save(self, self._revise())

    def delete_in(self, transaction: "Transaction") -> None:
        """Delete this row as a part of a transaction, if nobody else wrote it since it was read."""
        transaction.delete(self, type(self).revision == self.revision)

    def _revise(self) -> Condition:
        seen, self.revision = self.revision, secrets.token_urlsafe(12)
        row = type(self)
        return row.revision == seen if seen else row._hash_key_attribute().does_not_exist()

    def is_stored(self) -> bool:
        """Tell whether a write that failed is stored all the same.

        When an answer gets lost, the write is retried below us, and conflicts with itself; or
        the answers to the retries get lost as well.
        """
        hash_key, range_key = self._get_hash_range_key_serialized_values()
        stored = type(self).find(hash_key, range_key)
        return stored is not None and stored.revision == self.revision


class Transaction(TransactWrite):
    """One `TransactWriteItems` request: all of it or nothing.

    The `ClientRequestToken` makes a retry, after an answer that got lost, count once.

    Raises:
        Conflict: on leaving the `with` block, if a condition did not hold.
        StorageError: if DynamoDB did not answer as it should.
    """

    def __init__(self, client_request_token: str) -> None:
        super().__init__(client_request_token=client_request_token, connection=dynamodb)

    def _commit(self) -> Any:
        try:
            return super()._commit()
        except TransactWriteError as error:
            reasons = {reason.code for reason in error.cancellation_reasons if reason}
            if reasons & {"ConditionalCheckFailed", "TransactionConflict"}:
                raise Conflict from None
            raise
