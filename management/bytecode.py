"""Bytecode for Lambda: used without a look at its source, and the same whenever it is made."""

import py_compile
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path


def compile_modules(folder: Path, *, keep_source: bool) -> None:
    """Compile all modules. Bytecode beside its source is trusted without a look at the source's date.

    Args:
        folder: where they are.
        keep_source: whether the bytecode goes beside its source, or into its place.
    """
    sources = sorted(folder.rglob("*.py"))
    names = [source.relative_to(folder).as_posix() for source in sources]
    with ProcessPoolExecutor(initializer=_intern_characters) as pool:
        list(pool.map(_compile_one, sources, names, [keep_source] * len(sources), chunksize=50))


def _intern_characters() -> None:
    """Intern the strings that Python has once, of one character or none.

    Bytecode says of each string whether it is interned. All others are made anew for each module;
    of these it would depend on what else was imported in this process.
    """
    for text in ("", *map(chr, range(256))):
        sys.intern(text)


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
