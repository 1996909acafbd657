"""The template is one that CloudFormation would take, as far as cfn-lint knows."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.infrastructure.conftest import Packaged

DOMAIN = {
    "domain_name": "auth.example.org",
    "certificate_arn": "arn:aws:acm:us-east-1:123456789012:certificate/0",
}

STAGES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "with everything": {
        "xray": True,
        "log_retention_in_days": 90,
        "lambda_architecture": "arm64",
        "api_gateway_custom_domain": DOMAIN,
        "deployment": {
            "alarm_email": "ops@example.org",
            "hosted_zone_id": "Z0123456789",
            "event_bus": "platform",
            "provisioned_concurrency": {"api_handler": 2, "bearer": 1},
            "throttle": {"*": {"rate": 10, "burst": 20}},
        },
    },
}


@pytest.mark.parametrize("entries", STAGES.values(), ids=STAGES)
def test_cfn_lint_has_nothing_to_say(packaged: Packaged, tmp_path: Path, entries: dict[str, Any]) -> None:
    path = tmp_path / "template.json"
    path.write_text(json.dumps(packaged("prod", **entries)))
    (tmp_path / "deployment.zip").touch()
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--template", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
