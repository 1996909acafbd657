"""What is insecure about a deployment, or worth a thought."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from chalicelib.oauth.redirect_uris import is_loopback
from chalicelib.settings import DAY, MINUTE


class Level(StrEnum):
    """How bad it is."""

    INSECURE = "insecure"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """Something about a setting or a table."""

    level: Level
    about: str
    sentence: str


@dataclass(frozen=True)
class _Check:
    """What there is to say about a setting if something holds for all of them."""

    level: Level
    setting: str
    holds: Callable[[Mapping[str, Any]], Any]
    sentence: str
    locally_too: bool = True


def _goes_in_the_clear(url: str) -> bool:
    return url.startswith("http://") and not is_loopback(urlsplit(url).hostname or "")


CHECKS = (
    _Check(
        Level.INSECURE,
        "issuer",
        lambda values: _goes_in_the_clear(values["issuer"]),
        "plain http, and not on this very machine: codes, tokens and passwords can be read on the way",
    ),
    _Check(
        Level.NOTE,
        "issuer",
        lambda values: not values["issuer"],
        "not set, so that the server calls itself what each request calls it; set it to have one name",
        locally_too=False,
    ),
    _Check(
        Level.INSECURE,
        "mail",
        lambda values: str(values.get("mail", "")).startswith(("console", "file:")),
        "mail goes to a log or a file: who reads that can set the password of anybody who asks for it",
        locally_too=False,
    ),
    _Check(
        Level.INSECURE,
        "upstream_client_secret",
        lambda values: (
            values.get("upstream_client_secret") and not values["upstream_client_secret"].startswith("ssm:")
        ),
        "in the clear in .chalice/config.json: keep it in Systems Manager, and say ssm: and its name",
        locally_too=False,
    ),
    _Check(
        Level.NOTE,
        "upstream_email_is_verified",
        lambda values: values.get("upstream_email_is_verified"),
        "you vouch for every address that the provider tells: whoever sets theirs there gets that account",
    ),
    _Check(
        Level.INSECURE,
        "dynamodb_endpoint",
        lambda values: _goes_in_the_clear(values["dynamodb_endpoint"]),
        "plain http, and not on this very machine: what is stored can be read and changed on the way",
    ),
    _Check(
        Level.INSECURE,
        "sign_up",
        lambda values: values.get("sign_up") and not values.get("mail"),
        "people may add accounts with e-mail addresses of others, since no mail shows whose they are",
    ),
    _Check(
        Level.NOTE,
        "may_register",
        lambda values: values.get("may_register") == "everyone",
        "everybody with an account may register applications: look at who is behind them"
        " (`client verify`), and at what they call themselves",
    ),
    _Check(
        Level.NOTE,
        "access_token_lifetime",
        lambda values: values["access_token_lifetime"] > DAY,
        "who finds an access token may use it for so long, unless its grant is revoked. The documented"
        " flow promises developers 30 days; where applications refresh, an hour is enough",
    ),
    _Check(
        Level.NOTE,
        "refresh_retry_window",
        lambda values: values["refresh_retry_window"] == 0,
        "an application that refreshes twice at once, or whose answer gets lost, loses its grant",
    ),
    _Check(
        Level.NOTE,
        "require_pkce",
        lambda values: not values["require_pkce"],
        "confidential applications may do without PKCE, which protects their codes from being injected"
        " (RFC 9700 section 2.1.1)",
    ),
    _Check(
        Level.NOTE,
        "session_lifetime",
        lambda values: values["session_lifetime"] > 7 * DAY,
        "a browser stays signed in for so long, also one that its owner has lost",
    ),
    _Check(
        Level.NOTE,
        "session_idle_lifetime",
        lambda values: min(values["session_idle_lifetime"], values["session_lifetime"]) > DAY,
        "a browser that somebody walked away from stays signed in for so long",
    ),
    _Check(
        Level.NOTE,
        "default_scope",
        lambda values: len(values["default_scope"].split()) > 1,
        "an application that asks for nothing gets all of it, and users cannot untick any",
    ),
    _Check(
        Level.NOTE,
        "authorizer_cache_lifetime",
        lambda values: values["authorizer_cache_lifetime"] > 5 * MINUTE,
        "API Gateway lets a revoked token through for so long",
    ),
    _Check(
        Level.NOTE,
        "client_cache_lifetime",
        lambda values: values["client_cache_lifetime"] > MINUTE,
        "a disabled application, or a secret that was replaced, lives on for so long",
    ),
    _Check(
        Level.NOTE,
        "authorization_code_lifetime",
        lambda values: values["authorization_code_lifetime"] > 2 * MINUTE,
        "a code that leaks can be used for so long; an application needs seconds",
    ),
)

TABLE_PROBLEMS = {
    "missing": (Level.INSECURE, "it is not there; `manage.py tables create`, or a deployment, makes it"),
    "not active": (Level.NOTE, "it is being made, changed or deleted just now"),
    "other keys": (Level.INSECURE, "it has other keys than this version works with"),
    "other indexes": (Level.INSECURE, "it has other indexes: the grants of an application are not all found"),
    "no TTL": (Level.NOTE, "it keeps what is over, which is of no use to anybody but costs; turn TTL on"),
    "no point-in-time recovery": (Level.INSECURE, "it cannot be brought back to what it was a minute ago"),
    "not protected from deletion": (
        Level.INSECURE,
        "it can be deleted, and with it what everybody relies on",
    ),
}


def of_settings(values: Mapping[str, Any], stage: str) -> Iterator[Finding]:
    """Yield what there is to say about settings.

    Args:
        values: the settings, by their names.
        stage: `local` may do what a deployment should not.
    """
    for check in CHECKS:
        if (check.locally_too or stage != "local") and check.holds(values):
            yield Finding(check.level, f"OAUTH_{check.setting.upper()}", check.sentence)


def of_tables(statuses: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Yield what there is to say about tables, as `tables.statuses` describes them."""
    for status in statuses:
        for problem in status["problems"]:
            level, sentence = TABLE_PROBLEMS[problem]
            yield Finding(level, status["table"], sentence)


def of_sources(sources: Mapping[str, str]) -> Iterator[Finding]:
    """Yield which settings come from where the deployed functions have none.

    Args:
        sources: of each variable, as `status` names them.
    """
    for variable, source in sources.items():
        if source == "this shell":
            sentence = "comes from this shell: what is deployed has what .chalice/config.json says"
            yield Finding(Level.NOTE, variable, sentence)
