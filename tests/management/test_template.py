"""`manage.py template scope-rules`: the rules of an API, as its stage variable."""

import json
from pathlib import Path

import pytest

from chalicelib.scope_rules import from_stage_variable
from tests.management.conftest import CommandLine

RULES = {"GET /maps/*": "read", "* /maps/*": "write", "GET /health": ""}


def test_rules_are_printed_as_a_stage_variable(manager: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    file.write_text(json.dumps(RULES, indent=2))
    for printed in (
        manager.text("template", "scope-rules", str(file)),
        manager.text("template", "scope-rules", "-", typed=json.dumps(RULES)),
    ):
        assert len(from_stage_variable(printed.strip()).rules) == 3


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"{", "rules.json: not JSON"),
        (b'{"GET maps": "read"}', "rules.json: 'GET maps': a path starts with /"),
        (b'{"GET /maps": "raed"}', "rules.json: 'GET /maps': OAUTH_SCOPES does not describe raed"),
        (b'{"GET /maps\xff": "read"}', "rules.json: not UTF-8"),
        (json.dumps({f"GET /{'x' * 90}{n}": "read" for n in range(5)}).encode(), "512 at most"),
    ],
)
def test_bad_rules_are_named(manager: CommandLine, tmp_path: Path, content: bytes, complaint: str) -> None:
    file = tmp_path / "rules.json"
    file.write_bytes(content)
    assert complaint in manager.refused("template", "scope-rules", str(file))
