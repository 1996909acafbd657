"""A function that answers many requests: how much memory it has after each so many, and what each takes.

    python -I -S -B bench/subjects/warm.py '{"handler": ["app", "app"], "path": [...], "events": {...},
        "rare": null, "looks": [9]}'

It finds the standard library and the folders that it is told of, as on Lambda. Events, by name, take
turns; the one that is called `rare` comes once in a hundred. It prints, for each, the median of
milliseconds of CPU time, and how many requests to DynamoDB one takes on average.
"""

import importlib
import json
import sys
import time

RARE = 100


def memory() -> tuple[int, int]:
    """Return the resident set now and at its peak, in bytes."""
    with open("/proc/self/status") as status:
        found = dict(line.split(":", 1) for line in status)
    return int(found["VmRSS"].split()[0]) * 1024, int(found["VmHWM"].split()[0]) * 1024


def main() -> None:
    """Answer as many requests as there are to be looks at."""
    told = json.loads(sys.argv[1])
    sys.path[:0] = told["path"]
    module, name = told["handler"]
    handler = getattr(importlib.import_module(module), name)
    client = importlib.import_module("chalicelib.models.table").dynamodb.client
    asked: list[str] = []
    client.meta.events.register("request-created.dynamodb", lambda event_name, **_: asked.append(event_name))
    common = [kind for kind in told["events"] if kind != told["rare"]]
    spent: dict[str, list[float]] = {kind: [] for kind in told["events"]}
    requests: dict[str, list[int]] = {kind: [] for kind in told["events"]}
    looks = {}
    for number in range(1, max(told["looks"]) + 1):
        kind = told["rare"] if told["rare"] and number % RARE == 0 else common[number % len(common)]
        asked.clear()
        started = time.process_time()
        answer = handler(told["events"][kind], None)
        spent[kind].append((time.process_time() - started) * 1000)
        requests[kind].append(len(asked))
        if answer.get("statusCode", 200) not in (200, 303):
            raise SystemExit(answer)
        if number in told["looks"]:
            looks[number] = memory()
    took = {
        kind: {"cpu": sorted(spent[kind])[len(spent[kind]) // 2], "requests": sum(asked_for) / len(asked_for)}
        for kind, asked_for in requests.items()
    }
    sys.stdout.write(json.dumps({"looks": looks, "took": took}))


if __name__ == "__main__":
    main()
