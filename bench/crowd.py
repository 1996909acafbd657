"""Tables that hold as many rows as one likes: moto's, with most rows as text until they are asked for."""

import copy
import json
from collections.abc import Iterator
from typing import Any, NoReturn

import boto3
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType, Item

from bench.stage import Stage
from chalicelib.models.client import Client
from chalicelib.models.grant import Grant, client_shard
from chalicelib.models.user import Consent, UserGrant, UserRow
from chalicelib.oauth import credentials
from chalicelib.oauth.credentials import Kind
from tests.harness import EMAIL

GRANTS_OF_A_USER = 10
GRANTS_OF_A_CLIENT = 100


class Rows(dict[Any, Any]):
    """What moto keeps in `Table.items`, over rows that are stored as JSON.

    Each is found by its key alone: to go through all of them is refused. So whatever runs on them
    neither scans nor queries.
    """

    def __init__(self, stored: dict[str, bytes], range_key: str | None) -> None:
        super().__init__()
        self.stored = stored
        self._range_key = range_key

    def __contains__(self, key: object) -> bool:
        return super().__contains__(key) or getattr(key, "value", None) in self.stored

    def __missing__(self, key: DynamoType) -> Any:
        text = self.stored.get(key.value)
        if text is None and self._range_key is None:
            raise KeyError(key)
        rows = [_item(key, attributes, self._range_key) for attributes in json.loads(text or b"[]")]
        self[key] = rows[0] if self._range_key is None else {row.range_key: row for row in rows}
        return self[key]

    def __deepcopy__(self, memo: dict[int, Any]) -> "Rows":
        copied = Rows(self.stored, self._range_key)
        for key, value in super().items():
            copied[key] = copy.deepcopy(value, memo)
        return copied

    def __iter__(self) -> NoReturn:
        raise NotImplementedError("An operation on one grant scans or queries.")

    def keys(self) -> NoReturn:
        """Refuse to go through all rows: those that were not asked for yet would be left out."""
        iter(self)

    def values(self) -> NoReturn:
        """Refuse it."""
        iter(self)

    def items(self) -> NoReturn:
        """Refuse it."""
        iter(self)

    def get(self, *_: Any) -> NoReturn:
        """Refuse it: it would not find what was not asked for yet (`__missing__`)."""
        raise NotImplementedError

    def __len__(self) -> NoReturn:
        raise NotImplementedError


def _item(key: DynamoType, attributes: dict[str, Any], range_key: str | None) -> Item:
    return Item(key, DynamoType(attributes[range_key]) if range_key else None, attributes)


def token(number: int) -> str:
    """Return the access token of a grant of the crowd."""
    return f"{Kind.ACCESS_TOKEN}{number:08d}".ljust(credentials.LENGTH, "x")


def fill(stage: Stage, grants: int) -> None:
    """Put so many grants into the tables, with their clients and users, formed as the app forms them."""
    tokens = stage.tokens()
    template = Templates(stage, tokens["access_token"])
    _store(Grant, {f"{number:08d}": template.grant(number) for number in range(grants)}, None)
    users = range(-(-grants // GRANTS_OF_A_USER))
    _store(UserRow, {f"user{number:012d}": template.user(number) for number in users}, "item")
    clients = range(-(-grants // GRANTS_OF_A_CLIENT))
    _store(Client, {f"client{number:010d}": template.client(number) for number in clients}, None)


def fill_one(stage: Stage, number: int) -> None:
    """Let the user have so many grants to the application, whose tokens are `token(number)`."""
    template = Templates(stage, stage.tokens()["access_token"])
    _store(Grant, {f"{one:08d}": template.grant_of_the_same_user(one) for one in range(number)}, None)
    (users,) = _tables(UserRow.Meta.table_name)
    for one in range(number):
        users.put_item(template.of_the_same_user(one)[1], overwrite=True)


def add(stage: Stage, number: int) -> None:
    """Let the user have so many grants to the application, in rows that can be queried."""
    template = Templates(stage, stage.tokens()["access_token"])
    (grants,), (users,) = _tables(Grant.Meta.table_name), _tables(UserRow.Meta.table_name)
    for one in range(1, number):
        grant, pointer = template.of_the_same_user(one)
        grants.put_item(grant, overwrite=True)
        users.put_item(pointer, overwrite=True)


class Templates:
    """Rows that the app wrote, in whose likeness the others are."""

    def __init__(self, stage: Stage, access_token: str) -> None:
        looker = boto3.client("dynamodb", region_name="us-east-1")
        self.grant_id = str(credentials.grant_id_of(access_token, Kind.ACCESS_TOKEN))
        grant = Grant.find(self.grant_id)
        if grant is None:
            raise LookupError
        self.user_id, self.client_id = str(grant.user_id), stage.app.client_id
        self.hash, self.shard = credentials.digest(access_token), str(grant.client_shard)
        key = {"grant_id": {"S": self.grant_id}}
        self._grant = _text([looker.get_item(TableName=Grant.Meta.table_name, Key=key)["Item"]])
        asked = {
            "TableName": UserRow.Meta.table_name,
            "KeyConditionExpression": "user_id = :id",
            "ExpressionAttributeValues": {":id": {"S": self.user_id}},
        }
        rows = {row["item"]["S"]: row for row in looker.query(**asked)["Items"]}
        pointer = f"{UserGrant.items_of(self.client_id)}{self.grant_id}"
        kept = ["account", Consent.item_of(self.client_id), pointer]
        self._user = [_text([rows[name]])[1:-1] for name in kept]
        key = {"client_id": {"S": self.client_id}}
        self._client = _text([looker.get_item(TableName=Client.Meta.table_name, Key=key)["Item"]])

    def grant(self, number: int) -> bytes:
        """Return the row of a grant, whose access token is `token(number)`."""
        client_id = f"client{number // GRANTS_OF_A_CLIENT:010d}"
        grant_id = f"{number:08d}"
        return (
            self._grant.replace(self.shard.encode(), client_shard(client_id, grant_id).encode())
            .replace(self.client_id.encode(), client_id.encode())
            .replace(self.grant_id.encode(), grant_id.encode())
            .replace(self.user_id.encode(), f"user{number // GRANTS_OF_A_USER:012d}".encode())
            .replace(self.hash.encode(), credentials.digest(token(number)).encode())
        )

    def grant_of_the_same_user(self, number: int) -> bytes:
        """Return the row of a grant by the user to the application, whose token is `token(number)`."""
        grant_id = f"{number:08d}"
        return (
            self._grant.replace(self.shard.encode(), client_shard(self.client_id, grant_id).encode())
            .replace(self.grant_id.encode(), grant_id.encode())
            .replace(self.hash.encode(), credentials.digest(token(number)).encode())
        )

    def of_the_same_user(self, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return a grant by the user to the application, and the user's pointer to it."""
        (grant,) = json.loads(self.grant_of_the_same_user(number))
        pointer = json.loads(self._user[-1].replace(self.grant_id.encode(), f"{number:08d}".encode()))
        return grant, pointer

    def user(self, number: int) -> bytes:
        """Return the rows of a user: the account, a consent, and pointers to the grants."""
        account, consent, pointer = (
            row.replace(self.user_id.encode(), f"user{number:012d}".encode())
            .replace(EMAIL.encode(), f"{number}@example.org".encode())
            .replace(
                self.client_id.encode(),
                f"client{number * GRANTS_OF_A_USER // GRANTS_OF_A_CLIENT:010d}".encode(),
            )
            for row in self._user
        )
        first = number * GRANTS_OF_A_USER
        pointers = (
            pointer.replace(self.grant_id.encode(), f"{first + more:08d}".encode())
            for more in range(GRANTS_OF_A_USER)
        )
        return b"[" + b",".join([account, consent, *pointers]) + b"]"

    def client(self, number: int) -> bytes:
        """Return the row of a client."""
        return self._client.replace(self.client_id.encode(), f"client{number:010d}".encode())


def _text(rows: list[dict[str, Any]]) -> bytes:
    return json.dumps(rows).encode()


def _store(model: Any, stored: dict[str, bytes], range_key: str | None) -> None:
    (table,) = _tables(model.Meta.table_name)
    rows = Rows(stored, range_key)
    rows.update(table.items)
    table.items = rows


def _tables(name: str) -> Iterator[Any]:
    for account in dynamodb_backends.values():
        for region in account.values():
            if name in region.tables:
                yield region.tables[name]
