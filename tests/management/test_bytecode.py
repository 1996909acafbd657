"""Bytecode is the same whatever else the process that makes it has seen."""

import sys
from pathlib import Path

import pytest

from management.bytecode import compile_modules


def compiled(folder: Path, source: str) -> bytes:
    (folder / "module.py").write_text(source)
    compile_modules(folder, keep_source=False)
    return (folder / "module.pyc").read_bytes()


@pytest.mark.parametrize("number", [0x81, 0x9D, 0xF7])
def test_the_same_source_makes_the_same_bytecode(number: int, tmp_path: Path) -> None:
    """Nobody here knows these characters yet, nor the names that are put together from parts."""
    name = f"rare_{number}"
    source = f"""
CONSTANT = ({chr(number)!r}, '{name} ', '{name}')

def {name}(argument):
    return argument.{name}_a
"""
    first = compiled(tmp_path, source)
    known_now = [sys.intern(chr(number)), sys.intern(name), sys.intern(f"{name} "), sys.intern(f"{name}_a")]
    assert compiled(tmp_path, source) == first, known_now
