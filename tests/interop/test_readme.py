"""The README's lines of curl, run as they stand there."""

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.interop.processes import ROOT
from tests.interop.server import Server

README = Path(ROOT) / "README.md"


def test_the_flow_in_six_lines_of_curl_works(server: Server) -> None:
    server.manage("user", "add", "demo@example.org", "--password-stdin", text="demo-password")
    block = re.search(r"```sh\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert block
    assert len(re.findall(r"\bcurl -s", block[1])) == 6
    script = block[1].replace(".venv/bin/python", sys.executable).replace("http://127.0.0.1:8000", server.url)
    done = subprocess.run(
        ["bash", "-euc", script],
        cwd=ROOT,
        env=server.environment,
        text=True,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert json.loads(done.stdout)["user"]["email"] == "demo@example.org", done
