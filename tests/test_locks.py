"""The locks are what the `.in` files ask for, whole and with hashes, and what is installed here."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import requires, version
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
LOCKS = sorted(
    path.relative_to(ROOT).with_suffix("").as_posix()
    for folder in ("", "tests/stack", "bench/peers/dot", "bench/peers/authlib_flask")
    for path in (ROOT / folder).glob("requirements*.in")
)
NPM_LOCKS = ("tests/browser", "tests/interop", "bench/peers/oidc_provider", "bench/peers/openauth")

LOCKED = re.compile(
    r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?: ; (?P<marker>[^\\\n]+?))? \\\n"
    r"(?P<hashes>(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)"
    r"(?P<via>(?:    #.*\n?)+)",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Locked:
    """An entry of a lock."""

    name: str
    version: Version
    marker: Marker | None
    wanted_by: frozenset[str]
    """Names of other entries, and `-r <file>`."""


@cache
def locked(lock: str) -> dict[str, Locked]:
    text = (ROOT / f"{lock}.txt").read_text()
    return {
        one["name"]: Locked(
            one["name"],
            Version(one["version"]),
            Marker(one["marker"]) if one["marker"] else None,
            frozenset(re.findall(r"#\s+(?:via )?((?:-[rc] )?\S+)$", one["via"], re.MULTILINE)) - {"via"},
        )
        for one in LOCKED.finditer(text)
    }


def wanted(lock: str) -> Iterator[tuple[str, Requirement]]:
    """Yield what an `.in` file asks for, and each file that it includes, with the file's path."""
    source = ROOT / f"{lock}.in"
    for line in source.read_text().splitlines():
        said = line.partition("#")[0].strip()
        if said.startswith("-r "):
            yield from wanted(said.removeprefix("-r ").removesuffix(".in"))
        elif said and not said.startswith("-c "):
            yield source.relative_to(ROOT).as_posix(), Requirement(said)


def test_every_lock_is_written_by_make_lock() -> None:
    (listed,) = re.findall(r"^LOCKS := (.*\\\n.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert sorted(listed.replace("\\", "").split()) == LOCKS


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_nothing_but_versions_and_hashes(lock: str) -> None:
    """No address of an index, and nothing that could be another thing tomorrow."""
    text = (ROOT / f"{lock}.txt").read_text()
    rest = LOCKED.sub("", text)
    assert all(line.startswith("#") for line in rest.splitlines() if line), rest
    assert "://" not in text


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_what_is_asked_for(lock: str) -> None:
    for source, requirement in wanted(lock):
        found = locked(lock)[canonicalize_name(requirement.name)]
        assert found.version in requirement.specifier
        assert f"-r {source}" in found.wanted_by


@pytest.mark.parametrize("lock", LOCKS)
def test_everything_in_a_lock_is_there_for_something_that_is_asked_for(lock: str) -> None:
    asked = {(source, canonicalize_name(requirement.name)) for source, requirement in wanted(lock)}
    for found in locked(lock).values():
        for by in found.wanted_by:
            if by.startswith("-r "):
                assert (by.removeprefix("-r "), found.name) in asked
            elif not by.startswith("-c "):
                assert by in locked(lock)
        assert any(not by.startswith("-c ") for by in found.wanted_by)


def test_what_is_shipped_is_what_is_tested() -> None:
    tested = locked("requirements-dev")
    for found in locked("requirements").values():
        assert tested[found.name].version == found.version


@cache
def installed_here() -> dict[str, Locked]:
    """Return what of requirements-dev.txt is for this system."""
    return {
        name: found
        for name, found in locked("requirements-dev").items()
        if found.marker is None or found.marker.evaluate()
    }


def test_this_environment_has_what_is_locked() -> None:
    for found in installed_here().values():
        assert Version(version(found.name)) == found.version, f"{found.name}: run make"


def test_the_lock_is_whole() -> None:
    """For pip takes it as it is, and looks at nobody's dependencies."""
    reached: set[tuple[str, frozenset[str]]] = set()
    remaining = [requirement for _, requirement in wanted("requirements-dev")]
    while remaining:
        requirement = remaining.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        assert installed_here()[name].version in requirement.specifier
        if (name, extras) not in reached:
            reached.add((name, extras))
            for needed in map(Requirement, requires(name) or ()):
                marker = needed.marker
                if marker is None or any(marker.evaluate({"extra": one}) for one in extras | {""}):
                    remaining.append(needed)
    assert {name for name, _ in reached} == set(installed_here())


@pytest.mark.parametrize("folder", NPM_LOCKS)
def test_what_npm_installs_is_locked_with_hashes(folder: str) -> None:
    (path,) = [
        found for found in (ROOT / folder).rglob("package-lock.json") if "node_modules" not in found.parts
    ]
    packages = json.loads(path.read_text())["packages"]
    root = packages.pop("")
    asked = json.loads(path.with_name("package.json").read_text())
    assert root.get("dependencies") == asked.get("dependencies")
    assert root.get("devDependencies") == asked.get("devDependencies")
    for name, package in packages.items():
        assert package["integrity"].startswith("sha512-"), name
        assert "resolved" not in package, name
