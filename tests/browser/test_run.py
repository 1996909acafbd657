"""`make run`: what it does about its ports, and that it leaves nothing behind."""

import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.demo import RUN, VARIABLES, Demo, running_demo
from tests.interop.processes import ROOT, answers, clean_environment, free_ports, wait_until

STOP_SECONDS = 10


@pytest.fixture(autouse=True)
def _signals_count() -> Iterator[None]:
    """A shell's background job ignores SIGINT, and so would all that is started here."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_port_in_use_is_told_with_the_variable_that_changes_it(variable: str) -> None:
    ports = dict(zip(VARIABLES, free_ports(len(VARIABLES)), strict=True))
    environment = clean_environment(**{name: str(port) for name, port in ports.items()})
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", ports[variable]))
        taken.listen()
        done = subprocess.run(
            RUN, cwd=ROOT, env=environment, text=True, capture_output=True, check=False, timeout=30
        )
    assert done.returncode == 1
    assert f"Port {ports[variable]} on 127.0.0.1 is in use" in done.stderr
    assert f"make run {variable}=" in done.stderr
    assert "Traceback" not in done.stderr
    assert not any(answers(port) for port in ports.values())


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminate"])
def test_it_stops_all_that_it_started(sent: signal.Signals, tmp_path: Path) -> None:
    with running_demo(tmp_path / "run.log") as demo:
        demo.process.send_signal(sent)
        assert demo.process.wait(STOP_SECONDS) == 0
        assert _all_is_free(demo)
    assert "Traceback" not in demo.log.read_text()


def test_it_stops_all_that_it_started_even_while_it_starts(tmp_path: Path) -> None:
    with running_demo(tmp_path / "run.log", until="DYNAMODB_PORT") as demo:
        demo.process.send_signal(signal.SIGINT)
        assert demo.process.wait(STOP_SECONDS) == 0
        assert _all_is_free(demo)
    assert "Traceback" not in demo.log.read_text()


def _all_is_free(demo: Demo) -> bool:
    return wait_until(lambda: not any(map(answers, demo.ports.values())), STOP_SECONDS)
