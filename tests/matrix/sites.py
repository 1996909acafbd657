"""Finds, by reading, each place in chalicelib that asks something of DynamoDB."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from tests.matrix.injection import ROOT

MODELS = "chalicelib.models"

OF_A_ROW = {
    "save",
    "write",
    "overwrite",
    "write_in",
    "delete_in",
    "update_if",
    "is_stored",
    "condition_check",
}
"""What only rows and transactions can do."""
OF_MANY = {"delete", "update", "refresh"}
"""What other things can do as well, but no row is asked to by another name than that of a local variable."""
OF_A_TABLE = {
    *("find", "get", "query", "scan", "count", "batch_get", "batch_write", "exists"),
    *("of", "revoke", "use", "spend", "find_all", "delete", "update", "save", "write", "overwrite"),
}
"""What a model is asked by its name."""

NOT_ROWS = {"people", "globals", "filters"}
"""Names of sets and dictionaries that are updated."""

THE_MODELS_OWN = "chalicelib/models/table.py"
"""By which all others ask. Its requests are those of who calls it."""


@dataclass(frozen=True, order=True)
class Site:
    """A call."""

    file: str
    line: int
    last_line: int
    text: str
    function: str
    """That it is in."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.text}"


def all_sites() -> list[Site]:
    """Return the places, in order."""
    files = sorted(Path(ROOT, "chalicelib").rglob("*.py"))
    return sorted(site for file in files for site in _sites_of(file) if site.file != THE_MODELS_OWN)


def _sites_of(file: Path) -> Iterator[Site]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    modules, models = set(), {"cls"} if "/models/" in str(file) else set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {alias.asname or alias.name for alias in node.names}
            if (node.module or "").startswith(MODELS + "."):
                models |= names
            else:
                modules |= {name for name in names if name.islower()}
        elif isinstance(node, ast.ClassDef) and "/models/" in str(file):
            models.add(node.name)
    name = str(file).removeprefix(ROOT)
    lazy = {function.name for function in ast.walk(tree) if _is_lazy(function, modules, models)}
    for function, node in _calls(tree, ""):
        if _asks(node.func, modules, models) or (isinstance(node.func, ast.Name) and node.func.id in lazy):
            last_line = node.end_lineno or node.lineno
            yield Site(name, node.lineno, last_line, ast.unparse(node.func)[:60], function)


def _is_lazy(node: ast.AST, modules: set[str], models: set[str]) -> TypeGuard[ast.FunctionDef]:
    """Tell whether a function returns a query, which asks when its first row is asked for."""
    return isinstance(node, ast.FunctionDef) and any(
        isinstance(last, ast.Return)
        and isinstance(last.value, ast.Call)
        and _asks(last.value.func, modules, models)
        and ast.unparse(last.value.func).endswith("query")
        for last in node.body
    )


def _calls(node: ast.AST, function: str) -> Iterator[tuple[str, ast.Call]]:
    """Yield all calls, with the qualified name of the function that each is in."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            yield function, child
        inside = function
        if isinstance(child, ast.FunctionDef | ast.ClassDef):
            inside = f"{function}.{child.name}".lstrip(".")
        yield from _calls(child, inside)


def _asks(function: ast.expr, modules: set[str], models: set[str]) -> bool:
    if isinstance(function, ast.Name):
        return function.id == "Transaction"
    if not isinstance(function, ast.Attribute):
        return False
    owner = function.value
    root = owner
    while isinstance(root, ast.Attribute | ast.Call):
        root = root.func if isinstance(root, ast.Call) else root.value
    name = root.id if isinstance(root, ast.Name) else ""
    if name in models and function.attr in OF_A_TABLE | OF_A_ROW:
        return not isinstance(owner, ast.Attribute) or owner.attr.startswith("by_")
    if name in modules:
        return False
    if function.attr in OF_A_ROW:
        return True
    return function.attr in OF_MANY and isinstance(owner, ast.Name) and name not in NOT_ROWS
