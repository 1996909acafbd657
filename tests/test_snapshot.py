"""What functions have in common that start from one snapshot of a process (Lambda SnapStart): no chance."""

import json
import os
import time
from collections.abc import Callable
from unittest import mock

from tests.faults import first_attempt_is_refused, refusal
from tests.harness import Deployment


def from_the_snapshot(answer: Callable[[], list[str]]) -> list[str]:
    """Return what a copy of this process answers, as it is now."""
    reading, writing = os.pipe()
    copy = os.fork()
    if copy == 0:
        try:
            os.write(writing, json.dumps(answer()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        answered: list[str] = json.load(told)
    os.waitpid(copy, 0)
    return answered


def test_functions_that_start_from_one_snapshot_draw_other_secrets_and_pauses(
    deployment: Deployment,
) -> None:
    deployment.add_account()
    app = deployment.add_app(grant_types=("authorization_code", "refresh_token", "client_credentials"))

    def answer() -> list[str]:
        browser = deployment.signed_in_browser()
        code = deployment.code(app, browser)
        tokens = app.exchange(code).json
        own = app.token(grant_type="client_credentials").json["access_token"]
        conflict = refusal(400, "TransactionConflictException")
        with first_attempt_is_refused(conflict, "PutItem"), mock.patch.object(time, "sleep") as sleep:
            app.token(grant_type="client_credentials")
        (pause,) = sleep.call_args.args
        told = [code, tokens["access_token"], tokens["refresh_token"], own, str(pause)]
        return told + list(browser.cookies.values())

    first, second = from_the_snapshot(answer), from_the_snapshot(answer)
    assert len(first) == len(second) > 5
    assert not set(first) & set(second)
