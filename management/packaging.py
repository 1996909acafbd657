"""What is uploaded: the code of the functions, small and compiled, and the template that deploys it.

`chalice package` ships every service that botocore knows, and no bytecode. On Lambda the code is
read-only, so that each cold start would compile each module again. Here what is never called is
left out, libraries are bytecode alone, and our own modules are both source and bytecode, so that
tracebacks show lines.
"""

import gzip
import hashlib
import json
import os
import py_compile
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import chalice
import chalice.deploy.deployer
from chalice.cli.factory import CLIFactory
from chalice.deploy.packager import LambdaDeploymentPackager

from management import infrastructure
from management.infrastructure.functions import LAYER_FILE
from management.infrastructure.policies import FUNCTIONS
from management.stage_settings import StageSettings

ROOT = Path(__file__).parent.parent
CACHE = ROOT / "build" / "dependencies"

MAX_BYTES = 4_000_000
"""Of the zip with the code."""

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

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The date of every file in a zip: the same files make the same zip."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Package:
    """What was built."""

    folder: Path

    @property
    def template(self) -> Path:
        """The CloudFormation template, which names the two others."""
        return self.folder / "sam.json"

    @property
    def code(self) -> Path:
        """The code of all functions."""
        return self.folder / "deployment.zip"

    @property
    def layer(self) -> Path:
        """What `LAYER` lists."""
        return self.folder / LAYER_FILE


class PackagingError(Exception):
    """The code cannot be packaged; the message says why."""


def build(stage: StageSettings, folder: Path, say: Say) -> Package:
    """Build the code and the template of a stage.

    Args:
        stage: which.
        folder: where they go. It is made anew.
        say: is told what goes on.

    Raises:
        PackagingError: it cannot be done.
    """
    runtime = f"python{sys.version_info.major}.{sys.version_info.minor}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    package = Package(folder)
    dependencies = _dependencies(stage.lambda_architecture, runtime, say)
    with tempfile.TemporaryDirectory() as temporary:
        app = Path(temporary)
        _copy_app(app)
        _compile(app, keep_source=True)
        size = _zip(package.code, (dependencies / "function", ""), (app, ""))
    layer_size = _zip(package.layer, (dependencies / "layer", "python"))
    _write_template(stage, package)
    say(f"{package.code.name}: {size / 1e6:.2f} MB, {package.layer.name}: {layer_size / 1e6:.2f} MB")
    if size > MAX_BYTES:
        raise PackagingError(f"{package.code} has {size} bytes, more than {MAX_BYTES}")
    return package


def _dependencies(architecture: str, runtime: str, say: Say) -> Path:
    """Return a folder with what requirements.txt lists, trimmed and compiled, in `function` and `layer`."""
    made_of = (ROOT / "requirements.txt").read_bytes() + Path(__file__).read_bytes() + sys.version.encode()
    found = CACHE / f"{runtime}-{architecture}-{hashlib.sha256(made_of).hexdigest()[:16]}"
    if found.exists():
        return found
    say(f"Installing and compiling the dependencies for {runtime} on {architecture}")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as temporary:
        made = Path(temporary) / "made"
        installed = Path(temporary) / "installed"
        _install(architecture, runtime, installed)
        for source, name in _shipped(installed):
            part = "layer" if name.partition("/")[0] in LAYER else "function"
            target = made / part / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        _compile(made, keep_source=False)
        _shorten(made / "function" / "botocore" / "data")
        try:
            made.rename(found)
        except OSError:  # Somebody else was faster.
            if not found.exists():
                raise
    return found


def _install(architecture: str, runtime: str, folder: Path) -> None:
    libraries = OLDEST_LIBRARIES.get(runtime, NEWER_LIBRARIES)
    machine = MACHINES[architecture]
    platforms = [f"--platform=manylinux_{library}_{machine}" for library in libraries]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    wanted = [
        f"--target={folder}",
        "--only-binary=:all:",
        f"--python-version={runtime.removeprefix('python')}",
    ]
    done = subprocess.run(  # noqa: S603
        [
            *pip,
            *wanted,
            f"--platform=manylinux2014_{machine}",
            *platforms,
            f"--requirement={ROOT / 'requirements.txt'}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise PackagingError(f"pip could not install the dependencies:\n{done.stderr.strip()}")
    runtime_files = Path(chalice.__file__).parent
    shutil.copytree(runtime_files, folder / "chalice")


def _shipped(installed: Path) -> Iterator[tuple[Path, str]]:
    left_out = re.compile("|".join(LEFT_OUT))
    for path in sorted(installed.rglob("*")):
        name = path.relative_to(installed).as_posix()
        if path.is_file() and not left_out.match(name):
            yield path, name


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


def _copy_app(folder: Path) -> None:
    shutil.copyfile(ROOT / "app.py", folder / "app.py")
    shutil.copytree(ROOT / "chalicelib", folder / "chalicelib", ignore=shutil.ignore_patterns("__pycache__"))


def _compile(folder: Path, *, keep_source: bool) -> None:
    """Compile all modules. Bytecode beside its source is trusted without a look at the source's date."""
    sources = sorted(folder.rglob("*.py"))
    names = [source.relative_to(folder).as_posix() for source in sources]
    with ProcessPoolExecutor() as pool:
        list(pool.map(_compile_one, sources, names, [keep_source] * len(sources), chunksize=50))


def _compile_one(source: Path, name: str, keep_source: bool) -> None:
    tag = f".{sys.implementation.cache_tag}.pyc"
    target = (
        source.parent / "__pycache__" / (source.stem + tag) if keep_source else source.with_suffix(".pyc")
    )
    py_compile.compile(
        str(source),
        cfile=str(target),
        dfile=f"/var/task/{name}",
        doraise=True,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    if not keep_source:
        source.unlink()


def _zip(target: Path, *folders: tuple[Path, str]) -> int:
    """Zip folders, each under a prefix, and return the size in bytes. The same files make the same zip."""
    entries = sorted(
        (f"{prefix}/{path.relative_to(folder).as_posix()}".lstrip("/"), path)
        for folder, prefix in folders
        for path in folder.rglob("*")
        if path.is_file()
    )
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as zipped:
        for name, path in entries:
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            zipped.writestr(entry, path.read_bytes())
    return target.stat().st_size


def _write_template(stage: StageSettings, package: Package) -> None:
    """Let Chalice write its template, with our code in the place of the zip that it would build."""

    class Prebuilt(LambdaDeploymentPackager):
        def create_deployment_package(self, project_dir: str, python_version: str) -> str:
            return str(built)

    built = package.code.rename(package.code.with_suffix(".built"))
    merged = package.folder / "resources.json"
    merged.write_text(json.dumps(infrastructure.template(stage)), encoding="utf-8")
    factory = CLIFactory(str(ROOT), environ=os.environ)
    config = factory.create_config_obj(stage.name)
    chalices: Any = chalice.deploy.deployer
    original = chalices.LambdaDeploymentPackager
    chalices.LambdaDeploymentPackager = Prebuilt
    try:
        packager = factory.create_app_packager(
            config, factory.create_package_options(), "cloudformation", "json", str(merged)
        )
        packager.package_app(config, str(package.folder), stage.name)
    finally:
        chalices.LambdaDeploymentPackager = original
    built.unlink()
    merged.unlink()
    _describe_versions(stage, package)


def _describe_versions(stage: StageSettings, package: Package) -> None:
    """Put into the description of each function what SAM does not see of it.

    SAM publishes a version when a function's own properties change. It does not look into a layer;
    and of some properties, which no version has, Lambda does not see that there is one to publish.
    """
    template = json.loads(package.template.read_text(encoding="utf-8"))
    layer = hashlib.sha256(package.layer.read_bytes()).hexdigest()
    for function in FUNCTIONS.values():
        properties = template["Resources"][function]["Properties"]
        unseen = [properties.get(name) for name in ("ReservedConcurrentExecutions", "Tags")]
        made_of = json.dumps([*unseen, layer if "Layers" in properties else None], sort_keys=True)
        digest = hashlib.sha256(made_of.encode()).hexdigest()[:12]
        properties["Description"] = f"{stage.stack_name} {digest}"
    package.template.write_text(json.dumps(template, indent=2), encoding="utf-8")
