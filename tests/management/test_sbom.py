"""The bill of materials: it is of the form that tools read, and says what is really in the package."""

import hashlib
import json
import re
import subprocess
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from management import sbom
from management.packaging import Package

ROOT = Path(__file__).parents[2]
OURS = {"app.py", "__pycache__", "chalicelib"}


@pytest.fixture(scope="module")
def bill(package: Package) -> Any:
    return json.loads(package.sbom.read_text())


def libraries_in(file: Path, root: str = "") -> set[str]:
    """Return whose the top-level names in a zip are, as this environment knows them."""
    whose = packages_distributions()
    names = {name.removeprefix(root).partition("/")[0] for name in zipfile.ZipFile(file).namelist()} - OURS
    modules = {name.removesuffix(".libs").partition(".")[0] for name in names}
    return {
        re.sub(r"[-_.]+", "-", distribution).lower() for module in modules for distribution in whose[module]
    }


def said_to_be_in(bill: Any, file: str) -> set[str]:
    """Return the names of the libraries that a file depends on."""
    (found,) = (one["dependsOn"] for one in bill["dependencies"] if one["ref"] == file)
    names = {one["bom-ref"]: one["name"] for one in bill["components"]}
    return {names[ref] for ref in found}


def test_it_is_valid(package: Package) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(package.sbom.read_text()) is None


def test_it_names_the_libraries_that_are_in_the_package_and_no_other(bill: Any, package: Package) -> None:
    assert said_to_be_in(bill, "deployment.zip") == libraries_in(package.code)
    assert said_to_be_in(bill, "layer.zip") == libraries_in(package.layer, "python/")
    assert "chalice" in said_to_be_in(bill, "deployment.zip")


def test_every_library_is_one_that_was_locked(bill: Any) -> None:
    locked = (ROOT / "requirements-dev.txt").read_text()
    for component in bill["components"]:
        name, version = component["name"], component["version"]
        found = re.search(rf"(?m)^{name}=={re.escape(version)} [^#]*", locked)
        assert found, name
        (digest,) = component["hashes"]
        assert f"--hash=sha256:{digest['content']}" in found[0]
        assert component["purl"] == f"pkg:pypi/{name}@{version}"


def test_every_library_has_a_licence(bill: Any) -> None:
    for component in bill["components"]:
        for licence in component["licenses"]:
            one = licence.get("license", {})
            assert licence.get("expression") or one.get("id") or one.get("name"), component["name"]


def test_it_has_the_hashes_of_the_files(bill: Any, package: Package) -> None:
    files = bill["metadata"]["component"]["components"]
    assert {one["name"]: one["hashes"][0]["content"] for one in files} == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (package.code, package.layer)
    }


def test_it_has_the_commit_that_the_package_was_built_from(bill: Any) -> None:
    head = git(ROOT, "rev-parse", "HEAD")
    assert bill["metadata"]["component"]["version"].removesuffix("-dirty") == head


def git(folder: Path, *arguments: str) -> str:
    named = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
    done = subprocess.run(["git", *named, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_it_says_whether_something_was_changed_since_the_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sbom, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert sbom.Source.read().commit == "unknown"
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message=First")
    assert sbom.Source.read().commit == git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "new.py").touch()
    assert sbom.Source.read().commit.endswith("-dirty")
