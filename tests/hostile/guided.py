"""One parser under libFuzzer. `coverage` runs this, in a process that has Atheris.

python -m tests.hostile.guided PARSER CORPUS [OPTIONS OF LIBFUZZER]
"""

import sys
from hashlib import sha256
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["chalicelib"]):
    from tests.hostile.parsers import PARSERS
    from tests.hostile.world import world


def main(name: str, corpus: str, *options: str) -> None:
    """Fuzz until libFuzzer has had enough, which ends the process."""
    with world() as deployment:
        parser = PARSERS[name]
        for text in parser.seeds(deployment):
            (Path(corpus) / sha256(text.encode()).hexdigest()[:16]).write_bytes(text.encode())
        atheris.Setup(["guided", corpus, *options], lambda data: parser(deployment, data))
        atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
