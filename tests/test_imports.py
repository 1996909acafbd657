"""What imports what: arrows point one way, and the hot path imports little."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

TELLING = ("journal", "logs", "catalogue")
"""What tells what happens: beside everything but the models, which only the log is beneath."""

ALLOWED = {
    "scope_rules": set[str](),
    "settings": {"scope_rules"},
    "clock": set[str](),
    "deadline": set[str](),
    "catalogue": set[str](),
    "logs": {"catalogue", "clock"},
    "models": {"models", "logs", "catalogue", "settings", "clock", "deadline"},
    "journal": {"models", "logs", "catalogue"},
    "oauth": {"oauth", "models", "settings", "scope_rules", "clock", "deadline", *TELLING},
    "accounts": {"accounts", "oauth", "models", "settings", "clock", "deadline", *TELLING},
    "authorizer": {"authorizer", "oauth", "models", "settings", "scope_rules", "clock", "deadline", *TELLING},
    "endpoints": {"endpoints", "authorizer", "oauth", "models", "settings", "deadline", *TELLING},
    "events": {"events"},
    "pages": {"pages", "endpoints", "accounts", "oauth", "models", "settings", "clock", *TELLING},
}
"""Which part of chalicelib may import which others."""

MODULES = sorted((ROOT / "chalicelib").rglob("*.py"))


def imports_of(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def part_of(path: Path) -> str:
    return path.relative_to(ROOT / "chalicelib").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_arrows_point_one_way(path: Path) -> None:
    part = part_of(path)
    if part == "__init__":
        return
    ours = {name.split(".")[1] for name in imports_of(path) if name.startswith("chalicelib.")}
    assert ours <= ALLOWED[part]


@pytest.mark.parametrize("part", ["models", "oauth", "accounts"])
def test_the_protocol_knows_no_chalice(part: str) -> None:
    for path in MODULES:
        if part_of(path) == part:
            assert not any(name.split(".")[0] == "chalice" for name in imports_of(path)), path


def loaded_by(module: str) -> set[str]:
    """Return the modules that a fresh Python has loaded after importing one."""
    program = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["bearer", "gateway"])
def test_an_authorizer_imports_no_more_than_it_needs(module: str) -> None:
    loaded = loaded_by(f"chalicelib.authorizer.{module}")
    for heavy in (
        "jinja2",
        "argon2",
        "click",
        "joserfc",
        "cryptography",
        "authlib",
        "requests",
        "boto3",
        "app",
    ):
        assert heavy not in loaded, heavy
    ours = {name for name in loaded if name.startswith("chalicelib.")}
    assert not any(name.startswith(("chalicelib.pages", "chalicelib.accounts")) for name in ours)
    assert len(ours) < 25


def test_the_authorizer_of_any_api_imports_no_more_than_our_own() -> None:
    more = loaded_by("chalicelib.authorizer.gateway") - loaded_by("chalicelib.authorizer.bearer")
    assert more == {"chalicelib.authorizer.gateway"}


def test_what_only_some_requests_need_is_not_imported_at_the_start() -> None:
    loaded = loaded_by("app")
    late = ("jinja2", "joserfc", "cryptography", "authlib", "requests", "bcrypt", "click", "boto3")
    for module in late:
        assert module not in loaded, module
