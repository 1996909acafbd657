"""`docs/openapi.yaml`, and what it says of an answer."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from chalice.local import RouteMatcher
from jsonschema import Draft202012Validator

import app
from tests.harness import FORM, Answer


class _Strict(yaml.SafeLoader):
    """Refuses what YAML lets pass: of two members with one name, the last counts."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [self.construct_object(name, deep=True) for name, _ in node.value]
        twice = sorted({name for name in names if names.count(name) > 1})
        assert not twice, f"{twice} twice{node.start_mark}"
        return super().construct_mapping(node, deep)


DOCUMENT: dict[str, Any] = yaml.load(
    (Path(__file__).parent.parent / "docs" / "openapi.yaml").read_text(encoding="utf-8"),
    _Strict,  # nosec B506 # noqa: S506 (a SafeLoader)
)

POST_ONLY = (
    "/oauth2/access_token",
    "/oauth2/token",
    "/oauth2/device_authorization",
    "/oauth2/revoke",
    "/oauth2/introspect",
)
"""Other methods are routed so that they get an OAuth error, and are not documented."""

TELLING = ("allow", "location", "retry-after", "set-cookie", "www-authenticate")
"""Headers that are documented wherever an answer has them."""

_routes = RouteMatcher(list(app.app.routes))
_validators: dict[int, tuple[Mapping[str, Any], Draft202012Validator]] = {}
"""By the identity of a schema, with the schema: making one costs more than using it."""


def resolve(node: Any) -> Any:
    """Follow a reference."""
    while "$ref" in node:
        found: Any = DOCUMENT
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")]
        node = found
    return node


def check(schema: Mapping[str, Any], value: Any) -> None:
    """Hold a value against a schema, whose references are into the document.

    Members that the schema does not name are refused: they ought to be documented.
    """
    if id(schema) not in _validators:
        whole = {**DOCUMENT, **schema, "unevaluatedProperties": False}
        _validators[id(schema)] = schema, Draft202012Validator(whole)
    _validators[id(schema)][1].validate(value)


def operation(method: str, path: str) -> Any:
    return DOCUMENT["paths"][_routes.match_route(urlsplit(path).path).route][method.lower()]


def documented(answer: Answer, method: str, path: str, status: int) -> Answer:
    """Hold an answer against what the document says of it: status, headers, body."""
    assert answer.status == status, answer
    response = resolve(operation(method, path)["responses"][str(status)])
    headers = {name: resolve(header) for name, header in response.get("headers", {}).items()}
    for name, header in headers.items():
        check_header(answer, name, header)
    named = {name.lower() for name in headers}
    for name in TELLING:
        assert name in named or not _values(answer, name), f"{name} is not documented"
    content = response.get("content")
    if content is None:
        assert answer.body == ""
        return answer
    # The gateway calls what has no type JSON.
    media_type = answer.headers.get("content-type", "application/json").partition(";")[0]
    check(content[media_type]["schema"], answer.json if media_type == "application/json" else answer.body)
    return answer


def check_header(answer: Answer, name: str, header: Mapping[str, Any]) -> None:
    values = _values(answer, name.lower())
    assert values or not header.get("required"), f"{name} is missing"
    for value in values:
        check(header["schema"], int(value) if header["schema"]["type"] == "integer" else value)


def _values(answer: Answer, name: str) -> list[str]:
    """Return the values of a header, by its name in lower case."""
    if name == "set-cookie":
        return answer.set_cookies
    return [answer.headers[name]] if name in answer.headers else []


def check_redirect(answer: Answer) -> dict[str, str]:
    """Hold the parameters of a redirect against what an application is told to expect."""
    callback = resolve(operation("GET", "/oauth2/authorize")["callbacks"]["answer"])
    (expected,) = callback.values()
    parameters = {parameter["name"]: parameter for parameter in expected["get"]["parameters"]}
    assert {name for name, parameter in parameters.items() if parameter.get("required")} <= set(
        answer.redirect_params
    )
    for name, value in answer.redirect_params.items():
        check(parameters[name]["schema"], value)
    check(expected["post"]["requestBody"]["content"][FORM]["schema"], answer.redirect_params)
    return answer.redirect_params
