"""The settings of a deployment: read once from the environment, checked, and frozen.

Each field of `Settings` is set by the environment variable `OAUTH_<FIELD NAME>`. A bad value
stops the start-up with a `SettingsError` that names the variable. `.chalice/config.json` holds
the values of each stage.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from types import MappingProxyType
from typing import Any

from chalicelib import scope_rules
from chalicelib.scope_rules import ScopeRulesError

MINUTE, HOUR, DAY = 60, 3600, 86400

EMAIL = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*"
"""An e-mail address that mail is sent to: what `<input type="email">` takes (HTML 4.10.5.1.5)."""

TABLE_PREFIX, TABLE_PREFIX_EXPECTED = r"[A-Za-z0-9_.-]{1,200}", "1 to 200 letters, digits, '_', '.' or '-'"

_SENDER = r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*"

DEFAULT_SCOPE_RULES: Mapping[str, str] = MappingProxyType(
    {
        "GET /*": "read",
        "HEAD /*": "read",
        "POST /*": "write",
        "PUT /*": "write",
        "PATCH /*": "write",
        "DELETE /*": "write",
    }
)
"""Reading needs `read`, and all else `write`."""

SECURE_URL = r"(https://[^\s/?#@]+|http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?)(/[^\s#]*)?"
"""Where secrets may be sent: https, or this very machine."""

IN_SSM = "ssm:"
"""How a secret starts that is not in the setting itself, but in this parameter of Systems Manager."""

_PARAMETER = re.compile(r"[A-Za-z0-9_./-]{1,1011}")


class SettingsError(ValueError):
    """An environment variable has a value that the server cannot run with."""


def _seconds(default: int, minimum: int, maximum: int) -> int:
    return field(default=default, metadata={"minimum": minimum, "maximum": maximum})


def _text(default: str, pattern: str, expected: str) -> str:
    return field(default=default, metadata={"pattern": pattern, "expected": expected})


def _secret(pattern: str, expected: str) -> str:
    return field(default="", repr=False, metadata={"pattern": pattern, "expected": expected, "secret": True})


@dataclass(frozen=True)
class Settings:
    """What can be set. Lifetimes are in seconds."""

    table_prefix: str = _text("oauth-local", TABLE_PREFIX, TABLE_PREFIX_EXPECTED)
    """The tables are named `<table_prefix>-clients`, `-users`, `-grants`, `-sessions` and `-audit`."""

    dynamodb_endpoint: str = _text("", r"(https?://\S+)?", "a URL, or nothing for AWS itself")
    """Where DynamoDB is, if not in AWS. `AWS_ENDPOINT_URL_DYNAMODB` goes first."""

    issuer: str = _text(
        "", r"(https?://[^\s?#]*[^\s?#/])?", "a URL without query, fragment or trailing slash"
    )
    """The issuer identifier (RFC 8414 section 2). Empty: the URL under which a request came."""

    platform_name: str = _text("Community Maps", r".{1,80}", "1 to 80 characters")
    """The platform's name on the pages."""

    platform_logo: str = _text(
        "",
        r"(https://[A-Za-z0-9.-]+(:[0-9]{1,5})?/[^\s\"'<>;,]*|data:image/[a-z+.-]+;base64,[A-Za-z0-9+/=]+)?",
        "an https URL or a data: URI of an image, in base64",
    )
    """An image beside the name."""

    accent_color: str = _text("#0b5d91", r"#[0-9A-Fa-f]{6}", "a colour as #0b5d91")
    """Of buttons and links. It is darkened or lightened as far as it has to be to be readable."""

    scopes: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType(
            {
                "read": "See your maps and contributions",
                "write": "Add, change and delete maps and contributions in your name",
            }
        )
    )
    """A JSON object: each scope, and what it allows in words that a user understands."""

    default_scope: str = _text("read", r"[\x20-\x7E]+", "scopes separated by spaces")
    """What an application gets that asks for no scope (RFC 6749 section 3.3)."""

    scope_rules: Mapping[str, str] = field(default_factory=lambda: DEFAULT_SCOPE_RULES)
    """A JSON object: which scopes a request to an API needs, by method and path (`scope_rules`)."""

    may_register: str = _text(
        "operators",
        r"everyone|operators|[^@\s]*@[^@\s]+( [^@\s]*@[^@\s]+)*",
        "everyone, operators, or e-mail addresses and @domains separated by spaces",
    )
    """Which accounts may register applications. Operators always may."""
    contact: str = _text("", r"(https://\S+|[^@\s]+@[^@\s]+)?", "an https URL or an e-mail address")
    """Where developers ask those who run the platform."""

    access_token_lifetime: int = _seconds(30 * DAY, MINUTE, 366 * DAY)
    authorization_code_lifetime: int = _seconds(MINUTE, 1, 10 * MINUTE)
    device_code_lifetime: int = _seconds(10 * MINUTE, MINUTE, 30 * MINUTE)
    """How long a person has to type a device's code and allow what it asks for (RFC 8628)."""
    refresh_token_idle_lifetime: int = _seconds(90 * DAY, MINUTE, 1000 * DAY)
    """How long a refresh token may lie unused."""
    refresh_token_lifetime: int = _seconds(366 * DAY, MINUTE, 3660 * DAY)
    """How long, after the user's consent, tokens may be refreshed at all."""
    refresh_retry_window: int = _seconds(MINUTE, 0, 10 * MINUTE)
    """How long a client may repeat a refresh, or a device its last poll, whose answer it never saw."""

    require_pkce: bool = False
    """Whether confidential clients must use PKCE too (RFC 9700 section 2.1.1). Public ones always must."""

    session_lifetime: int = _seconds(12 * HOUR, MINUTE, 90 * DAY)
    """How long a browser stays signed in at most."""
    session_idle_lifetime: int = _seconds(2 * HOUR, MINUTE, 90 * DAY)
    """How long a browser stays signed in that shows none of our pages."""

    local_accounts: bool = True
    """Whether people may sign in with a password of ours."""

    upstream_issuer: str = _text(
        "", f"({SECURE_URL})?", "the issuer of an OpenID provider: an https URL without fragment"
    )
    """The OpenID provider that people may sign in with (OpenID Connect Discovery 1.0). Empty: none."""
    upstream_client_id: str = _text("", r"[\x21-\x7E]{0,500}", "printable characters")
    """What we are called there."""
    upstream_client_secret: str = _secret(r"[\x21-\x7E]{0,1000}", "printable ASCII, without spaces")
    """Our secret there, or `ssm:` and the name of the parameter that holds it. None: a public client."""
    upstream_name: str = _text("single sign-on", r".{1,80}", "1 to 80 characters")
    """What the button calls the provider."""
    upstream_scope: str = _text("openid email", r"[\x20-\x7E]+", "scopes separated by spaces")
    """What we ask the provider for."""
    upstream_email_is_verified: bool = False
    """Whether e-mail addresses count as verified of which the provider does not say (`email_verified`)."""
    mail: str = _text("", r"(console|ses|file:[^\0]+)?", "console, ses, file:<path>, or nothing")
    """Where mail goes: Amazon SES, or what only people at home may read. Empty: none is sent."""
    mail_from: str = _text(
        "",
        rf"([^<>@,;:\"\\\x00-\x1f\x7f]{{1,80}} <{_SENDER}>|{_SENDER})?",
        "an e-mail address, as no-reply@maps.example or Some Maps <no-reply@maps.example>",
    )
    """Who mail is from."""
    sign_up: bool = False
    """Whether people may add their own account, by an e-mail address that is theirs."""

    audit_retention: int = _seconds(400 * DAY, DAY, 3660 * DAY)
    """How long the audit trail has an event."""

    client_cache_lifetime: int = _seconds(5, 0, 5 * MINUTE)
    """How long a warm function may go on with what it knows of a client."""

    authorizer_cache_lifetime: int = _seconds(MINUTE, 0, HOUR)
    """How long API Gateway may go on with the authorizer's answer for a token."""

    def __post_init__(self) -> None:
        unknown = set(self.default_scope.split()) - set(self.scopes)
        if unknown:
            raise SettingsError(
                f"OAUTH_DEFAULT_SCOPE: OAUTH_SCOPES does not describe {', '.join(sorted(unknown))}"
            )

        self._check_scope_rules()

        if self.refresh_retry_window > self.access_token_lifetime:
            raise SettingsError(
                "OAUTH_REFRESH_RETRY_WINDOW: longer than OAUTH_ACCESS_TOKEN_LIFETIME, so that a retry"
                " would be told a token that is over"
            )

        self._check_upstream()
        self._check_mail()

    def _check_scope_rules(self) -> None:
        if self.scope_rules == DEFAULT_SCOPE_RULES:
            return  # Scopes that are not there open nothing.
        try:
            scope_rules.check_scopes(self.scope_rules, self.scopes)
        except ScopeRulesError as error:
            raise SettingsError(f"OAUTH_SCOPE_RULES: {error}") from None

    def _check_upstream(self) -> None:
        if not self.upstream_issuer:
            if self.upstream_client_id or self.upstream_client_secret:
                raise SettingsError("OAUTH_UPSTREAM_ISSUER: missing, while there is a client of it")
            if not self.local_accounts:
                raise SettingsError(
                    "OAUTH_LOCAL_ACCOUNTS: needs OAUTH_UPSTREAM_ISSUER, or nobody can sign in"
                )
        elif not self.upstream_client_id:
            raise SettingsError("OAUTH_UPSTREAM_CLIENT_ID: missing; OAUTH_UPSTREAM_ISSUER needs it")
        if "openid" not in self.upstream_scope.split():
            raise SettingsError("OAUTH_UPSTREAM_SCOPE: openid is missing")
        parameter = self.upstream_secret_parameter
        if parameter is not None and not _PARAMETER.fullmatch(parameter):
            raise SettingsError(
                "OAUTH_UPSTREAM_CLIENT_SECRET: expected the name of a parameter after ssm:, no ARN"
            )

    def _check_mail(self) -> None:
        if self.mail and not self.mail_from:
            raise SettingsError("OAUTH_MAIL_FROM: OAUTH_MAIL needs it")
        if self.sign_up and not self.mail:
            raise SettingsError("OAUTH_SIGN_UP: it needs OAUTH_MAIL, to see whose an e-mail address is")

    @property
    def takes_sign_ups(self) -> bool:
        """Whether people may add their own account here, to sign in to with a password."""
        return self.sign_up and self.local_accounts

    @property
    def upstream_secret_parameter(self) -> str | None:
        """The parameter of Systems Manager that holds the upstream client secret, if one does."""
        name = self.upstream_client_secret.removeprefix(IN_SSM)
        return name if name != self.upstream_client_secret else None

    @property
    def resets_passwords(self) -> bool:
        """Whether who forgot their password may set a new one, by mail."""
        return bool(self.mail) and self.local_accounts

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the settings.

        Args:
            environment: variables by name; those that are missing or empty keep their default.

        Raises:
            SettingsError: a value is out of bounds; the message names the variable.
        """
        values = {}
        for setting in fields(cls):
            variable = f"OAUTH_{setting.name.upper()}"
            text = environment.get(variable, "")
            if text:
                values[setting.name] = _parse(setting, variable, text)
        return cls(**values)


def _parse(setting: "Field[Any]", variable: str, text: str) -> Any:
    if setting.name == "scopes":
        return _parse_scopes(variable, text)
    if setting.name == "scope_rules":
        return _parse_scope_rules(variable, text)
    if "pattern" in setting.metadata:
        if not re.fullmatch(setting.metadata["pattern"], text):
            found = "" if "secret" in setting.metadata else f", not {text!r}"
            raise SettingsError(f"{variable}: expected {setting.metadata['expected']}{found}")
        return text
    if isinstance(setting.default, bool):
        if text not in ("true", "false"):
            raise SettingsError(f"{variable}: expected true or false, not {text!r}")
        return text == "true"
    minimum, maximum = setting.metadata["minimum"], setting.metadata["maximum"]
    if not re.fullmatch(r"[0-9]{1,12}", text) or not minimum <= int(text) <= maximum:
        raise SettingsError(
            f"{variable}: expected a whole number of seconds from {minimum} to {maximum}, not {text!r}"
        )
    return int(text)


def _parse_scopes(variable: str, text: str) -> Mapping[str, str]:
    try:
        scopes = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"{variable}: not JSON: {error}") from None
    if not isinstance(scopes, dict) or not scopes:
        raise SettingsError(f"{variable}: expected a JSON object of scopes and their descriptions")
    for scope, description in scopes.items():
        if not scope_rules.SCOPE_TOKEN.fullmatch(scope):
            raise SettingsError(f"{variable}: {scope!r} is no scope-token (RFC 6749 section 3.3)")
        if not isinstance(description, str) or not description.strip():
            raise SettingsError(f"{variable}: {scope!r} needs a description")
    return MappingProxyType(scopes)


def _parse_scope_rules(variable: str, text: str) -> Mapping[str, str]:
    try:
        return MappingProxyType(scope_rules.parse(text))
    except ScopeRulesError as error:
        raise SettingsError(f"{variable}: {error}") from None


settings = Settings.from_environment(os.environ)
