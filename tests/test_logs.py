"""The lines of the log: valid JSON whatever is in them, short, and readable by CloudWatch."""

import json
import logging
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from chalicelib import catalogue, logs
from chalicelib.authorizer.decision import Unauthorized
from chalicelib.catalogue import UNEXPECTED, UPSTREAM_FAILED
from chalicelib.journal import tell, tell_failure
from chalicelib.models.grant import Grant
from chalicelib.settings import settings
from tests.conftest import Log, Time
from tests.faults import FAULTS, first_attempt_is_refused, meanwhile, refusal, storage_fails
from tests.harness import App, Deployment, authorize, event, is_alive, send

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    "value",
    [
        'x\n{"event": "token.issued"}',
        "x\r\nSTART RequestId: 1",
        "\x1b[2J\x07\x00",
        "\u2028\u2029\u202e",
        "\ud800 and \udfff",
        '", "level": "INFO',
    ],
)
def test_nothing_breaks_out_of_its_line(log: Log, value: str) -> None:
    tell(UPSTREAM_FAILED, reason=value)
    (line,) = log.read().splitlines()
    assert line.isascii()
    assert line.isprintable()
    told = json.loads(line)
    assert told["event"] == "upstream.failed"
    assert told["reason"] == value.encode("utf-8", "replace").decode()


def test_a_field_is_no_longer_than_it_has_to_be(log: Log) -> None:
    tell(UPSTREAM_FAILED, reason="x" * 1_000_000)
    assert log.event("upstream.failed")["reason"] == "x" * logs.LONGEST + "..."
    tell(catalogue.GRANTS_REVOKED, grant_ids=["x" * 8] * 1000, count=1000)
    assert len(log.event("grants.revoked")["grant_ids"]) == logs.LONGEST_LIST


def test_what_clients_send_is_not_in_the_log_as_it_came(deployment: Deployment, log: Log) -> None:
    evil = 'evil\n{"event": "forged"}' + "x" * 10_000
    sent = event("POST", "/oauth2/token", query={"a": evil}, headers={"Authorization": evil}, body=evil)
    sent["requestContext"]["identity"]["sourceIp"] = evil
    sent["requestContext"]["requestId"] = evil
    assert send(sent).status == 400
    App(evil, evil).token(grant_type=evil, code=evil)
    assert not log.events("forged")
    assert all(len(line) < 3000 for line in log.text.splitlines())


def test_an_exception_is_told_without_what_it_says_or_sees(log: Log) -> None:
    def fail(secret: str) -> None:
        try:
            int(secret)
        except ValueError as error:
            raise KeyError(secret) from error

    try:
        fail("hunter2")
    except KeyError as error:
        tell_failure(UNEXPECTED, error)
    told = log.event("error.unexpected")
    assert told["exception"] == "builtins.KeyError from builtins.ValueError"
    assert [place.partition(" ")[2] for place in told["traceback"]] == [
        "test_an_exception_is_told_without_what_it_says_or_sees",
        "fail",
    ]
    assert "hunter2" not in log.text
    assert "opensesame" not in log.text


def test_failing_storage_is_told_with_dynamodbs_code(deployment: Deployment, log: Log) -> None:
    app = deployment.add_app()
    with storage_fails(FAULTS["no permission"]):
        assert app.token(grant_type="client_credentials").status == 503
    told = log.event("storage.failed")
    assert told["code"] == "AccessDeniedException"
    assert told["request_id"] == "test"


def test_every_throttled_attempt_is_told_though_the_next_one_succeeds(
    deployment: Deployment, log: Log
) -> None:
    app = deployment.add_app(grant_types=("client_credentials",))
    with first_attempt_is_refused(refusal(400, "ProvisionedThroughputExceededException"), "PutItem"):
        assert app.token(grant_type="client_credentials").status == 200
    told = log.event("dynamodb.throttled")
    assert (told["operation"], told["code"]) == ("PutItem", "ProvisionedThroughputExceededException")
    assert log.event("request")["dynamodb_requests"] == 3  # The client, and the grant twice.


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/sign-in", 200),
        ("PUT", "/sign-in", 405),
        ("POST", "/sign-in", 415),
        ("GET", "/api/me", 500),  # Its authorizer was not asked, which cannot be.
    ],
)
def test_each_request_ends_with_a_line_whoever_answers_it(
    deployment: Deployment, log: Log, method: str, path: str, status: int
) -> None:
    assert send(event(method, path)).status == status
    told = log.events()[-1]
    assert told["event"] == "request"
    assert (told["endpoint"], told["status"]) == (f"{method} {path}", status)
    assert told["duration_ms"] >= 0
    assert told["group"] == (path if path.startswith("/oauth2/") else "other")


def test_an_endpoint_is_its_route_and_not_what_was_in_the_url(deployment: Deployment, log: Log) -> None:
    send(event("GET", "/applications/canary", query={"query": "canary"}))
    assert log.event("request")["endpoint"] == "GET /applications/{client_id}"
    assert "canary" not in log.text


def test_all_events_of_a_request_have_its_id(deployment: Deployment, log: Log) -> None:
    deployment.add_account()
    app = deployment.add_app()
    deployment.tokens(app)
    names = {told["event"] for told in log.events() if told.get("request_id") == "test"}
    assert names == {"request", "sign_in.succeeded", "consent.given", "token.issued"}


def test_events_after_a_request_are_not_its_own(deployment: Deployment, log: Log) -> None:
    send(event("GET", "/sign-in"))
    tell(UPSTREAM_FAILED, reason="later")
    assert "request_id" not in log.event("upstream.failed")


@pytest.mark.parametrize(
    ("reason", "spoil"),
    [
        ("no_token", lambda token: None),
        ("malformed", lambda token: token + "x"),
        ("unknown", lambda token: token[:4] + "00000000" + token[12:]),
        ("unknown", lambda token: token[:-4] + "0000"),
    ],
)
def test_the_authorizer_tells_the_log_alone_why(
    deployment: Deployment, log: Log, reason: str, spoil: Any
) -> None:
    deployment.add_account()
    token = deployment.tokens(deployment.add_app())["access_token"]
    with pytest.raises(Unauthorized) as refused:
        authorize(spoil(token))
    assert str(refused.value) == "Unauthorized"
    told = log.event("authorizer.refused")
    assert (told["reason"], told["decision"]) == (reason, "refused")


def test_the_log_tells_a_token_that_is_over_from_one_that_was_taken_back(
    deployment: Deployment, time: Time, log: Log
) -> None:
    deployment.add_account()
    app = deployment.add_app()
    browser = deployment.signed_in_browser()
    revoked, expired = (deployment.tokens(app, browser)["access_token"] for _ in range(2))
    Grant.revoke(revoked[4:12], time.now, "for the test")
    assert not is_alive(revoked)
    time.passes(settings.access_token_lifetime)
    assert not is_alive(expired)
    refused = log.events("authorizer.refused")
    assert [(told["reason"], told["client_id"]) for told in refused] == [
        ("revoked", app.client_id),
        ("expired", app.client_id),
    ]


def test_a_step_that_another_request_overtook_is_told_once(deployment: Deployment, log: Log) -> None:
    deployment.add_account()
    app = deployment.add_app()
    code = deployment.code(app)
    with meanwhile("PutItem", lambda: app.exchange(code)):
        assert app.exchange(code).json["error"] == "invalid_grant"
    assert len(log.events("token.issued")) == len(log.events("code.replayed")) == 1


def test_a_library_that_warns_is_told_in_the_same_form(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    logs.take_over()
    try:
        raise ValueError("hunter2")
    except ValueError:
        logging.getLogger("urllib3").exception("gave\nup: %s", "opensesame")
    logging.captureWarnings(False)
    told = log.event("library")
    assert (told["level"], told["logger"], told["message"]) == ("ERROR", "urllib3", "gave\nup: %s")
    assert told["exception"] == "builtins.ValueError"
    assert "hunter2" not in log.text


def test_what_a_library_cannot_say_is_no_error_of_ours(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [logs.LibraryHandler()])
    logging.getLogger("urllib3").warning("%d retries of %s", "no number")  # noqa: PLE1206
    logging.getLogger("urllib3").warning(ValueError("hunter2"))
    assert [line["message"] for line in log.events("library")] == ["%d retries of %s", "ValueError"]


def test_in_lambda_its_own_handler_says_nothing_besides() -> None:
    """Lambda puts a handler of its own there before it imports ours."""
    program = """
import logging
logging.getLogger().addHandler(logging.StreamHandler())
import app
app.app.log.error("oops")
logging.getLogger("botocore").warning("careful")
"""
    environment = {"AWS_LAMBDA_FUNCTION_NAME": "oauth-test", "AWS_REGION": "us-east-1"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["logger"], line["message"]) for line in lines] == [
        ("oauth", "oops"),
        ("botocore", "careful"),
    ]
    # CloudWatch has it.
    assert not any("time" in line for line in lines)


def test_who_was_refused_is_found_by_the_request_id_that_they_were_told(
    deployment: Deployment, log: Log
) -> None:
    app = deployment.add_app(grant_types=("client_credentials",))
    app.token(grant_type="client_credentials", client_secret="wrong")
    app.token(grant_type="client_credentials")
    refused, answered = log.events("request")
    assert refused["gateway_request_id"] == "test"
    assert "gateway_request_id" not in answered
