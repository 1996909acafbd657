"""What tests have to say at the end of a run, whichever process they ran in."""

import pytest

lines = pytest.StashKey[list[str]]()


def say(config: pytest.Config, line: str) -> None:
    """Have a line printed at the end; once, however often it is said."""
    said = config.stash.setdefault(lines, [])
    if line not in said:
        said.append(line)


def said(config: pytest.Config) -> list[str]:
    """Return what there is to print."""
    return config.stash.get(lines, [])
