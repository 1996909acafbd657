"""The rules for the routes of an API: what they say, held against IAM's reading of the policy."""

import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib.authorizer.decision import Decision
from chalicelib.authorizer.policy import Request, policy
from chalicelib.scope_rules import (
    METHODS,
    Access,
    ScopeRulesError,
    compiled,
    from_stage_variable,
    parse,
    to_stage_variable,
)
from tests.harness import ARN

MAPS = {
    "GET /maps/*": "maps:read",
    "POST /maps": "maps:write",
    "* /maps/*/members": "maps:read maps:admin",
    "GET /health": "",
}


def access(scope: str, rules: dict[str, str]) -> Access:
    return compiled(tuple(rules.items())).access(scope.split())


def allowed_by_iam(scope: str, rules: dict[str, str], method: str, path: str) -> bool:
    """Evaluate the policy as AWS documents it: an explicit denial wins, and nothing is allowed by itself."""
    decision = Decision("grant", "client", None, scope, 0)
    request = Request.of(f"{ARN}/prod/GET/whatever")
    statements = policy(decision, access(scope, rules), request)["policyDocument"]["Statement"]
    effects = {
        statement["Effect"]
        for statement in statements
        if any(_covers(resource, f"{ARN}/prod/{method}{path}") for resource in statement["Resource"])
    }
    return effects == {"Allow"}


def _covers(resource: str, arn: str) -> bool:
    pattern = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in resource)
    return re.fullmatch(pattern, arn, re.DOTALL) is not None


def may(scope: str, call: str, rules: dict[str, str] = MAPS) -> bool:
    """Tell whether a request may pass; both readings have to agree."""
    method, _, path = call.partition(" ")
    answer = access(scope, rules).covers(method, path)
    assert allowed_by_iam(scope, rules, method, path) is answer
    return answer


def test_a_rule_opens_its_method_and_paths() -> None:
    assert may("maps:read", "GET /maps/1")
    assert may("maps:read", "GET /maps/1/layers/2")
    assert may("maps:write", "POST /maps")


@pytest.mark.parametrize("call", ["HEAD /maps/1", "POST /maps/1", "GET /maps", "GET /", "GET /map", "GET /x"])
def test_what_no_rule_matches_is_refused(call: str) -> None:
    assert not may("maps:read maps:write maps:admin", call)


def test_every_rule_that_matches_must_be_satisfied() -> None:
    assert not may("maps:read", "GET /maps/1/members")
    assert not may("maps:admin", "GET /maps/1/members")
    assert may("maps:read maps:admin", "GET /maps/1/members")


def test_all_scopes_of_a_rule_are_needed() -> None:
    assert not may("maps:admin", "DELETE /maps/1/members")
    assert may("maps:read maps:admin", "DELETE /maps/1/members")


def test_any_valid_token_will_do_where_a_rule_names_no_scope() -> None:
    assert may("anything", "GET /health")
    assert not may("anything", "GET /health/more")


def test_the_method_that_stands_for_all_does_not_reach_into_the_path() -> None:
    """In a policy, `<stage>/*/maps` would cover `<stage>/GET/secret/maps`."""
    assert may("", "DELETE /maps", {"* /maps": ""})
    assert not may("", "GET /secret/maps", {"* /maps": ""})


SECRET = {"GET /maps/*": "read", "GET /maps/secret": "admin"}


@pytest.mark.parametrize(
    "path",
    [
        "/maps/secret",
        "/maps/secret/",
        "/maps/secret//",
        "/maps//secret",
        "/maps/./secret",
        "/maps/x/../secret",
        "/maps/secret/.",
        "/maps/secret/x/..",
        "/maps/%73ecret",
        "/maps/%2573ecret",
        "/maps/x%2f..%2fsecret",
        "/maps/secret%2F",
        "/maps/%u0073ecret",
        "/maps/%c0%afsecret",
        "/maps/secret;v=1",
        "/maps/x\\..\\secret",
        "/maps/secret%00",
    ],
)
def test_another_spelling_gets_nobody_past_a_narrower_rule(path: str) -> None:
    assert not may("read", f"GET {path}", SECRET)


@pytest.mark.parametrize(
    "path", ["/maps/a%20map", "/maps/Z%C3%BCrich", "/maps/a@b", "/maps/.hidden", "/maps/"]
)
def test_who_is_refused_nothing_may_spell_as_they_like(path: str) -> None:
    assert may("read admin", f"GET {path}", SECRET)
    assert may("read", f"GET {path}", {"GET /maps/*": "read", "POST /maps/*": "write"})


def test_case_counts_as_it_does_for_api_gateway() -> None:
    assert not may("maps:read", "GET /Maps/1")
    assert not may("maps:read", "get /maps/1")


@pytest.mark.parametrize("call", ["POST /maps/", "POST /maps"])
def test_a_path_is_meant_with_and_without_its_last_slash(call: str) -> None:
    assert may("maps:write", call)


def test_a_policy_names_what_it_takes_away_only_where_it_gives() -> None:
    assert access("maps:write", MAPS).refused == ()
    assert [rule.path for rule in access("maps:read", MAPS).refused] == ["/maps/*/members"]


PATTERNS = st.lists(st.sampled_from(["/a", "/b", "/ab", "/*", "/a*", "*/a"]), min_size=1, max_size=3).map(
    lambda parts: re.sub(r"\*+", "*", "".join(part if part[0] == "/" else f"/{part}" for part in parts))
)
RULES = st.dictionaries(
    st.builds("{} {}".format, st.sampled_from(["GET", "POST", "*"]), PATTERNS),
    st.sampled_from(["", "r", "w", "r w"]),
    min_size=1,
    max_size=6,
)
PATHS = st.lists(
    st.sampled_from(["/a", "/b", "/ab", "/", "a", ".", "..", "%61", ";", "\\", "/.", "\n", "é"]), max_size=5
).map(lambda parts: "/" + "".join(parts).lstrip("/"))


@example({"GET /*": "", "GET /a": "w"}, "", "GET", "/a/")
@example({"* /a": ""}, "", "GET", "/b/a")
@given(RULES, st.sampled_from(["", "r", "w", "r w"]), st.sampled_from([*METHODS, "TRACE"]), PATHS)
def test_the_policy_says_what_the_rules_say(
    rules: dict[str, str], scope: str, method: str, path: str
) -> None:
    answer = may(scope, f"{method} {path}", rules)
    given_scopes = set(scope.split())
    matching = [needed for rule, needed in rules.items() if _is_about(rule, method, path)]
    satisfied = bool(matching) and all(set(needed.split()) <= given_scopes for needed in matching)
    assert satisfied or not answer  # Never more than the rules say,
    if not re.search(r"[%;\\]|//|/\.{1,2}(/|$)", path):
        assert answer is satisfied  # and never less, in plain spelling.


def _is_about(rule: str, method: str, path: str) -> bool:
    wanted, _, pattern = rule.partition(" ")
    if wanted != method and not (wanted == "*" and method in METHODS):
        return False
    end = "" if pattern.endswith("*") or pattern == "/" else "/?"
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*") + end, path, re.DOTALL) is not None


@given(RULES, st.sampled_from(["", "r", "w", "r w"]))
def test_a_further_rule_never_opens_what_another_one_closes(rules: dict[str, str], scope: str) -> None:
    narrowed = rules | {"* /a/*": "x"}
    for path in ("/a/b", "/a/", "/a/a/b"):
        assert not may(scope, f"GET {path}", narrowed)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("read write", "not JSON"),
        ("[" * 100000, "not JSON"),
        ("[]", "expected a JSON object"),
        ("{}", "there is none"),
        ('{"/maps": "read"}', "'/maps': expected a method and a path"),
        ('{"GET  /maps": "read"}', "'GET  /maps': expected a method and a path"),
        ('{"get /maps": "read"}', "'get /maps': get is no method"),
        ('{"ANY /maps": "read"}', "'ANY /maps': ANY is no method"),
        ('{"GET maps": "read"}', "'GET maps': a path starts with /"),
        ('{"GET /maps/{id}": "read"}', r"'GET /maps/{id}': write \* for a parameter"),
        ('{"GET /maps?x=1": "read"}', r"'GET /maps\?x=1': a path starts"),
        ('{"GET /${aws:x}": "read"}', "write"),
        ('{"GET /$x": "read"}', "a path starts"),
        ('{"GET /m%61ps": "read"}', "a path starts"),
        ('{"GET /m\u00fcnchen": "read"}', "a path starts"),
        ('{"GET /maps/": "read"}', "'GET /maps/': leave out the last slash"),
        ('{"GET //maps": "read"}', "no empty segment"),
        ('{"GET /maps/../x": "read"}', "no empty segment"),
        ('{"GET /maps": ["read"]}', "'GET /maps': expected scopes separated by spaces"),
        ('{"GET /maps": null}', "'GET /maps': expected scopes separated by spaces"),
        ('{"GET /maps": "read  write"}', "'GET /maps': '' is no scope-token"),
        ('{"GET /maps": "r\\u00e9ad"}', "is no scope-token"),
        ('{"GET /maps": "read", "GET /maps": ""}', "'GET /maps' is there twice"),
        (json.dumps({f"* /{number}": "read" for number in range(15)}), "105 methods and paths, 100 at most"),
    ],
)
def test_bad_rules_are_named(text: str, complaint: str) -> None:
    with pytest.raises(ScopeRulesError, match=complaint):
        parse(text)


def test_rules_fit_into_the_characters_of_a_stage_variable() -> None:
    value = to_stage_variable(MAPS)
    assert re.fullmatch(r"[A-Za-z0-9-._~:/?#&=,]{1,512}", value)
    assert from_stage_variable(value) == compiled(tuple(MAPS.items()))
    assert from_stage_variable(value + "=" * (-len(value) % 4)) == compiled(tuple(MAPS.items()))


def test_rules_that_are_too_long_for_one_are_refused_with_how_much_is_too_much() -> None:
    rules: dict[str, str] = {f"GET /{'x' * 30}/{number}": "read" for number in range(9)}
    with pytest.raises(ScopeRulesError, match=r"characters as a stage variable, 512 at most: take \d+ out"):
        to_stage_variable(rules)


@pytest.mark.parametrize(
    "value", ["", "!", "e30", "W10", "eyJ4IjogIiJ9", "_w", "é", "A", '{"GET /maps":"x"}']
)
def test_a_stage_variable_that_holds_no_rules_is_refused(value: str) -> None:
    with pytest.raises(ScopeRulesError):
        from_stage_variable(value)


@given(st.text(max_size=40))
def test_any_text_is_rules_or_an_error(text: str) -> None:
    for read in (parse, from_stage_variable):
        try:
            outcome: Any = read(text)
        except ScopeRulesError:
            continue
        assert outcome
