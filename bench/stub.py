"""A DynamoDB of dictionaries, in a process of its own: what is measured is the side that calls it.

    python -m bench.stub [FILE]

The file has a key and a certificate; with it, it speaks TLS, as AWS does. It prints its port, and ends
when its standard input does. Under `/replay` it answers a body that it
has seen before as it did then, whatever happened since: so a floor can send the very same requests
and read the very same answers, without their conditions failing.
"""

import asyncio
import json
import ssl
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench import certificate
from bench.expressions import Expressions, Item

ROOT = Path(__file__).parents[1]

Request = Mapping[str, Any]


class Refused(Exception):
    """DynamoDB's answer to a request that it does not carry out."""

    def __init__(self, code: str, **members: Any) -> None:
        super().__init__(code)
        self.body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": code, **members}


class DynamoDB:
    """Tables, and the operations that this project calls."""

    def __init__(self) -> None:
        self._keys: dict[str, list[str]] = {}
        self._tables: dict[str, dict[tuple[str, ...], Item]] = {}

    def answer(self, operation: str, request: Request) -> dict[str, Any]:
        """Carry out a request.

        Raises:
            Refused: it is not carried out.
        """
        answers: dict[str, Callable[[Request], dict[str, Any]]] = {
            "CreateTable": self._create_table,
            "GetItem": self._get,
            "PutItem": self._put,
            "UpdateItem": self._update,
            "DeleteItem": self._delete,
            "BatchGetItem": self._batch_get,
            "TransactWriteItems": self._transact,
            "Query": self._query,
        }
        if operation not in answers:
            raise Refused("UnknownOperationException")
        return answers[operation](request)

    def _create_table(self, request: Request) -> dict[str, Any]:
        name = request["TableName"]
        self._keys[name] = [part["AttributeName"] for part in request["KeySchema"]]
        self._tables[name] = {}
        return {"TableDescription": {"TableName": name, "TableStatus": "ACTIVE"}}

    def _key(self, table: str, attributes: Item) -> tuple[str, ...]:
        if table not in self._keys:
            raise Refused("ResourceNotFoundException")
        return tuple(str(attributes[name]["S"]) for name in self._keys[table])

    def _found(self, table: str, key: Item) -> Item | None:
        return self._tables[table].get(self._key(table, key)) if table in self._tables else None

    def _get(self, request: Request) -> dict[str, Any]:
        found = self._found(request["TableName"], request["Key"])
        return {} if found is None else {"Item": found}

    def _check(self, request: Request, key: Item) -> Item | None:
        found = self._found(request["TableName"], key)
        if not Expressions(request).holds(request.get("ConditionExpression"), found):
            raise Refused("ConditionalCheckFailedException")
        return found

    def _put(self, request: Request) -> dict[str, Any]:
        self._check(request, request["Item"])
        table = request["TableName"]
        self._tables[table][self._key(table, request["Item"])] = request["Item"]
        return {}

    def _update(self, request: Request) -> dict[str, Any]:
        changed = {**(self._check(request, request["Key"]) or request["Key"])}
        Expressions(request).update(request["UpdateExpression"], changed)
        table = request["TableName"]
        self._tables[table][self._key(table, request["Key"])] = changed
        return {"Attributes": changed} if request.get("ReturnValues") == "ALL_NEW" else {}

    def _delete(self, request: Request) -> dict[str, Any]:
        self._check(request, request["Key"])
        table = request["TableName"]
        self._tables[table].pop(self._key(table, request["Key"]), None)
        return {}

    def _batch_get(self, request: Request) -> dict[str, Any]:
        responses = {
            table: [found for key in wanted["Keys"] if (found := self._found(table, key)) is not None]
            for table, wanted in request["RequestItems"].items()
        }
        return {"Responses": responses, "UnprocessedKeys": {}}

    def _transact(self, request: Request) -> dict[str, Any]:
        parts = [next(iter(part.items())) for part in request["TransactItems"]]
        reasons = []
        for _, part in parts:
            try:
                self._check(part, part.get("Key") or part["Item"])
                reasons.append({"Code": "None"})
            except Refused:
                reasons.append({"Code": "ConditionalCheckFailed"})
        if any(reason["Code"] != "None" for reason in reasons):
            raise Refused("TransactionCanceledException", CancellationReasons=reasons)
        carry_out = {"Put": self._put, "Update": self._update, "Delete": self._delete}
        for kind, part in parts:
            if kind != "ConditionCheck":
                carry_out[kind](part)
        return {}

    def _query(self, request: Request) -> dict[str, Any]:
        expressions = Expressions(request)
        rows = self._tables[request["TableName"]].values()
        found = [row for row in rows if expressions.holds(request["KeyConditionExpression"], row)]
        return {"Items": found, "Count": len(found), "ScannedCount": len(found)}


class Connection(asyncio.Protocol):
    """One kept-alive connection."""

    def __init__(self, dynamodb: DynamoDB, seen: dict[bytes, bytes]) -> None:
        self._dynamodb, self._seen = dynamodb, seen
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end].decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (h.partition(":") for h in head[1:])}
            length = end + 4 + int(headers.get("content-length", "0"))
            if len(self._received) < length:
                return
            body, self._received = self._received[end + 4 : length], self._received[length:]
            self._transport.write(self._answer(head[0].split(" ")[1], headers, body))

    def _answer(self, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
        if path.startswith("/replay"):
            return self._seen[body]
        operation = headers["x-amz-target"].partition(".")[2]
        try:
            status, answer = "200 OK", self._dynamodb.answer(operation, json.loads(body))
        except Refused as refused:
            status, answer = "400 Bad Request", refused.body
        self._seen[body] = response = _response(status, json.dumps(answer, separators=(",", ":")).encode())
        return response


def _response(status: str, content: bytes) -> bytes:
    """Return a response with the headers that DynamoDB sends."""
    head = (
        f"HTTP/1.1 {status}\r\nServer: Server\r\nDate: Tue, 24 Nov 2026 12:00:00 GMT\r\n"
        f"Content-Type: application/x-amz-json-1.0\r\nContent-Length: {len(content)}\r\n"
        "Connection: keep-alive\r\n"
        "x-amzn-RequestId: 4KBNVRGD25RG1KEO9UT4V3FQDJVV4KQNSO5AEMVJF66Q9ASUAAJG\r\n"
        f"x-amz-crc32: {zlib.crc32(content)}\r\n\r\n"
    )
    return head.encode() + content


async def _serve(own: str | None = None) -> None:
    dynamodb, seen = DynamoDB(), dict[bytes, bytes]()
    tls = None
    if own:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(own)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(dynamodb, seen), certificate.HOST, 0, ssl=tls)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


@contextmanager
def stub(own: Path | None = None) -> Iterator[str]:
    """Run an empty one until the end of the block; yield its URL.

    Args:
        own: a file with its key and certificate; None: it speaks no TLS.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "bench.stub", *([str(own)] if own else [])],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout  # noqa: S101
            scheme = "https" if own else "http"
            yield f"{scheme}://{certificate.HOST}:{int(process.stdout.readline())}"
        finally:
            process.terminate()


@contextmanager
def secure_stub() -> Iterator[tuple[str, Path]]:
    """Run one that speaks TLS; yield its URL, and the file of authorities that its clients have to trust."""
    with TemporaryDirectory() as folder:
        made = certificate.make(Path(folder))
        with stub(made.own) as url:
            yield url, made.trusted


if __name__ == "__main__":
    asyncio.run(_serve(*sys.argv[1:]))
