"""The libraries that functions import: installed by their hashes, trimmed and compiled."""

import gzip
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from management import bytecode

ROOT = Path(__file__).parent.parent
CACHE = ROOT / "build" / "dependencies"

BOTOCORE_SERVICES = ("dynamodb", "events", "sesv2", "sqs", "ssm")
"""The services that functions call."""

LAYER = ("authlib", "charset_normalizer", "cryptography", "idna", "joserfc", "requests")
"""Packages for signatures and for an OpenID provider: few requests of one function need them, and they are
larger than all others together."""

LEFT_OUT = (
    # Chalice's own command line; of chalice the functions import these two files.
    r"chalice/(?!app\.py$|__init__\.py$)",
    # Nothing imports them: boto3 (botocore is enough), and what cffi needs to build, not to run.
    r"(boto3|s3transfer|cffi|pycparser)/",
    # Services that nobody calls, and what clients do not need: examples, paginators, waiters.
    rf"botocore/data/(?!({'|'.join(BOTOCORE_SERVICES)})/)[^/]+/",
    r"botocore/data/.*/(examples|paginators|waiters|completions)-[^/]*$",
    # Rules by which botocore makes the URL of each single request. Without them it takes that of the region
    # from endpoints.json, once. It is another one only where credentials name their account.
    r"botocore/data/.*/endpoint-rule-set-[^/]*$",
    # Certificates: certifi has them.
    r"botocore/cacert\.pem$",
    # Time zones: Python has them.
    r"dateutil/zoneinfo/.*\.tar\.gz$",
    # Authlib for other frameworks.
    r"authlib/integrations/(?!__init__|base_client|requests_client)",
    # What describes packages, types, and how to build.
    r"[^/]+\.dist-info/|bin/|.*\.(pyi|typed|c|h|rst|md|txt)$|.*/(tests?|__pycache__)/|__pycache__/",
)

OLDEST_LIBRARIES = {"python3.11": ("2_17", "2_26")}
"""Versions of glibc that wheels may be for, by runtime: Amazon Linux 2 is older."""
NEWER_LIBRARIES = ("2_17", "2_26", "2_28", "2_34")

MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}


Say = Callable[[str], None]


class PackagingError(Exception):
    """The code cannot be packaged; the message says why."""


@dataclass(frozen=True)
class Library:
    """A library of which something is shipped."""

    name: str
    version: str
    sha256: str
    """Of the wheel that it was installed from."""
    licenses: tuple[str, ...]
    """Identifiers or expressions of SPDX where the library has them, else names."""
    parts: tuple[str, ...]
    """Where it is: `function`, `layer`."""


@dataclass(frozen=True)
class Dependencies:
    """What was installed."""

    folder: Path

    @property
    def function(self) -> Path:
        """What goes into the code of the functions."""
        return self.folder / "function"

    @property
    def layer(self) -> Path:
        """What `LAYER` lists."""
        return self.folder / "layer"

    @property
    def libraries(self) -> list[Library]:
        """What is in the two, by name."""
        told = json.loads((self.folder / "libraries.json").read_text(encoding="utf-8"))
        return [
            Library(**one | {"licenses": tuple(one["licenses"]), "parts": tuple(one["parts"])})
            for one in told
        ]


def install(architecture: str, runtime: str, say: Say) -> Dependencies:
    """Return what requirements.txt lists, and Chalice's runtime, trimmed and compiled.

    Args:
        architecture: of `MACHINES`.
        runtime: as Lambda names it: `python3.11`.
        say: is told what goes on.

    Raises:
        PackagingError: something cannot be had, or is not what was locked.
    """
    locked = _locked()
    made_by = Path(__file__).read_bytes() + Path(bytecode.__file__).read_bytes() + sys.version.encode()
    found = CACHE / f"{runtime}-{architecture}-{hashlib.sha256(locked.encode() + made_by).hexdigest()[:16]}"
    if found.exists():
        return Dependencies(found)
    say(f"Installing and compiling the dependencies for {runtime} on {architecture}")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as temporary:
        made = Path(temporary) / "made"
        installed = Path(temporary) / "installed"
        hashes = _install(locked, architecture, runtime, installed)
        parts = {
            name: "layer" if name.partition("/")[0] in LAYER else "function" for name in _shipped(installed)
        }
        for name, part in parts.items():
            target = made / part / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(installed / name, target)
        libraries = [asdict(library) for library in _libraries(installed, parts, hashes)]
        (made / "libraries.json").write_text(json.dumps(libraries), encoding="utf-8")
        bytecode.compile_modules(made, keep_source=False)
        _shorten(made / "function" / "botocore" / "data")
        try:
            made.rename(found)
        except OSError:  # Somebody else was faster.
            if not found.exists():
                raise
    return Dependencies(found)


def _locked() -> str:
    """Return what is to be installed: requirements.txt, and of requirements-dev.txt Chalice alone."""
    development = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")
    chalice = re.search(r"^chalice==.*(\n    --hash=.*)+", development, re.MULTILINE)
    if chalice is None:
        raise PackagingError("requirements-dev.txt has no chalice with hashes; `make lock` writes it")
    return (ROOT / "requirements.txt").read_text(encoding="utf-8") + chalice[0].removesuffix(" \\") + "\n"


def _install(locked: str, architecture: str, runtime: str, folder: Path) -> Mapping[str, str]:
    """Install what is locked, and return the SHA-256 of each wheel by the name of what was in it."""
    libraries = OLDEST_LIBRARIES.get(runtime, NEWER_LIBRARIES)
    machine = MACHINES[architecture]
    platforms = [f"--platform=manylinux_{library}_{machine}" for library in libraries]
    requirements = folder.with_suffix(".txt")
    requirements.write_text(locked, encoding="utf-8")
    report = folder.with_suffix(".json")
    done = subprocess.run(  # nosec B603 # noqa: S603 (pip, on our own locks)
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--require-hashes", "--no-deps", "--only-binary=:all:", "--no-compile"),
            f"--target={folder}",
            f"--python-version={runtime.removeprefix('python')}",
            f"--platform=manylinux2014_{machine}",
            *platforms,
            f"--report={report}",
            f"--requirement={requirements}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise PackagingError(f"pip could not install the dependencies:\n{done.stderr.strip()}")
    return {
        _canonical(one["metadata"]["name"]): one["download_info"]["archive_info"]["hashes"]["sha256"]
        for one in json.loads(report.read_text(encoding="utf-8"))["install"]
    }


def _shipped(installed: Path) -> Iterator[str]:
    left_out = re.compile("|".join(LEFT_OUT))
    for path in sorted(installed.rglob("*")):
        name = path.relative_to(installed).as_posix()
        if path.is_file() and not left_out.match(name):
            yield name


def _part(name: str) -> str:
    return "layer" if name.partition("/")[0] in LAYER else "function"


def _libraries(installed: Path, parts: Mapping[str, str], hashes: Mapping[str, str]) -> Iterator[Library]:
    """Tell which libraries are shipped files of.

    Raises:
        PackagingError: a file is of none.
    """
    unknown = set(parts)
    for found in sorted(distributions(path=[str(installed)]), key=lambda found: _canonical(found.name)):
        files = {file.as_posix() for file in found.files or ()} & unknown
        unknown -= files
        if files:
            name = _canonical(found.name)
            where = sorted({parts[file] for file in files})
            yield Library(name, found.version, hashes[name], tuple(_licenses(found)), tuple(where))
    if unknown:
        raise PackagingError(f"no library says that these are its files: {sorted(unknown)}")


def _licenses(found: Distribution) -> list[str]:
    expressions = found.metadata.get_all("License-Expression") or []
    if expressions:
        return expressions
    said = found.metadata.get_all("License") or []
    classifiers = found.metadata.get_all("Classifier") or []
    named = [one.rpartition(" :: ")[2] for one in classifiers if one.startswith("License :: ")]
    return said if said and re.fullmatch(r"[A-Za-z0-9.+-]+", said[0]) else named or said


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _shorten(data: Path) -> None:
    """Leave out of botocore's data what no request needs: making the first client reads and parses it all.

    That is what describes operations and their members to people, and the endpoints of other services.
    """
    prefixes = set()
    for packed in sorted(data.glob("*/*/service-2.json.gz")):
        service = _undocumented(json.loads(gzip.decompress(packed.read_bytes())))
        prefixes.add(service["metadata"]["endpointPrefix"])
        packed.with_suffix("").write_text(json.dumps(service, separators=(",", ":")), encoding="utf-8")
        packed.unlink()
    endpoints = json.loads((data / "endpoints.json").read_bytes())
    for partition in endpoints["partitions"]:
        partition["services"] = {
            name: service for name, service in partition["services"].items() if name in prefixes
        }
    (data / "endpoints.json").write_text(json.dumps(endpoints, separators=(",", ":")), encoding="utf-8")


def _undocumented(described: Any) -> Any:
    if isinstance(described, list):
        return [_undocumented(one) for one in described]
    if isinstance(described, dict):
        return {
            name: _undocumented(one)
            for name, one in described.items()
            if name != "documentation" or not isinstance(one, str)
        }
    return described
