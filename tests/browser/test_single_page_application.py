"""An application that runs in the browser alone, registered and written as its page says."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Page, expect

from tests.browser.pages import decide, sign_in
from tests.interop.server import Server, running_server

PAGE = """<!doctype html><title>Single page</title><button>Connect</button><h1></h1>
<script type="module">
import { connect, finish } from "/app.mjs";
document.querySelector("button").onclick = connect;
if (location.search) finish().then(async (answer) => {
  document.querySelector("h1").textContent = `${answer.status} ${await answer.text()}`;
});
</script>"""


class Application(ThreadingHTTPServer):
    """Serves two files from an origin of its own."""

    code = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Application)
        script = self.path == "/app.mjs"
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript" if script else "text/html")
        self.end_headers()
        self.wfile.write((self.server.code if script else PAGE).encode())

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def server(executable: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def application() -> Iterator[Application]:
    with Application(("127.0.0.1", 0), _Handler) as application:
        thread = threading.Thread(target=application.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield application
        finally:
            application.shutdown()
            thread.join()


def test_it_gets_its_token_and_calls_the_api_from_another_origin(
    page: Page, server: Server, application: Application
) -> None:
    account = server.add_account()
    page.goto(f"{server.url}/applications/new")
    sign_in(page, account)
    page.get_by_role("link", name="Single-page application").click()
    page.get_by_label("Name", exact=True).fill("Single page")
    page.get_by_label("Redirect URIs").fill(application.url)
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_role("status")).to_contain_text("registered")
    application.code = page.locator("#snippet-javascript").inner_text()

    page.goto(application.url)
    page.get_by_role("button", name="Connect").click()
    decide(page, "Allow")
    expect(page.get_by_role("heading")).to_have_text(re.compile(f"200 .*{re.escape(account.email)}"))
