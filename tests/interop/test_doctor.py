"""`manage.py doctor` over real HTTP: the server as it is, and servers that are not ours or do not answer."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest

from tests.interop.processes import ROOT
from tests.interop.server import Server

TABLES = ("clients", "users", "grants", "sessions")


def examine(server: Server, url: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "doctor", "--url", url, *options],
        cwd=ROOT,
        env=server.environment,
        text=True,
        capture_output=True,
        check=False,
        timeout=120,
    )


def stored(server: Server) -> str:
    """Return all that is in the tables of a server."""
    client = boto3.client(
        "dynamodb",
        endpoint_url=server.environment["AWS_ENDPOINT_URL_DYNAMODB"],
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    rows = [client.scan(TableName=f"oauth-local-{kind}")["Items"] for kind in TABLES]
    return json.dumps([sorted(table, key=str) for table in rows])


@contextmanager
def answering(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Run another server, and return its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_a_server_that_is_well_passes_and_keeps_nothing(server: Server) -> None:
    before = stored(server)
    done = examine(server, server.url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == f"{server.url}: 20 ok, 0 FAILED, 0 skipped"
    assert stored(server) == before


def test_nobody_listens(server: Server) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        done = examine(server, f"http://127.0.0.1:{probe.getsockname()[1]}", "--json")
    assert done.returncode == 1
    results = json.loads(done.stdout)
    assert "cannot be reached" in results[0]["detail"]
    assert {result["result"] for result in results[1:]} == {"skipped"}


def test_another_server_answers(server: Server) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>Hello</html>")

    with answering(Other) as url:
        done = examine(server, url)
    assert done.returncode == 1
    assert "FAILED   reachable" in done.stdout
    assert done.stderr == ""


def test_something_that_speaks_no_http_answers(server: Server) -> None:
    class Garbage(BaseHTTPRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 mail.example.org ESMTP\r\n\r\n")

    with answering(Garbage) as url:
        done = examine(server, url)
    assert done.returncode == 1
    assert "FAILED   reachable" in done.stdout
    assert done.stderr == ""


def test_the_tables_of_another_stage_are_noticed(server: Server) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OTHER_STAGE, "doctor", "--url", server.url],
        cwd=ROOT,
        env=server.environment,
        text=True,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1
    assert "FAILED   sign-in" in done.stdout
    assert "Do --stage and --url mean the same? The tables here are oauth-other-*." in done.stdout


OTHER_STAGE = """
import sys
from management import stage
actual = stage.stages
stage.stages = lambda: {"local": {"environment_variables": actual()["local"]["environment_variables"]
                                  | {"OAUTH_TABLE_PREFIX": "oauth-other"}}}
from management.cli import manage
manage(["tables", "create", "--if-missing"], standalone_mode=False)
manage(sys.argv[1:])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_while_it_waits_for_an_answer_it_keeps_nothing(
    server: Server, number: signal.Signals
) -> None:
    waiting, over = threading.Event(), threading.Event()

    class Hanging(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/oauth2/authorize"):
                waiting.set()
                over.wait(60)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

    before = stored(server)
    with answering(Hanging) as url:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "doctor", "--url", url],
            cwd=ROOT,
            env=server.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert waiting.wait(60)
        assert stored(server) != before
        os.kill(process.pid, number)
        told, _ = process.communicate(timeout=60)
        over.set()
    assert process.returncode == (1 if number == signal.SIGINT else 128 + number)
    assert "ok       removal" in told
    assert stored(server) == before
