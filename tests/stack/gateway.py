"""A URL for an API of MiniStack, which finds its APIs by the name of the host."""

import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

TIMEOUT = 60
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
Reply = tuple[int, Iterable[tuple[str, str]], bytes]
"""Status, headers and body."""
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "host", "content-length"}


class Handler(BaseHTTPRequestHandler):
    """Passes one request on."""

    protocol_version = "HTTP/1.1"
    upstream: tuple[str, int]
    host: str

    def pass_on(self) -> None:
        self.answer(*self.ask(self.read_body()))

    def read_body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def ask(self, body: bytes) -> Reply:
        """Let the server behind answer."""
        connection = HTTPConnection(*self.upstream, timeout=TIMEOUT)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", self.host)
            connection.putheader("Content-Length", str(len(body)))
            for name, value in _end_to_end(self.headers.items()):
                connection.putheader(name, value)
            connection.endheaders(body or None)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def answer(self, status: int, headers: Iterable[tuple[str, str]], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in _end_to_end(headers):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


for method in METHODS:
    setattr(Handler, f"do_{method}", lambda handler: handler.pass_on())


def _end_to_end(headers: Any) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() not in HOP_BY_HOP]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of who went away, or of a MiniStack that did: the other side notices."""
        if not isinstance(sys.exception(), OSError | HTTPException):
            super().handle_error(request, client_address)


@contextmanager
def gateway(
    endpoint: str, host: str = "", handler: type[Handler] = Handler, **attributes: Any
) -> Iterator[str]:
    """Pass on what comes to a free port of 127.0.0.1.

    Args:
        endpoint: the URL of MiniStack.
        host: what the API is called there; by default as the URL has it.
        handler: passes each request on.
        attributes: what else the handlers find.
    """
    address = urlsplit(endpoint)
    upstream = {"upstream": (address.hostname, address.port), "host": host or address.netloc}
    server = _Server(("127.0.0.1", 0), type("Own", (handler,), upstream | attributes))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
