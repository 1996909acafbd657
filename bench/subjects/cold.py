"""A fresh process, from its first import to its first answers: what a cold start has to do.

    python -I -S -B bench/subjects/cold.py '{"handler": ["app", "app"], "path": [...], "events": [...]}'

It finds the standard library and the folders that it is told of, as on Lambda. Without a handler it is
the floor. It prints milliseconds of CPU time for each step, how many requests the first answer took, and
what had been imported then.
"""

import importlib
import json
import sys
import time

told = json.loads(sys.argv[1])
sys.path[:0] = told["path"]

loaded: list[str] = []
requests: list[str] = []
"""To DynamoDB."""

steps: dict[str, float] = {}
last = time.process_time()


def done(step: str) -> None:
    """Note what a step took."""
    global last  # noqa: PLW0603
    now = time.process_time()
    steps[step] = (now - last) * 1000
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
    requests.append("GetItem")


def function(module: str, name: str) -> None:
    """Call a function of ours."""
    handler = getattr(importlib.import_module(module), name)
    done("import")
    client = importlib.import_module("chalicelib.models.table").dynamodb.client
    done("client")
    client.meta.events.register("request-created.dynamodb", lambda event_name, **_: note(event_name))
    for number, event in enumerate(told["events"]):
        answer = handler(event, None)
        done(("first request", "first page")[number])
        assert answer.get("statusCode", 200) == 200, answer  # noqa: S101
        if number == 0:
            loaded.extend(sys.modules)


def note(event_name: str) -> None:
    """Count a request of the first answer."""
    if not loaded:
        requests.append(event_name)


if told["handler"]:
    function(*told["handler"])
else:
    floor()
print(json.dumps({"steps": steps, "requests": len(requests), "modules": loaded}))
