"""CloudWatch Logs' filter patterns for FilterLogEvents. moto supports a few of them and returns all events for the others.

Supported are terms (`ERROR`, `"a phrase"`, `-not`, `?either ?or`, `%regex%`) and JSON patterns
(`{ $.image_id = "0068*" && $.width >= 80 }`, with `||`, brackets, IS NULL, IS TRUE, IS FALSE, EXISTS and NOT EXISTS).
Other patterns, such as space-delimited ones, raise PatternError.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

from __future__ import annotations

import functools
import json
import operator
import re
from collections.abc import Callable
from typing import Any

Test = Callable[[Any], bool]
_ABSENT = object()
_ORDER = {">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le}
_TERM = re.compile(r"""\s*([-?]?)(?:"((?:[^"\\]|\\.)*)"|%([^%]+)%|([^\s"%{}\[\]]+))""")
_TOKEN = re.compile(r'\s*(\(|\)|&&|\|\||!=|>=|<=|=|>|<|"(?:[^"\\]|\\.)*"|%[^%]+%|[^\s()=<>!&|"%]+)')


class PatternError(ValueError):
    """The pattern is not supported."""


@functools.lru_cache(maxsize=64)
def compiled(pattern: str) -> Callable[[str], bool]:
    """The pattern as a test for log messages. Raises PatternError."""
    text = pattern.strip()
    if not text:
        return lambda message: True
    if text.startswith("{") and text.endswith("}"):
        test = _Json(text[1:-1]).parse()
        return lambda message: _holds(test, message)
    return _terms(text)


def _holds(test: Test, message: str) -> bool:
    try:
        content = json.loads(message)
    except ValueError:
        return False
    return isinstance(content, dict) and test(content)


def _terms(text: str) -> Callable[[str], bool]:
    """A test for all plain terms and none of the `-` terms. `?` terms (any of them) apply only without others, as on AWS."""
    found: dict[str, list[Callable[[str], bool]]] = {"": [], "-": [], "?": []}
    position = 0
    while position < len(text):
        match = _TERM.match(text, position)
        if match is None:
            raise PatternError(text)
        sign, phrase, expression, word = match.groups()
        found[sign].append(_matching(expression) if expression else _containing(word or _unescaped(phrase)))
        position = match.end()
    wanted, unwanted, either = found[""], found["-"], found["?"]
    if not wanted and not unwanted:
        return lambda message: any(term(message) for term in either)
    return lambda message: all(term(message) for term in wanted) and not any(term(message) for term in unwanted)


def _containing(part: str) -> Callable[[str], bool]:
    return lambda message: part in message


def _matching(expression: str) -> Callable[[str], bool]:
    try:
        found = re.compile(expression).search
    except re.error as error:
        raise PatternError(expression) from error
    return lambda message: found(message) is not None


def _unescaped(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted)


class _Json:
    """A parser for the pattern between braces. && binds stronger than ||."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[str] = []
        position, end = 0, len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None:
                raise PatternError(text)
            self._tokens.append(match[1])
            position = match.end()

    def parse(self) -> Test:
        test = self._either()
        if self._tokens:
            raise PatternError(self._text)
        return test

    def _either(self) -> Test:
        tests = [self._all()]
        while self._skip("||"):
            tests.append(self._all())
        return lambda content: any(test(content) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._skip("&&"):
            tests.append(self._one())
        return lambda content: all(test(content) for test in tests)

    def _one(self) -> Test:
        if self._skip("("):
            test = self._either()
            if not self._skip(")"):
                raise PatternError(self._text)
            return test
        selector, relation = self._next(), self._next()
        if not selector.startswith("$."):
            raise PatternError(self._text)
        if relation in ("IS", "NOT", "EXISTS"):
            return _state(selector, relation if relation == "EXISTS" else f"{relation} {self._next()}", self._text)
        return _comparison(selector, relation, self._next(), self._text)

    def _skip(self, token: str) -> bool:
        if self._tokens[:1] != [token]:
            return False
        self._tokens.pop(0)
        return True

    def _next(self) -> str:
        if not self._tokens:
            raise PatternError(self._text)
        return self._tokens.pop(0)


def _state(selector: str, state: str, text: str) -> Test:
    states: dict[str, Callable[[Any], bool]] = {
        "EXISTS": lambda value: value is not _ABSENT,
        "NOT EXISTS": lambda value: value is _ABSENT,
        "IS NULL": lambda value: value is None,
        "IS TRUE": lambda value: value is True,
        "IS FALSE": lambda value: value is False,
    }
    if state not in states:
        raise PatternError(text)
    return lambda content: states[state](_selected(content, selector))


def _comparison(selector: str, relation: str, operand: str, text: str) -> Test:
    """A comparison: numbers as numbers, other values as text with the wildcard `*`. An absent value equals nothing."""
    if relation in ("=", "!="):
        equal = _equality(operand)
        if relation == "=":
            return lambda content: equal(_selected(content, selector))
        return lambda content: _selected(content, selector) is not _ABSENT and not equal(_selected(content, selector))
    number = _number(operand)
    if relation not in _ORDER or number is None:
        raise PatternError(text)

    def ordered(content: Any) -> bool:
        value = _selected(content, selector)
        return isinstance(value, int | float) and bool(_ORDER[relation](value, number))

    return ordered


def _equality(operand: str) -> Callable[[Any], bool]:
    if operand.startswith("%"):
        matches = _matching(operand.strip("%"))
        return lambda value: isinstance(value, str) and matches(value)
    if not operand.startswith('"') and (number := _number(operand)) is not None:
        return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and value == number
    plain = _unescaped(operand[1:-1]) if operand.startswith('"') else operand
    whole = re.compile(".*".join(re.escape(part) for part in plain.split("*")), re.DOTALL)
    return lambda value: isinstance(value, str) and whole.fullmatch(value) is not None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _selected(content: Any, selector: str) -> Any:
    """`$.a.b[0]` in the content, or _ABSENT."""
    for name, index in re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", selector):
        if name and isinstance(content, dict) and name in content:
            content = content[name]
        elif index and isinstance(content, list) and int(index) < len(content):
            content = content[int(index)]
        else:
            return _ABSENT
    return content
