"""The code of the functions, unpacked as on Lambda: as `make deploy` ships it, and as `chalice package`."""

import compileall
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalice.config import Config

from management import stage as stages

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build" / "bench"


HANDLERS = {
    "api": ("app", "app"),
    "bearer": ("chalicelib.authorizer.bearer", "bearer"),
    "authorizer": ("chalicelib.authorizer.gateway", "authorizer"),
}
"""The modules and the functions that Lambda calls, by what the report calls them."""

NAMES = {"api": "api_handler", "bearer": "bearer", "authorizer": "authorizer"}
"""What `.chalice/config.json` calls them."""


def memory_size(name: str, config: dict[str, Any] | None = None) -> int:
    """Return the memory of a function in the stage `prod`, in megabytes, as Chalice reads it.

    Args:
        name: as `.chalice/config.json` calls it.
        config: what is in that file; by default, what there is.
    """
    read = config or stages.config()
    return int(Config(chalice_stage="prod", function_name=name, config_from_disk=read).lambda_memory_size)


@dataclass(frozen=True)
class Unpacked:
    """Where a function finds what it imports."""

    path: tuple[Path, ...]
    zipped: int
    """Bytes of the code that is uploaded, less layers."""

    def libraries(self) -> set[str]:
        """Return the names of what lies there to be imported, besides our own."""
        found = {
            entry.name.partition(".")[0]
            for folder in self.path
            for entry in folder.iterdir()
            if (entry.is_dir() and entry.name.isidentifier()) or entry.suffix in (".py", ".pyc", ".so")
        }
        return found - {"app", "chalicelib", "__pycache__"}


@functools.cache
def shipped() -> Unpacked:
    """Return what `make deploy` ships."""
    _run(sys.executable, "manage.py", "--stage", "dev", "package")
    built = ROOT / "build" / "package"
    code, layer = built / "deployment.zip", built / "layer.zip"
    task, opt = _unpack(code, BUILD / "shipped"), _unpack(layer, BUILD / "shipped-layer")
    return Unpacked((task, opt / "python"), code.stat().st_size)


def plain() -> Unpacked:
    """Return what `chalice package` ships. Its dependencies are the same until requirements.txt changes."""
    made_of = (ROOT / "requirements.txt").read_bytes() + sys.version.encode()
    folder = BUILD / f"plain-{hashlib.sha256(made_of).hexdigest()[:16]}"
    code = folder / "deployment.zip"
    if not code.exists():
        _run(str(Path(sys.executable).with_name("chalice")), "package", "--stage", "dev", str(folder))
    task = _unpack(code, BUILD / "plain")
    shutil.rmtree(task / "chalicelib")
    shutil.copytree(ROOT / "chalicelib", task / "chalicelib", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(ROOT / "app.py", task / "app.py")
    return Unpacked((task,), code.stat().st_size)


def libraries() -> Unpacked:
    """Return the libraries as pip installs them, with bytecode."""
    folders = [Path(folder) for folder in sys.path if folder.endswith("site-packages")]
    for folder in folders:
        compileall.compile_dir(folder, quiet=2, workers=0)
    return Unpacked(tuple(folders), 0)


def _unpack(code: Path, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    zipfile.ZipFile(code).extractall(folder)
    return folder


def _run(*command: str) -> None:
    environment = os.environ | {"AWS_DEFAULT_REGION": "us-east-1"}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=600)
