"""Which scopes a request needs: rules for the routes of an API, written by who owns it.

    {"GET /maps/*": "maps:read", "* /maps/*/members": "maps:read maps:admin", "GET /health": ""}

A rule is a method, or `*` for all of them, and a path in which `*` stands for anything, slashes
included, as it does in an IAM policy. It names the scopes that are needed, all of them; none of
them, and any valid token will do. A request must satisfy every rule that matches it, so a further
rule only ever narrows; what no rule matches is refused. So much can be said by an IAM policy
that API Gateway may keep and apply to other routes: explicit denials win there.
"""

import json
import re
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""What `*` stands for. In a policy it would reach over slashes, from the method into the path."""

STAGE_VARIABLE = "oauth_scope_rules"
"""The stage variable by which an API brings its own rules: their JSON in base64url."""

MAX_STAGE_VARIABLE = 512
"""Characters: API Gateway's limit."""

MAX_ROUTES = 100
"""Methods and paths that the rules of an API name: each is one or two resources of a policy."""

_UNENCODED = ("*//*", "*/./*", "*/../*", "*/.", "*/..", "*;*", "*\\*", "*#*")

ANY_OTHER_SPELLING = ("*%*", *_UNENCODED)
"""Paths that a backend may read as another path, as patterns of a policy."""

OTHER_STRUCTURE = (
    *_UNENCODED,
    *("*%2e*", "*%2E*", "*%2f*", "*%2F*", "*%5c*", "*%5C*"),  # Dots, slashes, backslashes;
    *("*%3b*", "*%3B*", "*%3f*", "*%3F*", "*%23*", "*%0*", "*%1*"),  # what ends a segment or a path;
    *("*%25*", "*%%*", "*%?%*"),  # what is decoded twice: %252e, %%32e, %2%65;
    *("*%u*", "*%U*", "*%c0*", "*%C0*", "*%c1*", "*%C1*"),  # ASCII, as some old backends read it.
    *("*%e0%8*", "*%E0%8*", "*%f0%8*", "*%F0%8*"),
)
"""Those of them whose segments may be others than they seem. A letter that is encoded, as in
`/maps/Z%C3%BCrich`, leaves the segments as they are."""

SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")
"""One scope-token (RFC 6749 section 3.3)."""

_RULE = re.compile(r"(\S+) (\S+)")
_STAR_AND_HEX = re.compile(r"\*[0-9A-Fa-f]")
_PATH = re.compile(r"/[A-Za-z0-9._~!&'()+,=:@/*-]*")


class ScopeRulesError(ValueError):
    """Rules that cannot be followed; the message names the one that is wrong."""


@dataclass(frozen=True)
class Rule:
    """One rule."""

    methods: tuple[str, ...]
    path: str
    scopes: frozenset[str]

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """The paths it is about, as patterns: API Gateway takes the same route with a trailing slash."""
        return (self.path,) if self.path.endswith(("*", "/")) else (self.path, f"{self.path}/")

    @cached_property
    def opened(self) -> tuple[str, ...]:
        """The paths that it can open, as patterns. `/maps/` goes to the route `/maps`, not to `/maps/*`."""
        below = self.path.rstrip("*")
        return (f"{below}?*",) if below.endswith("/") and below not in ("/", self.path) else self.paths

    def opens(self, method: str, path: str) -> bool:
        """Tell whether it lets a request pass, if its scopes are there."""
        return method in self.methods and _any_of(self.opened).fullmatch(path) is not None

    def matches(self, method: str, path: str) -> bool:
        """Tell whether it is about a request."""
        return method in self.methods and _any_of(self.paths).fullmatch(path) is not None

    def overlaps(self, other: "Rule") -> bool:
        """Tell whether there are requests that both are about."""
        return not set(self.methods).isdisjoint(other.methods) and any(
            _overlap(mine, theirs) for mine in self.paths for theirs in other.paths
        )


@dataclass(frozen=True)
class Access:
    """What somebody may do who has some scopes: what is allowed, less what is refused."""

    allowed: tuple[Rule, ...]
    refused: tuple[Rule, ...]
    """Those that take something away from what is allowed."""

    @cached_property
    def spellings(self) -> tuple[str, ...]:
        """The spellings that will not do, as patterns: a backend may read what is refused in them.

        Where the method alone decides, or whole paths are named, there is none.
        """
        if self.refused:
            return ANY_OTHER_SPELLING
        paths = [rule.path for rule in self.allowed if "*" in rule.path and rule.path != "/*"]
        # The 61 of %61, which is an a, would do for `/*61`.
        if any(_STAR_AND_HEX.search(path) for path in paths):
            return ANY_OTHER_SPELLING
        return OTHER_STRUCTURE if paths else ()

    def covers(self, method: str, path: str) -> bool:
        """Tell whether a request may pass."""
        return (
            any(rule.opens(method, path) for rule in self.allowed)
            and not any(rule.matches(method, path) for rule in self.refused)
            and not (self.spellings and self._is_other_spelling(path))
        )

    def _is_other_spelling(self, path: str) -> bool:
        # A ? is there only if API Gateway decoded the path. A policy cannot name it.
        return "?" in path or _any_of(self.spellings).fullmatch(path) is not None


@dataclass(frozen=True)
class ScopeRules:
    """The rules of an API."""

    rules: tuple[Rule, ...]

    def access(self, scopes: Iterable[str]) -> Access:
        """Return what somebody may do who has these scopes."""
        given = frozenset(scopes)
        allowed = tuple(rule for rule in self.rules if rule.scopes <= given)
        refused = tuple(
            rule
            for rule in self.rules
            if not rule.scopes <= given and any(rule.overlaps(other) for other in allowed)
        )
        return Access(allowed, refused)


def parse(text: str) -> Mapping[str, str]:
    """Read rules from JSON, and check them.

    Raises:
        ScopeRulesError: a rule is wrong; the message names it.
    """
    try:
        rules = json.loads(text, object_pairs_hook=_object)
    except RecursionError:
        raise ScopeRulesError("not JSON: too deep") from None
    except ScopeRulesError:
        raise
    except ValueError as error:
        raise ScopeRulesError(f"not JSON: {error}") from None
    if not isinstance(rules, dict):
        raise ScopeRulesError('expected a JSON object as {"GET /maps/*": "read"}')
    for route, scopes in rules.items():
        if not isinstance(scopes, str):
            raise ScopeRulesError(f"{route!r}: expected scopes separated by spaces, in one string")
    compiled(tuple(rules.items()))
    return rules


def check_scopes(rules: Mapping[str, str], known: Iterable[str]) -> None:
    """Check that the scopes in rules are there.

    Raises:
        ScopeRulesError: one is not; the message names its rule.
    """
    for route, scopes in rules.items():
        unknown = sorted(set(scopes.split()) - set(known))
        if unknown:
            raise ScopeRulesError(f"{route!r}: OAUTH_SCOPES does not describe {', '.join(unknown)}")


@lru_cache(maxsize=64)
def compiled(rules: tuple[tuple[str, str], ...]) -> ScopeRules:
    """Compile rules, once.

    Raises:
        ScopeRulesError: a rule is wrong; the message names it.
    """
    if not rules:
        raise ScopeRulesError("there is none, so that nobody could do anything")
    parsed = tuple(_rule(route, scopes) for route, scopes in rules)
    routes = sum(len(rule.methods) for rule in parsed)
    if routes > MAX_ROUTES:
        raise ScopeRulesError(
            f"{routes} methods and paths, {MAX_ROUTES} at most (the method * counts as {len(METHODS)})"
        )
    return ScopeRules(parsed)


def to_stage_variable(rules: Mapping[str, str]) -> str:
    """Return rules as a stage variable may hold them.

    Raises:
        ScopeRulesError: they are too long for one.
    """
    text = json.dumps(dict(rules), separators=(",", ":"), ensure_ascii=False)
    value = urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
    if len(value) > MAX_STAGE_VARIABLE:
        raise ScopeRulesError(
            f"{len(value)} characters as a stage variable, {MAX_STAGE_VARIABLE} at most:"
            f" take {(len(value) - MAX_STAGE_VARIABLE) * 3 // 4 + 1} out of the JSON"
        )
    return value


@lru_cache(maxsize=64)
def from_stage_variable(value: str) -> ScopeRules:
    """Read the rules in a stage variable, once.

    Raises:
        ScopeRulesError: a rule is wrong; the message names it.
    """
    try:
        text = b64decode(value + "=" * (-len(value) % 4), b"-_", validate=True).decode()
    except ValueError:
        raise ScopeRulesError("not the base64url of a JSON object in UTF-8") from None
    return compiled(tuple(parse(text).items()))


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ScopeRulesError(f"{twice!r} is there twice")
    return members


def _rule(route: str, scopes: str) -> Rule:
    """Read one rule."""
    parts = _RULE.fullmatch(route)
    if not parts:
        raise ScopeRulesError(f"{route!r}: expected a method and a path, as GET /maps/*")
    method, path = parts.groups()
    if method not in (*METHODS, "*"):
        raise ScopeRulesError(f"{route!r}: {method} is no method, but {', '.join(METHODS)} and * are")
    _check_path(route, path)
    needed = frozenset(scopes.split(" ")) if scopes else frozenset()
    for scope in needed:
        if not SCOPE_TOKEN.fullmatch(scope):
            raise ScopeRulesError(f"{route!r}: {scope!r} is no scope-token (RFC 6749 section 3.3)")
    return Rule(METHODS if method == "*" else (method,), path, needed)


def _check_path(route: str, path: str) -> None:
    if "{" in path:
        raise ScopeRulesError(f"{route!r}: write * for a parameter of the path")
    if not _PATH.fullmatch(path):
        raise ScopeRulesError(
            f"{route!r}: a path starts with / and has letters, digits, -._~!&'()+,=:@/ and *"
        )
    segments = path.split("/")[1:]
    if {".", ".."} & set(segments) or "" in segments[:-1]:
        raise ScopeRulesError(f"{route!r}: a path has no empty segment, and none that is . or ..")
    if path != "/" and path.endswith("/"):
        raise ScopeRulesError(f"{route!r}: leave out the last slash; the path is meant with and without it")


@lru_cache(maxsize=256)
def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(_regex, patterns)), re.DOTALL)


def _regex(pattern: str) -> str:
    """Return a pattern as a regular expression.

    What stands between two stars may as well be where it is found first. So nothing is ever tried
    again, and no path takes longer than it is long.
    """
    head, *between = (re.escape(part).replace(r"\?", ".") for part in pattern.split("*"))
    if not between:
        return head
    *middle, tail = between
    return head + "".join(f"(?>.*?{part})" for part in middle) + ".*" + tail


def _overlap(one: str, other: str) -> bool:
    """Tell whether there is a path that two patterns match."""
    if "*" not in one:
        return re.fullmatch(_regex(other), one) is not None
    if "*" not in other:
        return re.fullmatch(_regex(one), other) is not None
    (head, *_, tail), (other_head, *_, other_tail) = one.split("*"), other.split("*")
    return (head.startswith(other_head) or other_head.startswith(head)) and (
        tail.endswith(other_tail) or other_tail.endswith(tail)
    )
