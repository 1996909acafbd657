"""The rules for the routes of an API: what they say, held against IAM's reading of the policy."""

import json
import re
import time
from collections.abc import Iterator
from itertools import product
from typing import Any
from urllib.parse import unquote

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


OUTSIDE = [
    "/maps/../admin/users",
    "/maps/x/../../admin",
    "/maps/%2e%2e/admin/users",
    "/maps/%2E./admin/users",
    "/maps/..%2fadmin",
    "/maps/..%2Fadmin",
    "/maps/..",
    "/maps/..;/admin",
    "/maps/..%3B/admin",
    "/maps/..\\admin",
    "/maps/..%5cadmin",
    "/maps/..%5Cadmin",
    "/maps/%252e%252e/admin",
    "/maps/%%32e%%32e/admin",
    "/maps/%2%65%2%65/admin",
    "/maps/.%u002e/admin",
    "/maps/.%c0%ae/admin",
    "/maps/..%C0%AFadmin",
    "/maps/..%e0%80%afadmin",
    "/maps/..%3b/admin",
    "/maps/.%U002e/admin",
    "/maps/..%c1%9cadmin",
    "/maps/..%C1%9Cadmin",
    "/maps/..%E0%80%AFadmin",
    "/maps/..%f0%80%80%afadmin",
    "/maps/..%F0%80%80%AFadmin",
    "/maps/.",
    "/maps/./",
    "/maps//",
    "/maps/%2f",
]


@pytest.mark.parametrize("path", OUTSIDE)
@pytest.mark.parametrize("others", [{}, {"GET /admin/*": "admin"}, {"* /*": "read admin"}])
def test_another_spelling_gets_nobody_out_of_what_a_rule_opens(path: str, others: dict[str, str]) -> None:
    assert not may("read", f"GET {path}", {"GET /maps/*": "read"} | others)


@pytest.mark.parametrize(
    "path", ["/admin%00/open", "/admin%1a/open", "/admin%3f/open", "/admin%3F/open", "/admin%23/open"]
)
def test_what_a_backend_may_cut_off_opens_nothing(path: str) -> None:
    assert not may("", f"GET {path}", {"GET /*/open": ""})


def test_what_api_gateway_has_decoded_opens_nothing() -> None:
    """It does so for HTTP APIs, and cuts off a query there. No policy can name a question mark."""
    rules = {"GET /*/open": ""}
    assert not may("", "GET /admin#/open", rules)
    assert not access("", rules).covers("GET", "/admin?/open")


def test_half_an_encoded_letter_is_none() -> None:
    """A backend that decodes `%61` reads `/a`, which no rule opens."""
    assert not may("", "GET /%61", {"GET /*61": ""})
    assert may("", "GET /x61", {"GET /*61": ""})


@pytest.mark.parametrize("path", [*OUTSIDE, "/maps/", "/maps/Z%C3%BCrich", "/%61dmin"])
def test_where_the_method_alone_decides_paths_are_spelt_as_one_likes(path: str) -> None:
    rules = {"GET /*": "read", "HEAD /*": "read", "POST /*": "write"}
    assert may("read", f"GET {path}", rules)
    assert not may("read", f"POST {path}", rules)


@pytest.mark.parametrize(
    "path",
    [
        "/maps/a%20map",
        "/maps/Z%C3%BCrich",
        "/maps/%e2%82%ac",
        "/maps/%E0%A4%85",
        "/maps/%F0%9F%8D%8E",
        "/maps/a%40b%2Cc",
        "/maps/a@b",
        "/maps/.hidden",
        "/maps/..hidden/v1...2",
    ],
)
def test_letters_may_be_encoded_where_nothing_is_taken_away(path: str) -> None:
    assert may("read admin", f"GET {path}", SECRET)
    assert may("read", f"GET {path}", {"GET /maps/*": "read", "POST /maps/*": "write"})


def test_what_is_below_a_path_is_not_the_path_with_a_last_slash() -> None:
    """API Gateway takes `/maps/` to the route `/maps`."""
    assert not may("read", "GET /maps/", {"GET /maps/*": "read"})
    assert not may("read", "GET /maps/", {"GET /maps/**": "read"})
    assert not may("read", "GET /maps/", {"GET /maps/*": "read", "GET /maps": "admin"})
    assert not may("read", "GET /maps/", {"GET /maps/*": "admin", "GET /maps": "read"})
    assert may("read", "GET /maps/", {"GET /maps/*": "read", "GET /maps": "read"})
    assert may("read", "GET /maps/1/", {"GET /maps/*": "read"})
    assert not may("read", "GET /maps/", {"GET /*/*": "read"})
    assert may("read", "GET /maps/1/", {"GET /*/*": "read"})
    assert may("read", "GET /", {"GET /*": "read"})


def test_case_counts_as_it_does_for_api_gateway() -> None:
    assert not may("maps:read", "GET /Maps/1")
    assert not may("maps:read", "get /maps/1")


@pytest.mark.parametrize("call", ["POST /maps/", "POST /maps"])
def test_a_path_is_meant_with_and_without_its_last_slash(call: str) -> None:
    assert may("maps:write", call)


def test_a_policy_names_what_it_takes_away_only_where_it_gives() -> None:
    assert access("maps:write", MAPS).refused == ()
    assert [rule.path for rule in access("maps:read", MAPS).refused] == ["/maps/*/members"]


PATTERNS = st.lists(
    st.sampled_from(["/a", "/b", "/ab", "/*", "/a*", "*/a", "/*1"]), min_size=1, max_size=3
).map(lambda parts: re.sub(r"\*+", "*", "".join(part if part[0] == "/" else f"/{part}" for part in parts)))
SCOPES = st.sampled_from(["", "r", "w", "r w"])
RULES = st.dictionaries(
    st.builds("{} {}".format, st.sampled_from(["GET", "POST", "*"]), PATTERNS), SCOPES, min_size=1, max_size=6
)


def _paths(*parts: str) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(parts), max_size=6).map(lambda parts: "/" + "".join(parts).lstrip("/"))


PLAIN = ("/a", "/b", "/ab", "/", "a", "1")
PATHS = _paths(*PLAIN, ".", "..", "%61", ";", "\\", "/.", "\n", "é")


@example({"GET /*": "", "GET /a": "w"}, "", "GET", "/a/")
@example({"* /a": ""}, "", "GET", "/b/a")
@example({"GET /a/*": ""}, "", "GET", "/a/")
@given(RULES, SCOPES, st.sampled_from([*METHODS, "TRACE"]), PATHS)
def test_the_policy_says_what_the_rules_say(
    rules: dict[str, str], scope: str, method: str, path: str
) -> None:
    answer = may(scope, f"{method} {path}", rules)
    satisfied = _says(rules, scope, method, path)
    assert satisfied or not answer  # Never more than the rules say,
    if not re.search(r"[%;\\]|//|/\.{1,2}(/|$)", path):
        assert answer is satisfied  # and never less, in plain spelling.


BELOW_A = {"GET /a/*": "r", "GET /b/*": "w"}


@example(BELOW_A, "r", "GET", "/a/../b/a")
@example(BELOW_A, "r", "GET", "/a/%2e%2e/b/a")
@example(BELOW_A, "r", "GET", "/a/..%2fb/a")
@example(BELOW_A, "r", "GET", "/a/%252e%252e/b/a")
@example(BELOW_A, "r", "GET", "/a/%%32e./b/a")
@example(BELOW_A, "r", "GET", "/a/%2%65./b/a")
@example({"GET /*1": ""}, "", "GET", "/%61")
@example({"GET /*/a": ""}, "", "GET", "/b%3f/a")
@given(
    RULES,
    SCOPES,
    st.sampled_from(["GET", "POST"]),
    _paths(
        *PLAIN,
        *(".", "..", "/../", ";", "\\", "#", "%", "e", "f", "2e", "é"),
        *(
            "%61",
            "%2e",
            "%2E",
            "%2f",
            "%2F",
            "%5c",
            "%5C",
            "%3b",
            "%3f",
            "%23",
            "%25",
            "%32",
            "%65",
            "%C3%BC",
        ),
    ),
)
def test_no_backend_reads_a_path_as_one_that_is_refused(
    rules: dict[str, str], scope: str, method: str, path: str
) -> None:
    if may(scope, f"{method} {path}", rules):
        for reading in _readings(path):
            assert _says(rules, scope, method, reading), reading


def _readings(path: str) -> Iterator[str]:
    """Return what backends may make of a path: they decode it, twice too, and resolve its segments."""
    for decoded in (path, unquote(path), unquote(unquote(path))):
        for cut, backslash, parameters, slashes, dots in product((False, True), repeat=5):
            read = re.split(r"[?#\0]", decoded)[0] if cut else decoded
            read = read.replace("\\", "/") if backslash else read
            read = re.sub(";[^/]*", "", read) if parameters else read
            read = re.sub("/+", "/", read) if slashes else read
            yield _resolved(read) if dots else read


def _resolved(path: str) -> str:
    segments: list[str] = []
    for segment in path.split("/")[1:]:
        if segment == "..":
            segments = segments[:-1]
        elif segment != ".":
            segments.append(segment)
    return "/" + "/".join(segments)


def _says(rules: dict[str, str], scope: str, method: str, path: str) -> bool:
    """Tell what the rules say, whatever the policy: of the path as it is, and of its route."""
    given_scopes = set(scope.split())
    route = path.removesuffix("/") or "/"
    matching = [rule for rule in rules if _is_about(rule, method, path)]
    return all(set(rules[rule].split()) <= given_scopes for rule in matching) and any(
        _is_about(rule, method, route) for rule in matching
    )


def _is_about(rule: str, method: str, path: str) -> bool:
    wanted, _, pattern = rule.partition(" ")
    if wanted != method and not (wanted == "*" and method in METHODS):
        return False
    end = "" if pattern.endswith("*") or pattern == "/" else "/?"
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*") + end, path, re.DOTALL) is not None


@given(RULES, SCOPES)
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


@pytest.mark.parametrize("stars", [1, 2, 3, 6])
def test_no_path_takes_longer_than_it_is_long(stars: int) -> None:
    """A path of API Gateway has up to 8 KB. With three stars it took minutes of the authorizer."""
    letters = "bcdefg"[:stars]
    rule = "GET /a/*" + "".join(f"/{letter}/*" for letter in letters) + "/end"
    access = compiled(((rule, "read"),)).access(["read"])
    path = "/a" + "".join(f"/{letter}" * (4000 // stars) for letter in letters)
    began = time.process_time()
    assert access.covers("GET", f"{path}/x/end")
    assert not access.covers("GET", path)
    assert time.process_time() - began < 0.1
