"""Settings are read from the environment; a bad value names its variable."""

import dataclasses
import json

import pytest

from chalicelib.settings import Settings, SettingsError


def test_without_an_environment_there_are_defaults() -> None:
    defaults = Settings.from_environment({})
    assert defaults.access_token_lifetime == 2592000
    assert defaults.authorization_code_lifetime == 60
    assert defaults.default_scope == "read"


def test_each_setting_has_a_variable() -> None:
    environment = {
        "OAUTH_ACCESS_TOKEN_LIFETIME": "3600",
        "OAUTH_PLATFORM_NAME": "Some platform",
        "OAUTH_SCOPES": '{"maps": "See maps"}',
        "OAUTH_DEFAULT_SCOPE": "maps",
        "OAUTH_REQUIRE_PKCE": "true",
        "OAUTH_ISSUER": "https://login.example.com",
    }
    read = Settings.from_environment(environment)
    assert read.access_token_lifetime == 3600
    assert read.platform_name == "Some platform"
    assert dict(read.scopes) == {"maps": "See maps"}
    assert read.require_pkce is True
    assert read.issuer == "https://login.example.com"


def test_an_empty_variable_is_as_good_as_none() -> None:
    assert Settings.from_environment({"OAUTH_ACCESS_TOKEN_LIFETIME": ""}) == Settings()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OAUTH_TABLE_PREFIX", "with space"),
        ("OAUTH_DYNAMODB_ENDPOINT", "127.0.0.1:8001"),
        ("OAUTH_ISSUER", "login.example.com"),
        ("OAUTH_ISSUER", "https://login.example.com/"),
        ("OAUTH_ISSUER", "https://login.example.com?x"),
        ("OAUTH_PLATFORM_NAME", "x" * 81),
        ("OAUTH_SCOPES", "read write"),
        ("OAUTH_SCOPES", "[]"),
        ("OAUTH_SCOPES", "{}"),
        ("OAUTH_SCOPES", '{"re ad": "x"}'),
        ("OAUTH_SCOPES", '{"read": ""}'),
        ("OAUTH_SCOPES", '{"read": 1}'),
        ("OAUTH_DEFAULT_SCOPE", "unknown"),
        ("OAUTH_SCOPE_RULES", "read"),
        ("OAUTH_SCOPE_RULES", "{}"),
        ("OAUTH_SCOPE_RULES", '{"GET maps": "read"}'),
        ("OAUTH_SCOPE_RULES", '{"GET /maps/*": "raed"}'),
        ("OAUTH_ACCESS_TOKEN_LIFETIME", "59"),
        ("OAUTH_ACCESS_TOKEN_LIFETIME", "1h"),
        ("OAUTH_ACCESS_TOKEN_LIFETIME", "-1"),
        ("OAUTH_ACCESS_TOKEN_LIFETIME", "٣٦٠٠"),
        ("OAUTH_AUTHORIZATION_CODE_LIFETIME", "0"),
        ("OAUTH_AUTHORIZATION_CODE_LIFETIME", "601"),
        ("OAUTH_DEVICE_CODE_LIFETIME", "59"),
        ("OAUTH_DEVICE_CODE_LIFETIME", "1801"),
        ("OAUTH_REFRESH_RETRY_WINDOW", "601"),
        ("OAUTH_AUTHORIZER_CACHE_LIFETIME", "3601"),
        ("OAUTH_REQUIRE_PKCE", "yes"),
        ("OAUTH_LOCAL_ACCOUNTS", "no"),
        ("OAUTH_LOCAL_ACCOUNTS", "false"),
        ("OAUTH_UPSTREAM_ISSUER", "id.example"),
        ("OAUTH_UPSTREAM_ISSUER", "http://id.example"),
        ("OAUTH_UPSTREAM_ISSUER", "http://127.0.0.1.id.example"),
        ("OAUTH_UPSTREAM_ISSUER", "http://127.0.0.1@id.example"),
        ("OAUTH_UPSTREAM_ISSUER", "https://id.example#x"),
        ("OAUTH_UPSTREAM_NAME", "x" * 81),
        ("OAUTH_UPSTREAM_SCOPE", "email"),
        ("OAUTH_UPSTREAM_EMAIL_IS_VERIFIED", "1"),
        ("OAUTH_MAIL", "smtp://localhost"),
        ("OAUTH_MAIL", "file:"),
        ("OAUTH_MAIL_FROM", "nobody"),
        ("OAUTH_MAIL_FROM", "Some Maps <no-reply@maps.example"),
        ("OAUTH_MAIL_FROM", "a@maps.example, b@maps.example"),
        ("OAUTH_MAIL_FROM", "Some\nMaps <no-reply@maps.example>"),
        ("OAUTH_MAIL_FROM", "*@maps.example"),
    ],
)
def test_a_bad_value_names_its_variable(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable}: "):
        Settings.from_environment({variable: value})


def test_a_bad_scope_rule_is_named() -> None:
    with pytest.raises(SettingsError, match=r"^OAUTH_SCOPE_RULES: 'GET /m/\{id\}': write \* for a parameter"):
        Settings.from_environment({"OAUTH_SCOPE_RULES": '{"GET /maps": "read", "GET /m/{id}": "read"}'})


def test_scope_rules_are_read_and_those_for_read_and_write_need_no_such_scopes() -> None:
    rules = {"GET /maps/*": "maps:read", "GET /health": ""}
    given = {"OAUTH_SCOPES": '{"maps:read": "See maps"}', "OAUTH_DEFAULT_SCOPE": "maps:read"}
    assert Settings.from_environment(given).scope_rules["GET /*"] == "read"
    read = Settings.from_environment(given | {"OAUTH_SCOPE_RULES": json.dumps(rules)})
    assert read.scope_rules == rules


def test_a_retry_is_never_told_a_token_that_is_over() -> None:
    with pytest.raises(SettingsError, match="OAUTH_REFRESH_RETRY_WINDOW"):
        Settings.from_environment({"OAUTH_ACCESS_TOKEN_LIFETIME": "60", "OAUTH_REFRESH_RETRY_WINDOW": "61"})


UPSTREAM = {"OAUTH_UPSTREAM_ISSUER": "https://id.example/", "OAUTH_UPSTREAM_CLIENT_ID": "us"}


def test_an_openid_provider_is_an_issuer_and_a_client_there() -> None:
    read = Settings.from_environment(UPSTREAM | {"OAUTH_LOCAL_ACCOUNTS": "false"})
    assert read.upstream_issuer == "https://id.example/"
    assert read.upstream_scope == "openid email"
    assert not read.local_accounts
    assert read.upstream_secret_parameter is None


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:8080/realms/x", "http://localhost", "http://[::1]:1"])
def test_on_this_machine_a_provider_may_have_plain_http(issuer: str) -> None:
    assert Settings.from_environment(UPSTREAM | {"OAUTH_UPSTREAM_ISSUER": issuer}).upstream_issuer == issuer


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("OAUTH_UPSTREAM_ISSUER", "OAUTH_UPSTREAM_CLIENT_ID"),
        ("OAUTH_UPSTREAM_CLIENT_ID", "OAUTH_UPSTREAM_ISSUER"),
    ],
)
def test_half_an_openid_provider_is_none(given: str, named: str) -> None:
    with pytest.raises(SettingsError, match=f"^{named}: "):
        Settings.from_environment({given: UPSTREAM[given]})


def test_a_secret_may_be_kept_in_systems_manager() -> None:
    read = Settings.from_environment(UPSTREAM | {"OAUTH_UPSTREAM_CLIENT_SECRET": "ssm:/oauth/prod/upstream"})
    assert read.upstream_secret_parameter == "/oauth/prod/upstream"


@pytest.mark.parametrize(
    "secret", ["with space canary", "umläut-canary", "ssm:", "ssm:canary*", "ssm:${canary}"]
)
def test_a_bad_secret_is_not_shown(secret: str) -> None:
    with pytest.raises(SettingsError, match=r"^OAUTH_UPSTREAM_CLIENT_SECRET: ") as raised:
        Settings.from_environment(UPSTREAM | {"OAUTH_UPSTREAM_CLIENT_SECRET": secret})
    assert "canary" not in str(raised.value)


def test_settings_do_not_show_their_secret() -> None:
    read = Settings.from_environment(UPSTREAM | {"OAUTH_UPSTREAM_CLIENT_SECRET": "canary"})
    assert read.upstream_client_secret == "canary"
    assert "canary" not in repr(read)


def test_mail_is_from_somebody() -> None:
    with pytest.raises(SettingsError, match="OAUTH_MAIL_FROM"):
        Settings.from_environment({"OAUTH_MAIL": "ses"})


def test_signing_up_needs_mail() -> None:
    with pytest.raises(SettingsError, match="OAUTH_SIGN_UP"):
        Settings.from_environment({"OAUTH_SIGN_UP": "true"})


@pytest.mark.parametrize("mail_from", ["no-reply@maps.example", "Käse & Maps <no-reply@maps.example>"])
def test_with_mail_people_may_sign_up_and_set_forgotten_passwords(mail_from: str) -> None:
    environment = {"OAUTH_MAIL": "ses", "OAUTH_MAIL_FROM": mail_from, "OAUTH_SIGN_UP": "true"}
    read = Settings.from_environment(environment)
    assert (read.sign_up, read.resets_passwords, read.mail_from) == (True, True, mail_from)
    assert not Settings().resets_passwords


def test_settings_do_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().platform_name = "other"  # type: ignore[misc]
