"""Fuzzing guided by the lines that an input reaches, with Atheris, which is libFuzzer for Python.

Atheris is installed for itself in `build`, when it is needed first: it is 35 MB, no other test wants it,
and there are machines for which it has no wheel. It runs in our own environment all the same.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.hostile.runs import REPLAY
from tests.interop.processes import ROOT, alone

REQUIREMENT = "atheris==3.0.0"
LIBRARY = ROOT / "build" / "atheris"
FUZZ = ROOT / "build" / "fuzz"
LONGEST_INPUT = 8192
"""Bytes."""
MOST_SECONDS = 5
"""For one input: libFuzzer's last resort, for what hangs. `parsers` itself is stricter."""

_RUNS = re.compile(r"^#(\d+)\s", re.MULTILINE)
_COVERAGE = re.compile(r"cov: (\d+) ft: \d+ corp: (\d+)/")
_ARTIFACT = re.compile(r"Test unit written to (\S+)")


class NoAtheris(Exception):
    """There is none for this machine; the message is pip's."""


@dataclass(frozen=True)
class Outcome:
    """What came of fuzzing a parser."""

    parser: str
    seed: int
    inputs: int
    edges: int
    corpus: int
    failure: str = ""
    """What was raised, and how to see it again."""

    def summary(self) -> str:
        """Return it in a line, and more if it failed."""
        line = (
            f"{self.parser}, seed {self.seed}: {self.inputs} inputs,"
            f" {self.edges} edges reached by {self.corpus} of them"
        )
        return f"{line}\n{self.failure}" if self.failure else line


def install() -> Path:
    """Return the folder that Atheris is in.

    Raises:
        NoAtheris: it cannot be installed here.
    """
    installed = LIBRARY / "installed.txt"
    with alone(LIBRARY.with_suffix(".lock")):
        if installed.exists() and installed.read_text() == REQUIREMENT:
            return LIBRARY
        shutil.rmtree(LIBRARY, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary=:all:"]
        done = subprocess.run(
            [*pip, "--target", LIBRARY, REQUIREMENT], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise NoAtheris(done.stderr.strip().rpartition("\n")[2])
        installed.write_text(REQUIREMENT)
    return LIBRARY


def fuzz(library: Path, parser: str, inputs: int, seed: int) -> Outcome:
    """Have a parser read so many inputs, or fewer if one fails.

    Args:
        library: where Atheris is.
        parser: by its name in `parsers`.
        inputs: how many.
        seed: of libFuzzer. 0 would have it draw one.
    """
    folder = FUZZ / parser
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    options = {
        "runs": inputs,
        "seed": seed % (1 << 31) + 1,
        "max_len": LONGEST_INPUT,
        "timeout": MOST_SECONDS,
        "artifact_prefix": f"{folder}/",
    }
    done = subprocess.run(
        [
            *(sys.executable, "-W", "ignore", "-m", "tests.hostile.guided", parser, corpus),
            *(f"-{name}={value}" for name, value in options.items()),
        ],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(library)},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    output = done.stdout + done.stderr
    read = [int(number) for number in _RUNS.findall(output)]
    reached = [(int(edges), int(size)) for edges, size in _COVERAGE.findall(output)]
    failure = _failure(parser, output) if done.returncode else ""
    return Outcome(parser, seed, max(read, default=0), *max(reached, default=(0, 0)), failure)


def _failure(parser: str, output: str) -> str:
    """Return what libFuzzer told of a failure, and how to see it again."""
    artifact = _ARTIFACT.search(output)
    file = artifact[1] if artifact else "?"
    return f"{output[-3000:]}\n    {REPLAY} --parser {parser} {file}"
