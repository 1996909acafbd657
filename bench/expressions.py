"""DynamoDB's expressions, as far as pynamodb writes them: conditions, key conditions and updates."""

import re
from collections.abc import Callable, Mapping
from typing import Any

Item = dict[str, Any]
"""A row, with its attributes as DynamoDB writes them: `{"grant_id": {"S": "..."}}`."""

_TOKEN = re.compile(r"\s*(<=|>=|<>|[=<>(),+-]|[A-Za-z_]+|[#:][A-Za-z0-9_]+)")
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: bool(left == right),
    "<>": lambda left, right: bool(left != right),
    "<": lambda left, right: bool(left < right),
    ">": lambda left, right: bool(left > right),
    "<=": lambda left, right: bool(left <= right),
    ">=": lambda left, right: bool(left >= right),
}


class Expressions:
    """The expressions of one request, with the names and values that they refer to."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        self._names: Mapping[str, str] = request.get("ExpressionAttributeNames") or {}
        self._values: Mapping[str, Item] = request.get("ExpressionAttributeValues") or {}
        self._tokens: list[str] = []
        self._item: Item = {}

    def holds(self, condition: str | None, item: Item | None) -> bool:
        """Tell whether a condition holds for a row, which is None if there is none."""
        if not condition:
            return True
        self._tokens, self._item = _TOKEN.findall(condition)[::-1], item or {}
        holds = self._any()
        if self._tokens:
            raise ValueError(condition)
        return holds

    def update(self, expression: str, item: Item) -> None:
        """Change a row by `SET`, `REMOVE` and `ADD`."""
        self._tokens, self._item = _TOKEN.findall(expression)[::-1], item
        action = ""
        while self._tokens:
            token = self._tokens.pop()
            if token in ("SET", "REMOVE", "ADD"):
                action = token
            elif token != ",":
                self._change(action, self._names[token])

    def _change(self, action: str, name: str) -> None:
        if action == "REMOVE":
            self._item.pop(name, None)
            return
        if action == "SET":
            self._expect("=")
        value = self._values[self._tokens.pop()]
        if action == "ADD" and name in self._item:
            value = {"N": str(_number(self._item[name]) + _number(value))}
        self._item[name] = value

    def _any(self) -> bool:
        holds = self._all()
        while self._tokens and self._tokens[-1] == "OR":
            self._tokens.pop()
            holds = self._all() or holds
        return holds

    def _all(self) -> bool:
        holds = self._one()
        while self._tokens and self._tokens[-1] == "AND":
            self._tokens.pop()
            holds = self._one() and holds
        return holds

    def _one(self) -> bool:
        token = self._tokens.pop()
        if token == "NOT":
            return not self._one()
        if token == "(":
            holds = self._any()
            self._expect(")")
            return holds
        if token in ("attribute_exists", "attribute_not_exists", "begins_with"):
            return self._function(token)
        return _compare(self._operand(token), self._tokens.pop(), self._operand(self._tokens.pop()))

    def _function(self, function: str) -> bool:
        self._expect("(")
        name = self._names[self._tokens.pop()]
        if function == "begins_with":
            self._expect(",")
            start = self._values[self._tokens.pop()]["S"]
            self._expect(")")
            return name in self._item and str(self._item[name]["S"]).startswith(start)
        self._expect(")")
        return (name in self._item) == (function == "attribute_exists")

    def _operand(self, token: str) -> Item | None:
        return self._values[token] if token.startswith(":") else self._item.get(self._names[token])

    def _expect(self, token: str) -> None:
        found = self._tokens.pop()
        if found != token:
            raise ValueError(f"expected {token}, found {found}")


def _compare(left: Item | None, operator: str, right: Item | None) -> bool:
    if left is None or right is None:
        return operator == "<>" and left is not right
    if left.keys() != right.keys():
        return operator == "<>"
    if "N" in left:
        return _COMPARISONS[operator](_number(left), _number(right))
    return _COMPARISONS[operator](*left.values(), *right.values())


def _number(value: Item) -> int | float:
    text = value["N"]
    return float(text) if "." in text or "e" in text.lower() else int(text)
