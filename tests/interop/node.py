"""Node.js, if it is there, and the packages that a package-lock.json names."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.interop.processes import ROOT, alone, clean_environment, running

JS = Path(__file__).parent / "js"
NODE, NPM = shutil.which("node"), shutil.which("npm")
NO_NODE = (
    None if NODE and NPM else "oauth4webapi and oidc-provider were NOT tested: there is no node and npm here"
)
INSTALL_SECONDS, TEST_SECONDS = 60, 60


def install(folder: Path = JS) -> None:
    """Install what is locked in a folder, unless it is there."""
    lock, installed = folder / "package-lock.json", folder / "node_modules" / ".package-lock.json"
    with alone(ROOT / "build" / f"npm-{folder.parent.name}.lock"):
        if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
            return
        _run(folder, str(NPM), "ci", "--no-audit", "--no-fund", seconds=INSTALL_SECONDS)


def run_tests(**environment: str) -> None:
    """Run all tests there are in js/."""
    _run(JS, str(NODE), "--test", "--test-reporter=spec", seconds=TEST_SECONDS, **environment)


@contextmanager
def running_script(script: str, port: int, log: Path, **environment: str) -> Iterator[None]:
    """Run a server in js/ from when its port answers until the end of the block."""
    told = clean_environment(PORT=str(port), **environment)
    with running([str(NODE), str(JS / script)], port, told, log):
        yield


def _run(folder: Path, *command: str, seconds: int, **environment: str) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=seconds,
    )
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}"
