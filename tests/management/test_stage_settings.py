"""What `.chalice/config.json` says of how a stage is deployed."""

import json
from pathlib import Path
from typing import Any

import pytest

from management import stage as stages
from management.stage_settings import StageError, StageSettings


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes a config.json and reads the stage `dev` of it."""

    def read(of_all: dict[str, Any], **of_stage: Any) -> StageSettings:
        config = {"version": "2.0", "app_name": "oauth", "stages": {"dev": of_stage}} | of_all
        (tmp_path / "config.json").write_text(json.dumps(config))
        return StageSettings.of("dev")

    monkeypatch.setattr(stages, "CONFIG", tmp_path / "config.json")
    return read


def test_nothing_has_to_be_said(configured: Any) -> None:
    settings = configured({})
    assert settings == StageSettings("dev", "oauth")
    assert settings.stack_name == "oauth-dev"
    assert settings.function_name("api_handler") == "oauth-dev"
    assert settings.function_name("bearer") == "oauth-dev-bearer"


def test_what_is_said_of_a_stage_goes_before_what_is_said_of_all(configured: Any) -> None:
    of_all = {"xray": True, "lambda_architecture": "arm64", "deployment": {"alarm_email": "a@maps.example"}}
    settings = configured(of_all, xray=False, deployment={"event_bus": "platform"})
    assert settings.lambda_architecture == "arm64"
    assert not settings.xray
    assert (settings.alarm_email, settings.event_bus) == ("a@maps.example", "platform")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"lambda_architecture": "x86"}, "lambda_architecture: expected x86_64 or arm64, not 'x86'"),
        ({"lambda_timeout": 25}, "lambda_timeout: expected 26 to 28 seconds, not 25"),
        ({"lambda_timeout": 29}, "lambda_timeout: expected 26 to 28 seconds, not 29"),
        ({"xray": "yes"}, "xray: expected true or false"),
        ({"log_retention_in_days": 0}, "log_retention_in_days: expected a number of days"),
        ({"log_retention_in_days": 31}, "log_retention_in_days: expected a number of days that CloudWatch"),
        ({"log_retention_in_days": True}, "log_retention_in_days: expected a number of days"),
        ({"api_gateway_custom_domain": {"domain_name": "a.example"}}, "api_gateway_custom_domain: expected"),
        ({"api_gateway_endpoint_type": "PRIVATE"}, "api_gateway_endpoint_type: expected EDGE or REGIONAL"),
        ({"api_gateway_stage": "a/b"}, "api_gateway_stage: expected 1 to 128 letters"),
        ({"deployment": {"hosted_zone_id": "maps.example"}}, "hosted_zone_id: expected the id"),
        ({"deployment": {"alarm_email": "nobody"}}, "alarm_email: expected an e-mail address, not 'nobody'"),
        ({"deployment": {"provisioned_concurrency": {"bearer": 0}}}, "provisioned_concurrency: expected"),
        ({"deployment": {"snap_start": "bearer"}}, "snap_start: expected a list"),
        ({"deployment": {"snap_start": [1]}}, "snap_start: expected a list"),
        ({"deployment": {"throttle": {"*": {"rate": 10}}}}, "throttle: expected"),
        ({"deployment": {"throttle": {"FETCH /": {"rate": 10, "burst": 10}}}}, "throttle: expected"),
        ({"deployment": {"event_bus": "a bus"}}, "event_bus: expected the name"),
        ({"deployment": {"alarm_mail": "a@maps.example"}}, "there is no alarm_mail, but alarm_email"),
    ],
)
def test_what_cannot_be_is_named(configured: Any, entries: dict[str, Any], message: str) -> None:
    with pytest.raises(StageError, match=message):
        configured({}, **entries)
