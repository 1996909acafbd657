"""Settings are read from the environment; a bad value names its variable."""

import dataclasses

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
        ("OAUTH_ACCESS_TOKEN_LIFETIME", "59"),
        ("OAUTH_ACCESS_TOKEN_LIFETIME", "1h"),
        ("OAUTH_ACCESS_TOKEN_LIFETIME", "-1"),
        ("OAUTH_ACCESS_TOKEN_LIFETIME", "٣٦٠٠"),
        ("OAUTH_AUTHORIZATION_CODE_LIFETIME", "0"),
        ("OAUTH_AUTHORIZATION_CODE_LIFETIME", "601"),
        ("OAUTH_REFRESH_RETRY_WINDOW", "601"),
        ("OAUTH_AUTHORIZER_CACHE_LIFETIME", "3601"),
        ("OAUTH_REQUIRE_PKCE", "yes"),
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


def test_a_retry_is_never_told_a_token_that_is_over() -> None:
    with pytest.raises(SettingsError, match="OAUTH_REFRESH_RETRY_WINDOW"):
        Settings.from_environment({"OAUTH_ACCESS_TOKEN_LIFETIME": "60", "OAUTH_REFRESH_RETRY_WINDOW": "61"})


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
