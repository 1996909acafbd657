"""The bill of materials of a package (CycloneDX 1.6): what is in it, from where, under which licence.

It says nothing of when or where it was written: the same commit makes the same document.
"""

import hashlib
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from management.dependencies import ROOT, Library

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Source:
    """The commit that something is built from."""

    commit: str
    """Its hash, with `-dirty` after it if something was changed since; or `UNKNOWN`."""
    committed_at: datetime

    @classmethod
    def read(cls) -> "Source":
        """Ask git; without it, or in a copy of the files alone, nobody knows."""
        try:
            commit, committed_at = _git("log", "-1", "--format=%H %cI").split()
            changed = _git("status", "--porcelain")
        except (OSError, subprocess.CalledProcessError):
            return cls(UNKNOWN, datetime(1980, 1, 1, tzinfo=UTC))
        return cls(commit + ("-dirty" if changed else ""), datetime.fromisoformat(committed_at))


def document(code: Path, layer: Path, libraries: Iterable[Library]) -> str:
    """Return the bill of materials of a package, as JSON.

    Args:
        code: the zip of the functions.
        layer: the zip of their layer.
        libraries: what is in the two and not ours.
    """
    source = Source.read()
    files = {"function": _file(code), "layer": _file(layer)}
    application = Component(
        name="oauth",
        type=ComponentType.APPLICATION,
        version=source.commit,
        bom_ref="oauth",
        components=files.values(),
    )
    bom = Bom(
        metadata=BomMetaData(component=application, timestamp=source.committed_at),
        serial_number=uuid5(NAMESPACE_URL, " ".join([source.commit, _sha256(code), _sha256(layer)])),
    )
    bom.register_dependency(application, files.values())
    inside: dict[str, list[Component]] = {part: [] for part in files}
    for library in libraries:
        component = _component(library)
        bom.components.add(component)
        for part in library.parts:
            inside[part].append(component)
    for part, components in inside.items():
        bom.register_dependency(files[part], components)
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _file(path: Path) -> Component:
    return Component(
        name=path.name, type=ComponentType.FILE, bom_ref=path.name, hashes=[_hash(_sha256(path))]
    )


def _component(library: Library) -> Component:
    purl = PackageURL("pypi", name=library.name, version=library.version)
    licenses = LicenseFactory()
    return Component(
        name=library.name,
        version=library.version,
        bom_ref=str(purl),
        purl=purl,
        hashes=[_hash(library.sha256)],
        licenses=[licenses.make_from_string(one) for one in library.licenses],
    )


def _hash(sha256: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=sha256)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _git(*arguments: str) -> str:
    done = subprocess.run(  # nosec B603 B607 # noqa: S603 (with words of ours)
        ["git", *arguments],  # noqa: S607 (whichever the operator has)
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()
