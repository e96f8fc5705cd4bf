"""The kinds of query parameters: text that is read as a number, a day, a choice or an id."""

from __future__ import annotations

import re
from datetime import date
from typing import TypeVar

from imagewatch.api.operation import IMAGE_ID, SLUG, Parameter, TextKind

T = TypeVar("T")
MAX_IDS = 100
"""Ids that one request may name: their URL stays below the 10,240 bytes that an HTTP API accepts for a request line and headers.

Source: API Gateway developer guide, "Quotas for configuring and running an HTTP API"."""

_WHOLE = re.compile(r"[0-9]{1,9}")
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


def whole(lowest: int, highest: int) -> TextKind:
    """A whole number in decimal digits."""

    def read(text: str) -> int:
        return _within(int(_matching(_WHOLE, text)), lowest, highest)

    schema = {"type": "integer", "minimum": lowest, "maximum": highest}
    return TextKind(read, f"a whole number from {lowest} to {highest}", schema)


def number(lowest: float, highest: float) -> TextKind:
    """A number in decimal digits, without an exponent."""

    def read(text: str) -> float:
        return _within(float(_matching(_NUMBER, text)), lowest, highest)

    schema = {"type": "number", "minimum": lowest, "maximum": highest}
    return TextKind(read, f"a number from {lowest:g} to {highest:g}, such as 80 or 72.5", schema)


def text(longest: int) -> TextKind:
    """Any text without control characters."""

    def read(value: str) -> str:
        if len(value) > longest or not value.isprintable():
            raise ValueError
        return value

    return TextKind(read, f"text of at most {longest} characters on one line", {"type": "string", "maxLength": longest})


def choice(*allowed: str) -> TextKind:
    """One of several words."""

    def read(value: str) -> str:
        if value not in allowed:
            raise ValueError
        return value

    return TextKind(read, f"one of {', '.join(allowed)}", {"type": "string", "enum": list(allowed)})


def _pattern(pattern: str, must: str) -> TextKind:
    return TextKind(lambda value: _matching(re.compile(pattern), value), must, {"type": "string", "pattern": pattern})


def _day(value: str) -> str:
    _matching(re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"), value)
    return date.fromisoformat(value).isoformat()


def _flag(value: str) -> bool:
    if value not in ("true", "false"):
        raise ValueError
    return value == "true"


ID = _pattern(IMAGE_ID, "an image's id: 32 digits of 0-9 and a-f")
RULE_ID = _pattern(SLUG, "the id of a rule, such as person-at-gate")
DAY = TextKind(_day, "a day such as 2027-01-31", {"type": "string", "format": "date"})
FLAG = TextKind(_flag, "true or false", {"type": "boolean"})

CURSOR = Parameter("cursor", text(2_000), "Where the next page begins: `NextCursor` of the page before.", "")
IMAGE_IDS = Parameter("id", ID, "An image's id. Repeat the parameter for up to 100 images.", required=True, repeated=True)
MIN_CONFIDENCE = Parameter(
    "min_confidence", number(0, 100), "The lowest confidence, 0 to 100, of the findings that are considered.", 0.0
)


def limit(default: int, highest: int) -> Parameter:
    """How many entries a page has."""
    return Parameter("limit", whole(1, highest), "How many entries the page has at most.", default)


def _matching(pattern: re.Pattern[str], value: str) -> str:
    if not pattern.fullmatch(value):
        raise ValueError
    return value


def _within(value: T, lowest: T, highest: T) -> T:
    if not lowest <= value <= highest:  # type: ignore[operator]
        raise ValueError
    return value
