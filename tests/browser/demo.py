"""All of `run.py` on ports of its own: database, server, demo data and the example application."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

from tests.interop.processes import clean_environment, free_ports, running
from tests.interop.server import Server

RUN = [sys.executable, "run.py"]
VARIABLES = ("DYNAMODB_PORT", "PORT", "EXAMPLE_PORT")
"""What run.py listens on, in the order in which it starts it."""


@dataclass(frozen=True)
class Demo:
    """A `run.py` that is up."""

    process: Popen[bytes]
    ports: dict[str, int]
    log: Path

    @property
    def example_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['EXAMPLE_PORT']}"

    @property
    def server(self) -> Server:
        database = f"http://127.0.0.1:{self.ports['DYNAMODB_PORT']}"
        return Server(
            f"http://127.0.0.1:{self.ports['PORT']}", clean_environment(AWS_ENDPOINT_URL_DYNAMODB=database)
        )


@contextmanager
def running_demo(log: Path, until: str = "EXAMPLE_PORT") -> Iterator[Demo]:
    """Run `run.py` until the end of the block.

    Args:
        log: a file for what it prints.
        until: the port that has to answer before the block starts.
    """
    ports = dict(zip(VARIABLES, free_ports(len(VARIABLES)), strict=True))
    environment = clean_environment(**{name: str(port) for name, port in ports.items()})
    with running(RUN, ports[until], environment, log) as process:
        yield Demo(process, ports, log)
