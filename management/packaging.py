"""What is uploaded: the code of the functions, small and compiled, and the template that deploys it.

`chalice package` ships every service that botocore knows, and no bytecode. On Lambda the code is
read-only, so that each cold start would compile each module again. Here what is never called is
left out, libraries are bytecode alone, and our own modules are both source and bytecode, so that
tracebacks show lines.
"""

import hashlib
import json
import os
import shutil
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import chalice.deploy.deployer
from chalice.cli.factory import CLIFactory
from chalice.deploy.packager import LambdaDeploymentPackager

from management import infrastructure, sbom
from management.bytecode import compile_modules
from management.dependencies import ROOT, PackagingError, Say, install
from management.infrastructure.functions import LAYER_FILE
from management.infrastructure.policies import FUNCTIONS
from management.stage_settings import StageSettings

MAX_BYTES = 4_000_000
"""Of the zip with the code."""

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The date of every file in a zip: the same files make the same zip."""


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
        """Libraries that few requests need."""
        return self.folder / LAYER_FILE

    @property
    def sbom(self) -> Path:
        """What is in the two, in the words of CycloneDX."""
        return self.folder / "sbom.cdx.json"


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
    dependencies = install(stage.lambda_architecture, runtime, say)
    with tempfile.TemporaryDirectory() as temporary:
        app = Path(temporary)
        _copy_app(app)
        compile_modules(app, keep_source=True)
        size = _zip(package.code, (dependencies.function, ""), (app, ""))
    layer_size = _zip(package.layer, (dependencies.layer, "python"))
    _write_template(stage, package)
    package.sbom.write_text(
        sbom.document(package.code, package.layer, dependencies.libraries), encoding="utf-8"
    )
    say(f"{package.code.name}: {size / 1e6:.2f} MB, {package.layer.name}: {layer_size / 1e6:.2f} MB")
    if size > MAX_BYTES:
        raise PackagingError(f"{package.code} has {size} bytes, more than {MAX_BYTES}")
    return package


def _copy_app(folder: Path) -> None:
    shutil.copyfile(ROOT / "app.py", folder / "app.py")
    shutil.copytree(ROOT / "chalicelib", folder / "chalicelib", ignore=shutil.ignore_patterns("__pycache__"))


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
