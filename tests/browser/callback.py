"""An application's callback: a page that says what it got."""

import html
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

ELSEWHERE = "/elsewhere"
"""A callback that goes on to another origin: the same server, under its other name."""


@dataclass(frozen=True)
class Callback:
    """A running callback."""

    origin: str

    @property
    def url(self) -> str:
        return f"{self.origin}/callback"

    @property
    def url_that_goes_elsewhere(self) -> str:
        return f"{self.origin}{ELSEWHERE}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer(urlsplit(self.path).query)

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def _answer(self, got: str) -> None:
        if self.path.startswith(ELSEWHERE):
            self.send_response(303)
            self.send_header("Location", f"http://localhost:{self.server.server_port}/callback?{got}")  # type: ignore[attr-defined]
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(f"<!doctype html><title>Callback</title><h1>{html.escape(got)}</h1>".encode())

    def log_message(self, *_: object) -> None:
        """Print nothing."""


class _IPv6Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6


@contextmanager
def running_callback(host: str = "127.0.0.1") -> Iterator[Callback]:
    """Run a callback until the end of the block.

    Args:
        host: an address of this machine.

    Raises:
        OSError: the machine has no such address.
    """
    ipv6 = ":" in host
    with (_IPv6Server if ipv6 else ThreadingHTTPServer)((host, 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield Callback(f"http://{f'[{host}]' if ipv6 else host}:{server.server_port}")
        finally:
            server.shutdown()
            thread.join()
