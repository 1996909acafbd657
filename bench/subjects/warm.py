"""A function that answers many requests: how much memory it has after each so many.

    python -I -S -B bench/subjects/warm.py '{"kind": "api", "path": [...], "events": [...], "looks": [9]}'

It finds the standard library and the folders that it is told of, as on Lambda. Events take turns;
`rare` comes once in a hundred.
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
    module, name = HANDLERS[told["kind"]]
    handler = getattr(importlib.import_module(module), name)
    looks, spent, spent_rarely = {}, 0.0, 0.0
    for number in range(1, max(told["looks"]) + 1):
        is_rare = told["rare"] and number % RARE == 0
        event = told["rare"] if is_rare else told["events"][number % len(told["events"])]
        started = time.process_time()
        answer = handler(event, None)
        if is_rare:
            spent_rarely += time.process_time() - started
        else:
            spent += time.process_time() - started
        if answer.get("statusCode", 200) not in (200, 303):
            raise SystemExit(answer)
        if number in told["looks"]:
            looks[number] = memory()
    most = max(told["looks"])
    told_back = {
        "looks": looks,
        "milliseconds": spent * 1000 / most,
        "rare_milliseconds": spent_rarely * 1000 / (most // RARE),
    }
    sys.stdout.write(json.dumps(told_back))


if __name__ == "__main__":
    main()
