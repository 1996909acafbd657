"""Known vulnerabilities of what is locked: `python -m tools.vulnerabilities`.

pip-audit asks the Python Package Index. Where that cannot be asked, this says so, and that is all: to
work without a network is no mistake. A vulnerability fails, unless pyproject.toml accepts it:

    [[tool.vulnerabilities.accepted]]
    id = "GHSA-xxxx-xxxx-xxxx"
    reason = "We never call the function that has it."
    until = 2027-01-31
"""

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent

SHIPPED = "requirements.txt"
OTHERS = ("requirements-dev.txt", "requirements-lock.txt", "tests/stack/requirements-ministack.txt")

PIP_AUDIT = (
    *(sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps", "--require-hashes"),
    *("--format=json", "--progress-spinner=off", "--timeout=5"),
)
SECONDS = 60

OFFLINE = ("ConnectionError", "Timeout", "ServiceError", "could not connect", "network may be blocking")
"""What pip-audit ends with if it is not answered, or not as it should be."""


class Unreachable(Exception):
    """Nobody can be asked."""


@dataclass(frozen=True)
class Vulnerability:
    """A known vulnerability of a library."""

    library: str
    version: str
    ids: frozenset[str]
    fixed_in: tuple[str, ...]

    def __str__(self) -> str:
        fixed = f"; fixed in {', '.join(self.fixed_in)}" if self.fixed_in else ""
        return f"{self.library} {self.version} has {', '.join(sorted(self.ids))}{fixed}"


@dataclass(frozen=True)
class Accepted:
    """A vulnerability that is known, and does no harm here."""

    id: str
    reason: str
    until: date

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> "Accepted":
        """Read an entry of pyproject.toml.

        Raises:
            SystemExit: it has not exactly an id, a reason and a date.
        """
        wanted = {"id": str, "reason": str, "until": date}
        if entry.keys() != wanted.keys() or not all(
            entry[name] and type(entry[name]) is wanted[name] for name in wanted
        ):
            sys.exit(
                f"pyproject.toml: an accepted vulnerability has an id, a reason and until (a date): {entry}"
            )
        return cls(**entry)


def find(lock: str) -> set[Vulnerability]:
    """Ask for what is known of the libraries in a lock.

    Raises:
        Unreachable: nobody answers.
        SystemExit: pip-audit fails otherwise.
    """
    try:
        done = subprocess.run(  # nosec B603 # noqa: S603 (on a lock of ours)
            [*PIP_AUDIT, "--requirement", str(ROOT / lock)],
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise Unreachable(f"no answer within {SECONDS} s") from None
    if not done.stdout.strip():
        said = done.stderr.strip() or "nothing"
        if any(sign.lower() in said.lower() for sign in OFFLINE):
            raise Unreachable("the service does not answer")
        sys.exit(f"pip-audit failed on {lock}:\n{said}")
    libraries = json.loads(done.stdout)["dependencies"]
    if all("skip_reason" in library for library in libraries):
        raise Unreachable("the service knows none of the libraries")
    for library in libraries:
        if "skip_reason" in library:
            print(f"{lock}: {library['skip_reason']}")
    return set(_vulnerabilities(libraries))


def _vulnerabilities(libraries: Iterable[Mapping[str, Any]]) -> Iterator[Vulnerability]:
    for library in libraries:
        for found in library.get("vulns", ()):
            ids = frozenset([found["id"], *found["aliases"]])
            yield Vulnerability(library["name"], library["version"], ids, tuple(found["fix_versions"]))


def objections(found: Iterable[Vulnerability], accepted: Iterable[Accepted], today: date) -> Iterator[str]:
    """Say what is wrong with what was found, and with what is accepted, by a line each."""
    by_id = {one.id: one for one in accepted}
    unused = set(by_id)
    for vulnerability in sorted(found, key=str):
        ids = vulnerability.ids & by_id.keys()
        unused -= ids
        if not ids:
            yield str(vulnerability)
        elif all(by_id[one].until < today for one in ids):
            yield f"{vulnerability}; it was accepted until {max(by_id[one].until for one in ids)}"
    for one in sorted(unused):
        yield f"pyproject.toml accepts {one}, which nothing has any longer"


def main() -> None:
    """Look at all locks. Ends with 1 if there is something to do."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    entries = project["tool"].get("vulnerabilities", {}).get("accepted", [])
    accepted = [Accepted.read(entry) for entry in entries]
    try:
        found = find(SHIPPED)
        with ThreadPoolExecutor() as pool:
            found.update(*pool.map(find, OTHERS))
    except Unreachable as why:
        print(f"Known vulnerabilities were NOT looked for: {why}")
        return
    objected = list(objections(found, accepted, datetime.now(UTC).date()))
    if objected:
        sys.exit("\n".join(objected))


if __name__ == "__main__":
    main()
