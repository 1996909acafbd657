"""`manage.py --stage`: which deployment a command is for, in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OAUTH_", "STAGE"))}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        check=False,
        cwd=ROOT,
        env=kept | {"AWS_MAX_ATTEMPTS": "1"} | environment,
        capture_output=True,
        text=True,
    )


def test_help_names_every_group() -> None:
    done = run("--help")
    assert done.returncode == 0
    for group in ("client", "grant", "status", "tables", "template", "user"):
        assert f"  {group} " in done.stdout


def test_an_unknown_stage_is_refused_with_those_there_are() -> None:
    done = run("--stage", "nowhere", "client", "list")
    assert done.returncode == 2
    assert "there is no stage 'nowhere'" in done.stderr
    assert "local, dev, prod" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bad_setting_is_told_in_a_sentence() -> None:
    done = run("client", "list", OAUTH_ISSUER="nonsense")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: OAUTH_ISSUER: expected a URL")


def test_a_stage_brings_its_own_tables() -> None:
    done = run("--stage", "dev", "template", "resources", AWS_DEFAULT_REGION="us-east-1")
    assert done.returncode == 0, done.stderr
    resources = json.loads(done.stdout)["Resources"]
    assert resources["GrantsTable"]["Properties"]["TableName"] == "oauth-dev-grants"


def test_an_engine_that_does_not_run_is_told_in_a_sentence() -> None:
    done = run("client", "list", AWS_ENDPOINT_URL_DYNAMODB="http://127.0.0.1:9")
    assert done.returncode == 1
    assert "Is `make run` running?" in done.stderr
    assert "Traceback" not in done.stderr
