"""A fresh process, from its first import to its first answers: what a cold start has to do.

    python -I -S -B bench/subjects/cold.py '{"kind": "api", "path": ["/var/task"], "events": [...]}'

It finds the standard library and the folders that it is told of, as on Lambda. It prints, for each
step, milliseconds of CPU time and of time.
"""

import importlib
import json
import sys
import time

HANDLERS = {
    "api": ("app", "app"),
    "bearer": ("chalicelib.authorizer.bearer", "bearer"),
    "authorizer": ("chalicelib.authorizer.gateway", "authorizer"),
}
"""The modules and the functions that Lambda calls."""

told = json.loads(sys.argv[1])
sys.path[:0] = told["path"]

loaded: list[str] = []
"""What had been imported at the first answer."""

steps: dict[str, tuple[float, float]] = {}
last = time.process_time(), time.perf_counter()


def done(step: str) -> None:
    """Note what a step took."""
    global last  # noqa: PLW0603
    now = time.process_time(), time.perf_counter()
    steps[step] = (now[0] - last[0]) * 1000, (now[1] - last[1]) * 1000
    last = now


def floor() -> None:
    """Read one row by pynamodb, and do nothing else."""
    from pynamodb.attributes import UnicodeAttribute
    from pynamodb.models import Model

    class Grant(Model):
        class Meta:
            table_name = "oauth-bench-grants"
            region = "us-east-1"

        grant_id = UnicodeAttribute(hash_key=True)

    done("import")
    Grant._get_connection().connection.client  # noqa: B018
    done("client")
    Grant.get(told["events"][0])
    done("first request")
    loaded.extend(sys.modules)


def function(kind: str) -> None:
    """Call a function of ours."""
    module, name = HANDLERS[kind]
    handler = getattr(importlib.import_module(module), name)
    done("import")
    importlib.import_module("chalicelib.models.table").dynamodb.client  # noqa: B018
    done("client")
    for number, event in enumerate(told["events"]):
        answer = handler(event, None)
        done(("first request", "first page")[number])
        assert answer.get("statusCode", 200) == 200, answer  # noqa: S101
        if number == 0:
            loaded.extend(sys.modules)


if told["kind"] == "floor":
    floor()
else:
    function(told["kind"])
print(json.dumps({"steps": steps, "modules": loaded}))
