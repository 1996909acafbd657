"""`manage.py doctor`: what it finds in a stage that is well, and in stages that are not."""

import json
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import requests
from click.testing import Result

from chalicelib.accounts import accounts
from chalicelib.oauth import registration
from management.examination import CHECKS
from management.guests import Guests
from tests.faults import FAULTS, storage_fails
from tests.harness import HOST, PASSWORD, Deployment
from tests.management.conftest import CommandLine
from tests.management.gateway import Gateway, Reply, Spoiler

NAMES = [check.name for check in CHECKS]


@pytest.fixture(params=["", "/prod"], ids=["custom domain", "stage"])
def any_gateway(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    return _installed(Gateway(request.param), monkeypatch)


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Gateway:
    return _installed(Gateway(), monkeypatch)


def _installed(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """Put a gateway in the place of the network."""
    monkeypatch.setattr(requests.Session, "get_adapter", lambda *_, **__: gateway)
    return gateway


@dataclass
class Doctor:
    """Somebody who examines a stage, and leaves it as it was."""

    manager: CommandLine
    deployment: Deployment
    gateway: Gateway

    def run(self, *options: str, leaving: str = "nothing") -> Result:
        """Run the command, and see to it that it tells no secret and leaves nothing behind.

        Args:
            options: of the command.
            leaving: how the key of a short-lived row starts that cannot be found again.
        """
        before = self.deployment.snapshot()
        result = self.manager.run("doctor", "--url", self.gateway.url, *options)
        after = self.deployment.snapshot()
        after["sessions"] = [row for row in after["sessions"] if not row["key"]["S"].startswith(leaving)]
        assert after == before
        for secret in self.gateway.secrets:
            assert secret not in result.output
        return result

    def results(self, leaving: str = "nothing") -> dict[str, Any]:
        """Return what came of each check."""
        result = self.run("--json", leaving=leaving)
        return {check["check"]: check for check in json.loads(result.stdout)}


@pytest.fixture
def clockwork(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let the waits of the examination pass at once; returns what was waited."""
    waited: list[float] = []
    clock = mock.Mock(sleep=waited.append, monotonic=lambda: sum(waited))
    monkeypatch.setattr("management.examination.time", clock)
    return waited


@pytest.fixture
def doctor(manager: CommandLine, deployment: Deployment, gateway: Gateway, clockwork: list[float]) -> Doctor:
    deployment.add_account()
    return Doctor(manager, deployment, gateway)


# A stage that is well


def test_a_stage_that_is_well_passes_every_check(
    manager: CommandLine, deployment: Deployment, any_gateway: Gateway
) -> None:
    result = Doctor(manager, deployment, any_gateway).run()
    assert result.exit_code == 0, result.output
    *lines, empty, summary = result.stdout.splitlines()
    assert [line.split("  ")[0].strip() for line in lines] == ["ok"] * (len(NAMES) + 1)
    assert all(name in line for name, line in zip([*NAMES, "removal"], lines, strict=True))
    assert (empty, summary) == ("", f"{any_gateway.url}: {len(NAMES) + 1} ok, 0 FAILED, 0 skipped")
    assert any_gateway.secrets


def test_json_is_a_list_of_checks(doctor: Doctor) -> None:
    result = doctor.run("--json")
    assert result.exit_code == 0
    checks = json.loads(result.stdout)
    assert [check["check"] for check in checks] == [*NAMES, "removal"]
    assert {tuple(check) for check in checks} == {("check", "result", "detail", "advice")}


def test_the_issuer_is_examined_unless_a_url_is_given(
    doctor: Doctor, change_setting: Callable[[str, object], None]
) -> None:
    change_setting("issuer", doctor.gateway.url)
    result = doctor.manager.run("doctor")
    assert result.exit_code == 0
    assert f"\n{doctor.gateway.url}: " in result.stdout


def test_a_stage_without_an_issuer_needs_a_url(manager: CommandLine) -> None:
    result = manager.run("--stage", "prod", "doctor")
    assert result.exit_code == 2
    assert "say --url" in result.stderr


@pytest.mark.parametrize(
    "url", ["host", "ftp://host", "https://", "https://host?x=y", "https://u:p@host", "https://host:x", ""]
)
def test_a_url_that_is_none_is_refused(manager: CommandLine, url: str) -> None:
    result = manager.run("doctor", "--url", url)
    assert result.exit_code == 2
    assert "expected http(s)://host/stage" in result.stderr


def test_a_trailing_slash_does_not_matter(doctor: Doctor) -> None:
    assert doctor.manager.run("doctor", "--url", doctor.gateway.url + "/").exit_code == 0


# Waiting for the gateway's cache


def answers_until(waited: list[float], seconds: float) -> Spoiler:
    """Let the gateway go on with a cached answer for so long."""

    def spoil(reply: Reply, count: int) -> None:
        if count > 4 and sum(waited) < seconds:
            reply.status = 200

    return spoil


def test_it_waits_until_the_gateway_has_forgotten_the_token(doctor: Doctor, clockwork: list[float]) -> None:
    doctor.gateway.spoilers["/api/me"] = answers_until(clockwork, 60)
    assert doctor.results()["revoked token at the API"]["detail"] == "401 after 60 s"


def test_it_does_not_wait_for_ever(doctor: Doctor, clockwork: list[float]) -> None:
    doctor.gateway.spoilers["/api/me"] = answers_until(clockwork, 3600)
    assert "still answers 200, 65 s after" in doctor.results()["revoked token at the API"]["detail"]
    assert sum(clockwork) == 65


def test_it_need_not_wait(doctor: Doctor, clockwork: list[float]) -> None:
    doctor.gateway.spoilers["/api/me"] = answers_until(clockwork, 3600)
    result = doctor.run("--no-wait")
    assert result.exit_code == 0
    assert f"{len(NAMES)} ok, 0 FAILED, 1 skipped" in result.stdout
    assert clockwork == []


def test_the_wait_is_counted_down_at_a_terminal(
    doctor: Doctor, clockwork: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr = mock.Mock(isatty=lambda: True)
    monkeypatch.setattr("management.examination.sys", mock.Mock(stderr=stderr))
    doctor.gateway.spoilers["/api/me"] = answers_until(clockwork, 3)
    told = doctor.run().stderr.split("\r")
    assert [text.split()[3] for text in told if "waiting" in text] == ["65", "64", "63"]
    assert told[-2].strip() == ""


# Stages that are not well


def always(change: Callable[[Reply], object]) -> Spoiler:
    def spoil(reply: Reply, _: int) -> None:
        change(reply)

    return spoil


def at(number: int, change: Callable[[Reply], object]) -> Spoiler:
    """Spoil one of the answers at a path."""

    def spoil(reply: Reply, count: int) -> None:
        if count == number:
            change(reply)

    return spoil


def status(number: int) -> Callable[[Reply], object]:
    return lambda reply: setattr(reply, "status", number)


def members(**edited: Any) -> Callable[[Reply], object]:
    return lambda reply: reply.edit(**edited)


def ok(**edited: Any) -> Callable[[Reply], object]:
    """Turn a refusal into a success."""

    def change(reply: Reply) -> None:
        reply.status = 200
        reply.edit(**edited)

    return change


def body(text: str) -> Callable[[Reply], object]:
    return lambda reply: setattr(reply, "body", text)


def header(name: str, value: str = "") -> Callable[[Reply], object]:
    return lambda reply: reply.headers.update({name: value})


def cookie(old: str, new: str = "") -> Callable[[Reply], object]:
    return lambda reply: setattr(reply, "cookies", [each.replace(old, new) for each in reply.cookies])


def location(old: str, new: str) -> Callable[[Reply], object]:
    return lambda reply: reply.headers.update(
        {name: value.replace(old, new) for name, value in reply.headers.items() if name == "location"}
    )


def leads_to(url: str) -> Callable[[Reply], object]:
    def change(reply: Reply) -> None:
        reply.status = 303
        reply.headers["location"] = url

    return change


def raising(error: Exception) -> Callable[[Reply], object]:
    def change(_: Reply) -> None:
        raise error

    return change


SERVER, RESOURCE = "/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource"
PAGE, ME, TOKEN = "/sign-in", "/api/me", "/oauth2/access_token"
INTROSPECT, REVOKE = "/oauth2/introspect", "/oauth2/revoke"
ASK, DECIDE = "/oauth2/authorize/", "/oauth2/authorize"
# At TOKEN: 1 wrong secret, 2 wrong verifier, 3 exchange, 4 refresh, 5 refused refresh, 6 exchange, 7 replay.
# At ME: 1 no token, 2 garbage, 3 the token, 4 the refreshed token, 5 the revoked token.
# At DECIDE: 1 the page after signing in, 2 its form.

BROKEN: list[tuple[str, str, str, Spoiler]] = [
    ("reachable", "answered 404", SERVER, always(status(404))),
    ("reachable", "no JSON object", SERVER, always(body("<html>"))),
    ("reachable", "no JSON object", SERVER, always(body("[]"))),
    ("reachable", "cannot be reached", SERVER, always(raising(requests.ConnectionError()))),
    ("reachable", "no certificate", SERVER, always(raising(requests.exceptions.SSLError()))),
    ("reachable", "did not answer within 30 s", SERVER, always(raising(requests.ReadTimeout()))),
    ("reachable", "no HTTP", SERVER, always(raising(requests.exceptions.InvalidHeader()))),
    ("server metadata", "the issuer is https://other", SERVER, always(members(issuer="https://other"))),
    ("server metadata", "the issuer is None", SERVER, always(members(issuer=None))),
    ("server metadata", "token_endpoint is", SERVER, always(members(token_endpoint="https://other/token"))),
    ("server metadata", "revocation_endpoint is None", SERVER, always(members(revocation_endpoint=None))),
    ("server metadata", "lacks S256", SERVER, always(members(code_challenge_methods_supported=["plain"]))),
    ("server metadata", "lacks code", SERVER, always(members(response_types_supported=7))),
    ("resource metadata", "answered 500", RESOURCE, always(status(500))),
    ("resource metadata", "not this server", RESOURCE, always(members(authorization_servers=["https://x"]))),
    ("resource metadata", "the resource is", RESOURCE, always(members(resource="https://x"))),
    ("sign-in page", "answered 500", PAGE, always(status(500))),
    ("sign-in page", "no page", PAGE, always(header("content-type", "application/json"))),
    ("sign-in page", "frame-ancestors", PAGE, always(header("content-security-policy", "default-src *"))),
    (
        "sign-in page",
        "what is unsafe",
        PAGE,
        always(header("content-security-policy", "frame-ancestors 'none'; style-src 'unsafe-inline'")),
    ),
    ("sign-in page", "X-Frame-Options", PAGE, always(header("x-frame-options"))),
    ("sign-in page", "X-Content-Type-Options", PAGE, always(header("x-content-type-options"))),
    ("sign-in page", "Referrer-Policy", PAGE, always(header("referrer-policy", "unsafe-url"))),
    ("sign-in page", "Cache-Control", PAGE, always(header("cache-control", "public"))),
    ("sign-in page", "Strict-Transport-Security", PAGE, always(header("strict-transport-security"))),
    ("sign-in page", "lacks HttpOnly", PAGE, always(cookie("; HttpOnly"))),
    ("sign-in page", "lacks SameSite=Lax", PAGE, always(cookie("SameSite=Lax", "SameSite=None"))),
    ("sign-in page", "lacks Secure", PAGE, always(cookie("; Secure"))),
    ("sign-in page", "lacks __Host-", PAGE, always(cookie("__Host-"))),
    ("API without a token", "answered 200 without a token", ME, at(1, status(200))),
    ("API without a token", "answered 403", ME, at(1, status(403))),
    ("API without a token", "no WWW-Authenticate", ME, at(1, header("www-authenticate"))),
    ("API with a wrong token", "answered 200 with a token of nobody", ME, at(2, status(200))),
    ("sign-in", "no form for a password", ASK, at(1, body("<p>Elsewhere</p>"))),
    (
        "sign-in",
        "leads elsewhere",
        ASK,
        at(1, body('<form action="//other/"><input name="password"></form>')),
    ),
    ("sign-in", "without end", ASK, always(leads_to(ASK))),
    ("sign-in", "too many failures", PAGE, at(2, status(429))),
    ("sign-in", "asked for no consent", DECIDE, at(1, body("<p>Nothing</p>"))),
    ("consent", "answered 500", DECIDE, at(2, status(500))),
    ("consent", "did not lead back", DECIDE, at(2, leads_to("https://other/"))),
    ("consent", "got access_denied", DECIDE, at(2, location("code=", "error=access_denied&x="))),
    ("consent", "neither code nor error", DECIDE, at(2, location("code=", "x="))),
    ("consent", "state did not come back", DECIDE, at(2, location("state=", "state=x"))),
    ("consent", "iss of the redirect is", DECIDE, at(2, location("iss=", "iss=x"))),
    ("wrong secret", "answered 200 invalid_client, not 401", TOKEN, at(1, ok())),
    ("wrong secret", "invalid_grant, not 401", TOKEN, at(1, members(error="invalid_grant"))),
    ("wrong code verifier", "answered 200 invalid_grant, not 400", TOKEN, at(2, ok())),
    (
        "code exchange",
        "answered 400 server_error",
        TOKEN,
        at(3, lambda reply: (ok(error="server_error")(reply), status(400)(reply))),
    ),
    ("code exchange", "without Cache-Control", TOKEN, at(3, header("cache-control"))),
    ("code exchange", "not both tokens", TOKEN, at(3, members(access_token="oat_short"))),
    ("code exchange", "not both tokens", TOKEN, at(3, members(refresh_token=None))),
    ("code exchange", "token_type or scope", TOKEN, at(3, members(token_type="mac"))),
    ("code exchange", "token_type or scope", TOKEN, at(3, members(scope="read write"))),
    ("API with the token", "answered 401 to a valid token", ME, at(3, status(401))),
    ("API with the token", "answered 500", ME, at(3, status(500))),
    ("API with the token", "told of another user", ME, at(3, members(user={"email": "x@example.org"}))),
    ("API with the token", "told of another client", ME, at(3, members(client=None))),
    ("introspection", "answered 401", INTROSPECT, at(1, status(401))),
    ("introspection", "active is False", INTROSPECT, at(1, members(active=False))),
    ("introspection", "sub is nobody", INTROSPECT, at(1, members(sub="nobody"))),
    ("refresh", "answered 503", TOKEN, at(4, status(503))),
    ("refresh", "answered 403 to a valid token", ME, at(4, status(403))),
    ("revocation", "answered 503", REVOKE, always(status(503))),
    ("revocation", "active still", INTROSPECT, at(2, members(active=True))),
    ("revocation", "answered 200 invalid_grant, not 400", TOKEN, at(5, ok())),
    (
        "revoked token at the API",
        "still answers 200",
        ME,
        lambda reply, count: None if count < 5 else setattr(reply, "status", 200),
    ),
    ("code replay", "did not lead back", ASK, at(2, status(500))),
    ("code replay", "answered 200 invalid_grant, not 400", TOKEN, at(7, ok())),
    ("code replay", "active still", INTROSPECT, at(3, members(active=True))),
]
"""A check, the reason that it gives, and what is broken: where, and how."""


@pytest.mark.parametrize(
    ("check", "reason", "path", "spoiler"), BROKEN, ids=[f"{check}: {reason}" for check, reason, *_ in BROKEN]
)
def test_what_is_broken_is_found_and_named(
    doctor: Doctor, check: str, reason: str, path: str, spoiler: Spoiler
) -> None:
    doctor.gateway.spoilers[path] = spoiler
    results = doctor.results()
    assert next(name for name, result in results.items() if result["result"] == "FAILED") == check
    assert reason in results[check]["detail"]


def test_a_refresh_that_changes_nothing_is_found(doctor: Doctor) -> None:
    first: list[str] = []

    def spoil(reply: Reply, count: int) -> None:
        if count == 3:
            first.append(reply.body)
        if count == 4:
            reply.body = first[0]

    doctor.gateway.spoilers[TOKEN] = spoil
    assert doctor.results()["refresh"]["detail"] == "the tokens are the same as before"


def test_http_is_found_to_be_open_to_everybody(
    doctor: Doctor, change_setting: Callable[[str, object], None]
) -> None:
    doctor.gateway.url = "http://auth.example.org"
    change_setting("issuer", doctor.gateway.url)
    results = doctor.results()
    failed = [name for name, result in results.items() if result["result"] == "FAILED"]
    assert failed == ["encrypted"]


def test_an_account_that_may_not_sign_in_is_told_with_what_may_be_the_matter(doctor: Doctor) -> None:
    def disable(reply: Reply, count: int) -> None:
        if count == 1:
            (address,) = [row["email"]["S"] for row in stored(doctor) if "doctor" in row["email"]["S"]]
            account = accounts.find_by_email(address)
            assert account
            accounts.disable(account)

    doctor.gateway.spoilers[ASK] = disable
    result = doctor.results(leaving="throttle#address#")["sign-in"]  # As any failure to sign in does.
    assert result["detail"] == "the form answered 422 and was shown again"
    assert "Do --stage and --url mean the same?" in result["advice"]


def stored(doctor: Doctor) -> list[Any]:
    return [row for row in doctor.deployment.snapshot()["users"] if "email" in row]


def test_tables_that_cannot_be_reached_are_told(doctor: Doctor) -> None:
    with storage_fails(FAULTS["no table"], "TransactWriteItems"):
        result = doctor.results()["temporary account"]
    assert result["result"] == "FAILED"
    assert "there are no tables oauth-test-*" in result["detail"]


def test_what_cannot_be_removed_is_told(doctor: Doctor) -> None:
    with storage_fails(FAULTS["no permission"], "DeleteItem"):
        result = doctor.manager.run("doctor", "--url", doctor.gateway.url, "--no-wait")
    assert result.exit_code == 1
    (line,) = [line for line in result.stdout.splitlines() if "removal" in line]
    assert "FAILED" in line
    assert "the application " in line
    assert "the account doctor-" in line


def test_every_check_was_seen_to_fail() -> None:
    elsewhere = {"encrypted", "temporary account"}
    assert {check for check, *_ in BROKEN} | elsewhere == set(NAMES)


def test_a_failure_is_told_with_what_to_do_and_what_could_not_be_checked(doctor: Doctor) -> None:
    doctor.gateway.spoilers[DECIDE] = at(2, status(500))
    result = doctor.run()
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    failed = next(number for number, line in enumerate(lines) if line.startswith("FAILED"))
    assert "/oauth2/authorize answered 500" in lines[failed]
    assert lines[failed + 1].strip() == "Look at the log of the function `api_handler`."
    assert lines[failed + 2].split() == ["skipped", "wrong", "secret", "needs:", "consent"]
    assert lines[-1].endswith("10 ok, 1 FAILED, 9 skipped")


def test_what_another_server_sends_cannot_play_tricks_on_the_terminal(doctor: Doctor) -> None:
    doctor.gateway.spoilers[SERVER] = always(members(issuer="\x1b[2J" + "x" * 1000))
    detail = doctor.results()["server metadata"]["detail"]
    assert "\x1b" not in detail
    assert len(detail) < 200


def test_no_password_is_sent_to_another_server(doctor: Doctor) -> None:
    form = '<form action="https://evil.example/"><input name="email"><input name="password"></form>'
    doctor.gateway.spoilers[ASK] = at(1, body(form))
    doctor.run()
    assert not any(len(secret) == 43 for secret in doctor.gateway.secrets)


def test_a_netrc_of_the_operator_authenticates_nobody(
    doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {HOST} login operator password of-the-operator\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert doctor.run().exit_code == 0
    assert {header.partition(" ")[0] for header in doctor.gateway.authorizations} == {"", "Bearer"}


# Interruptions: `Doctor.run` sees to it that nothing is left


@pytest.mark.parametrize(("path", "number"), [(ASK, 1), (PAGE, 2), (DECIDE, 2), (TOKEN, 3), (TOKEN, 7)])
def test_ctrl_c_leaves_nothing_behind(doctor: Doctor, path: str, number: int) -> None:
    doctor.gateway.spoilers[path] = at(number, lambda _: signal.raise_signal(signal.SIGINT))
    result = doctor.run(leaving="browser#" if path == PAGE else "nothing")
    assert result.exit_code == 1
    assert "Aborted!" in result.stderr
    assert result.stdout.splitlines()[-1].startswith("ok       removal")


@pytest.fixture(params=[signal.SIGTERM, signal.SIGHUP])
def ending(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    """A signal that tells to end; whoever runs the tests may ignore it."""
    before = signal.signal(request.param, signal.SIG_DFL)
    yield request.param
    signal.signal(request.param, before)


def test_being_told_to_end_leaves_nothing_behind(doctor: Doctor, ending: signal.Signals) -> None:
    doctor.gateway.spoilers[TOKEN] = at(3, lambda _: signal.raise_signal(ending))
    assert doctor.run().exit_code == 128 + ending
    assert signal.getsignal(ending) == signal.SIG_DFL


def test_it_goes_on_where_the_signal_is_ignored(doctor: Doctor, ending: signal.Signals) -> None:
    signal.signal(ending, signal.SIG_IGN)  # What `nohup` does.
    doctor.gateway.spoilers[TOKEN] = at(3, lambda _: signal.raise_signal(ending))
    assert doctor.run().exit_code == 0


def test_json_tells_what_was_found_before_an_interruption(doctor: Doctor) -> None:
    doctor.gateway.spoilers[TOKEN] = at(3, lambda _: signal.raise_signal(signal.SIGINT))
    assert list(doctor.results()) == [*NAMES[: NAMES.index("code exchange")], "removal"]


def test_ctrl_c_between_the_account_and_the_application_leaves_neither(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    actual = registration.register

    def register(*arguments: Any, **options: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return actual(*arguments, **options)

    monkeypatch.setattr(registration, "register", register)
    assert doctor.run().exit_code == 1


def test_a_second_ctrl_c_does_not_stop_the_removal(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    actual = Guests._remove_account

    def remove(guests: Guests) -> None:
        signal.raise_signal(signal.SIGINT)
        actual(guests)

    monkeypatch.setattr(Guests, "_remove_account", remove)
    doctor.gateway.spoilers[TOKEN] = at(3, lambda _: signal.raise_signal(signal.SIGINT))
    assert doctor.run().exit_code == 1


def test_what_others_have_stays(doctor: Doctor) -> None:
    app = doctor.deployment.add_app()
    tokens = doctor.deployment.tokens(app)
    assert PASSWORD not in doctor.run().output
    assert app.post("/oauth2/revoke", token=tokens["access_token"]).status == 200
