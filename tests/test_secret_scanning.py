"""`docs/secret-scanning.md`: each expression finds what it is for, wherever it leaks, and nothing else."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from chalicelib.oauth import credentials
from chalicelib.oauth.credentials import Kind

PAGE = (Path(__file__).parent.parent / "docs" / "secret-scanning.md").read_text(encoding="utf-8")
GRANT_ID = "q1W2e3R4"


def issued(kind: Kind) -> list[str]:
    """Make credentials of a kind, in all ways in which there are some."""
    if kind is Kind.REFRESH_TOKEN:
        token = credentials.new_refresh_token(GRANT_ID, "a key")
        return [token, credentials.successor(kind, token, "a seed", "a key")]
    if kind is Kind.ACCESS_TOKEN:
        made = credentials.new(kind, GRANT_ID)
        return [made, credentials.successor(kind, f"ort_{made[4:]}", "a seed", "a key")]
    of_grant = kind in (Kind.AUTHORIZATION_CODE, Kind.DEVICE_CODE)
    return [credentials.new(kind, GRANT_ID if of_grant else "")]


LEAKS = (
    "{}",
    "Authorization: Bearer {}\n",
    'TOKEN="{}"',
    "TOKEN={}\nOTHER=1",
    '{{"access_token":"{}","token_type":"Bearer"}}',
    "https://app.example/callback?code={}&state=1",
    "curl -u 1234:{} https://api.example/",
    "Set-Cookie: __Host-session={}; Secure",
)
NO_CREDENTIALS = (
    "oat_",
    "oat_YOUR_TOKEN_HERE",
    "oat_[0-9A-Za-z]{36}",
    "ort_" + "a" * 35,
    "ocs_" + "a" * 37,
    "float_" + "a" * 36,
    "OAT_" + "a" * 36,
    "oat-" + "a" * 36,
    "oxx_" + "a" * 36,
    "gho_" + "a" * 36,
    "obs_" + "a" * 20 + "-" + "a" * 15,
    "obs_" + "a" * 36 + "_more",
)


def fenced(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def github() -> dict[str, re.Pattern[str]]:
    """Return the patterns as GitHub puts them together, by the prefix in the table."""
    before, after = (
        re.findall(rf"^    {side} secret: +(\S+)$", PAGE, re.MULTILINE)[0].replace(r"\z", r"\Z")
        for side in ("before", "after")
    )
    rows = re.findall(r"^\| [a-z ]+ \| `(\w+_)` \| `(.+)` \|$", PAGE, re.MULTILINE)
    return {prefix: re.compile(f"(?:{before})({secret})(?={after})") for prefix, secret in rows}


def by_keyword(rules: list[Any], expressions: Any) -> dict[str, re.Pattern[str]]:
    """Return rules by their keywords: a scanner tries a rule only where one of them is."""
    found = [(word, re.compile(expressions(rule))) for rule in rules for word in rule["keywords"]]
    assert len({word for word, _ in found}) == len(found)
    return dict(found)


def gitleaks() -> dict[str, re.Pattern[str]]:
    rules = tomllib.loads(fenced("toml"))["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert all(rule["description"] and rule["secretGroup"] == 1 for rule in rules)
    return by_keyword(rules, lambda rule: rule["regex"])


def trufflehog() -> dict[str, re.Pattern[str]]:
    detectors = yaml.safe_load(fenced("yaml"))["detectors"]
    assert len({detector["name"] for detector in detectors}) == len(detectors)
    return by_keyword(detectors, lambda detector: next(iter(detector["regex"].values())))


SCANNERS = {"github": github(), "gitleaks": gitleaks(), "trufflehog": trufflehog()}


@pytest.mark.parametrize("scanner", SCANNERS)
def test_every_kind_of_credential_has_its_expression_and_nothing_else_has(scanner: str) -> None:
    assert sorted(SCANNERS[scanner]) == sorted(Kind)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("scanner", SCANNERS)
def test_a_credential_is_found_wherever_it_leaks(scanner: str, kind: Kind) -> None:
    for credential in issued(kind):
        for leak in LEAKS:
            found = SCANNERS[scanner][kind].search(leak.format(credential))
            assert found, leak
            assert found[1] == credential


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("scanner", SCANNERS)
def test_a_credential_of_another_kind_is_not_taken_for_it(scanner: str, kind: Kind) -> None:
    expression = SCANNERS[scanner][kind]
    for other in Kind:
        if SCANNERS[scanner][other].pattern != expression.pattern:
            assert not any(expression.search(credential) for credential in issued(other))


@pytest.mark.parametrize("text", NO_CREDENTIALS)
@pytest.mark.parametrize("scanner", SCANNERS)
def test_what_is_no_credential_is_not_found(scanner: str, text: str) -> None:
    assert not any(expression.search(text) for expression in SCANNERS[scanner].values())


def test_the_page_itself_raises_no_alarm() -> None:
    assert not any(
        expression.search(PAGE) for expressions in SCANNERS.values() for expression in expressions.values()
    )
