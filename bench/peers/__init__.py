"""Other authorization servers, doing the same: each in a folder and a virtual environment of its own.

`python -m bench.peers.<name>` with that environment's Python prints what `Report` reads.
"""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHON_PEERS = ("dot", "authlib_flask")
NODE_PEERS = ("oidc_provider", "openauth")


class Unavailable(Exception):
    """A peer that cannot be had here: no network, or it does not run."""


@dataclass(frozen=True)
class Operation:
    """One operation of a peer."""

    storage: dict[str, int]
    """Storage operations by kind: SQL statements, adapter calls, or requests."""
    cpu_ms: float | None
    """The CPU time that one took, in milliseconds, in the median; None if it was not timed."""


@dataclass(frozen=True)
class Report:
    """What a peer's program printed."""

    name: str
    versions: dict[str, str]
    how: str
    """How it is configured."""
    operations: dict[str, Operation]


def report(peer: str, repeat: int = 0) -> Report:
    """Install a Python peer, if it is not yet, and run it.

    Args:
        peer: of `PYTHON_PEERS`.
        repeat: how many times each operation is timed; 0: they are counted alone.

    Raises:
        Unavailable: with the reason.
    """
    command = [str(python(peer)), "-m", f"bench.peers.{peer}", str(repeat)]
    return run(peer, command)


def node_report(peer: str, environment: dict[str, str] | None = None) -> Report:
    """Install a peer that is written for Node.js, if it is not yet, and run it. Its operations are counted.

    Args:
        peer: of `NODE_PEERS`.
        environment: variables that its program asks for.

    Raises:
        Unavailable: with the reason.
    """
    folder = node_modules(peer)
    return run(peer, ["node", "peer.mjs"], environment, folder)


def run(
    peer: str, command: list[str], environment: dict[str, str] | None = None, folder: Path = ROOT
) -> Report:
    """Run a peer's program in a folder and read what it prints."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | (environment or {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        raise Unavailable(f"{peer} does not run: {done.stderr.strip()[-500:]}")
    said = json.loads(done.stdout.splitlines()[-1])
    operations = {name: Operation(**found) for name, found in said.pop("operations").items()}
    return Report(operations=operations, **said)


def python(peer: str) -> Path:
    """Return the Python of a peer, with what its requirements.txt says installed."""
    wanted = Path(__file__).parent / peer / "requirements.txt"
    folder = ROOT / "build" / "bench" / peer
    program = folder / "bin" / "python"
    if _is_new(folder, wanted):
        _install([sys.executable, "-m", "venv", "--clear", str(folder)], peer)
        pip = [str(program), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _install([*pip, "--require-hashes", "--no-deps", "-r", str(wanted)], peer)
        _keep(folder, wanted)
    return program


def node_modules(peer: str) -> Path:
    """Return the folder of a peer that is written for Node.js, with its package.json installed."""
    source = Path(__file__).parent / peer
    folder = ROOT / "build" / "bench" / peer
    folder.mkdir(parents=True, exist_ok=True)
    wanted = source / "package-lock.json"
    for path in source.iterdir():
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
    if _is_new(folder, wanted):
        _install(["npm", "ci", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder)], peer)
        _keep(folder, wanted)
    return folder


def _install(command: list[str], peer: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"{peer} cannot be installed: {error.stderr.strip()[-500:]}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{peer} cannot be installed: {error}") from None


def _is_new(folder: Path, wanted: Path) -> bool:
    installed = folder / "installed"
    return not installed.exists() or installed.read_text() != _digest(wanted)


def _keep(folder: Path, wanted: Path) -> None:
    (folder / "installed").write_text(_digest(wanted))


def _digest(wanted: Path) -> str:
    return hashlib.sha256(wanted.read_bytes()).hexdigest()
