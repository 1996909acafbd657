"""`make lint` looks for known vulnerabilities: pip-audit, and a service on this machine that knows one."""

import json
import socket
from collections.abc import Iterator
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tools import vulnerabilities

LOCK = f"jinja2==3.1.2 --hash=sha256:{'0' * 64}\nsix==1.17.0 --hash=sha256:{'0' * 64}\n"
KNOWN = {
    "id": "GHSA-h5c8-rqwp-cp95",
    "aliases": ["CVE-2024-22195"],
    "summary": "Cross-site scripting",
    "affected": [
        {
            "package": {"name": "jinja2", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.1.3"}]}],
        }
    ],
}


class Service(BaseHTTPRequestHandler):
    """Answers as OSV does."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = {"vulns": [KNOWN]} if asked["package"]["name"] == "jinja2" else {}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def service() -> Iterator[int]:
    """Run the service, and yield its port."""
    with HTTPServer(("127.0.0.1", 0), Service) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def ask(port: int, folder: Path, monkeypatch: pytest.MonkeyPatch, project: str = "") -> None:
    """Run what `make lint` runs, on a small lock, asking the service on a port."""
    (folder / "pyproject.toml").write_text(project + "\n[tool.other]\n")
    (folder / vulnerabilities.SHIPPED).write_text(LOCK)
    url = f"http://127.0.0.1:{port}/v1/query"
    asked = (*vulnerabilities.PIP_AUDIT, "--vulnerability-service=osv", f"--osv-url={url}")
    monkeypatch.setattr(vulnerabilities, "PIP_AUDIT", asked)
    monkeypatch.setattr(vulnerabilities, "OTHERS", ())
    monkeypatch.setattr(vulnerabilities, "ROOT", folder)
    vulnerabilities.main()


def accepting(name: str, until: date) -> str:
    return f'[[tool.vulnerabilities.accepted]]\nid = "{name}"\nreason = "Not called."\nuntil = {until}\n'


TOMORROW = date.today() + timedelta(days=1)  # noqa: DTZ011
LAST_WEEK = TOMORROW - timedelta(days=8)


def test_a_vulnerability_fails(service: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit) as ended:
        ask(service, tmp_path, monkeypatch)
    assert ended.value.code == "jinja2 3.1.2 has CVE-2024-22195, GHSA-h5c8-rqwp-cp95; fixed in 3.1.3"


@pytest.mark.parametrize("name", ["GHSA-h5c8-rqwp-cp95", "CVE-2024-22195"])
def test_one_that_is_accepted_does_not(
    name: str, service: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(service, tmp_path, monkeypatch, accepting(name, TOMORROW))


def test_one_that_was_accepted_until_last_week_fails(
    service: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit, match=f"accepted until {LAST_WEEK}"):
        ask(service, tmp_path, monkeypatch, accepting("CVE-2024-22195", LAST_WEEK))


def test_one_that_is_accepted_and_not_there_fails(
    service: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = accepting("CVE-2024-22195", TOMORROW) + accepting("CVE-1999-0001", TOMORROW)
    with pytest.raises(SystemExit, match="accepts CVE-1999-0001, which nothing has any longer"):
        ask(service, tmp_path, monkeypatch, project)


@pytest.mark.parametrize("missing", ["reason", "until"])
def test_nothing_is_accepted_without_a_reason_and_an_end(
    missing: str, service: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = "\n".join(
        line for line in accepting("CVE-2024-22195", TOMORROW).splitlines() if not line.startswith(missing)
    )
    with pytest.raises(SystemExit, match="has an id, a reason and until"):
        ask(service, tmp_path, monkeypatch, project)


def test_without_a_network_it_says_so_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # It does not listen.
        ask(taken.getsockname()[1], tmp_path, monkeypatch)
    assert capsys.readouterr().out == (
        "Known vulnerabilities were NOT looked for: the service does not answer\n"
    )


def test_a_lock_that_cannot_be_read_fails(
    service: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than pass for a missing network."""
    monkeypatch.setitem(globals(), "LOCK", "jinja2>=3\n")
    with pytest.raises(SystemExit, match=r"pip-audit failed on requirements\.txt"):
        ask(service, tmp_path, monkeypatch)
