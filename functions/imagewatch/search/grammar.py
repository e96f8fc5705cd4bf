"""Reads a query from text.

    query  = or-part, with `sort:` anywhere
    or     = and {"or" and}
    and    = not {["and"] not}            two parts side by side mean "and"
    not    = {"not" | "-"} atom
    atom   = "(" or ")" | [field ":"] value [":" confidence] | "taken:" days | "time:" from "-" to
    value  = word | "quoted text"

Case and accents don't matter. A mistake names its position in characters.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from imagewatch.errors import InvalidQuery
from imagewatch.search.query import (
    FIELDS,
    LABEL,
    SORTS,
    STATUSES,
    WITH_CONFIDENCE,
    Node,
    Query,
    Taken,
    Term,
    TimeOfDay,
    conjunction,
    disjunction,
)
from imagewatch.search.query import Not as Not
from imagewatch.text import comparable

MAX_LENGTH = 2_000  # characters
MAX_TERMS = 100
MAX_DEPTH = 30  # of parentheses and negations

_ALL_FIELDS = ", ".join((*FIELDS, "taken", "time", "sort"))
_TOKEN = re.compile(r"""\s*(?:(?P<open>\()|(?P<close>\))|(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<word>[^\s()"]+))""")
_DAY = re.compile(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?")
_MINUTE = re.compile(r"(\d{1,2}):(\d{2})")


@dataclass(frozen=True)
class _Token:
    kind: str
    """open, close, text, or end."""
    text: str
    start: int
    quoted: bool = False
    glued: bool = False
    """It follows the token before it without a space."""

    @property
    def keyword(self) -> str:
        return "" if self.quoted else self.text.casefold()


def parse(text: str) -> Query:
    """The query that the text means. Raises InvalidQuery with the place of the first mistake (characters, from 0)."""
    if len(text) > MAX_LENGTH:
        raise InvalidQuery(f"The query has {len(text):,} characters; {MAX_LENGTH:,} are allowed. Make it shorter.", MAX_LENGTH)
    return _Parser(text).query()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._at = 0
        self._depth = 0
        self._terms = 0
        self._sort: str | None = None

    def query(self) -> Query:
        where = self._or() if self._peek().kind != "end" else None
        if self._peek().kind == "close":
            raise InvalidQuery('This ")" closes nothing. Remove it, or open it with "(".', self._peek().start)
        return Query(where, self._sort or "newest")

    def _or(self) -> Node | None:
        parts = [self._and()]
        while self._peek().keyword == "or":
            operator = self._next()
            parts.append(self._operand(self._and, operator))
        return disjunction([part for part in parts if part])

    def _and(self) -> Node | None:
        parts = [self._not()]
        while True:
            token = self._peek()
            if token.keyword == "and":
                self._next()
                parts.append(self._operand(self._not, token))
            elif token.kind in ("end", "close") or token.keyword == "or":
                return conjunction([part for part in parts if part])
            else:
                parts.append(self._not())

    def _operand(self, read: Callable[[], Node | None], operator: _Token) -> Node | None:
        if self._peek().kind in ("end", "close") or self._peek().keyword in ("and", "or"):
            raise InvalidQuery(f'Nothing follows "{operator.text}". Write a term after it, or remove it.', operator.start)
        return read()

    def _not(self) -> Node | None:
        token = self._peek()
        if token.keyword == "not":
            self._next()
            part = self._deeper(lambda: self._operand(self._not, token), token)
            if part is None:
                raise InvalidQuery('"not" needs a term; sort: is none.', token.start)
            return part.part if isinstance(part, Not) else Not(part)
        if token.kind == "open":
            return self._parenthesis()
        if token.keyword in ("and", "or"):
            raise InvalidQuery(
                f'There is nothing before "{token.text}". To search for the word, write "{token.text}" in quotes.', token.start
            )
        return self._atom()

    def _parenthesis(self) -> Node | None:
        opening = self._next()
        if self._peek().kind == "close":
            raise InvalidQuery("There is nothing between these parentheses.", opening.start)
        if self._peek().kind == "end":
            raise InvalidQuery('This "(" is never closed. Add a ")".', opening.start)
        inner = self._deeper(self._or, opening)
        if self._peek().kind != "close":
            raise InvalidQuery('This "(" is never closed. Add a ")".', opening.start)
        self._next()
        return inner

    def _deeper(self, read: Callable[[], Node | None], token: _Token) -> Node | None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise InvalidQuery(f"The query is nested more than {MAX_DEPTH} levels deep here. Make it flatter.", token.start)
        found = read()
        self._depth -= 1
        return found

    def _atom(self) -> Node | None:
        token = self._next()
        if token.quoted:
            return self._term(LABEL, token.text, self._glued_confidence(), token)
        name, colon, rest = token.text.partition(":")
        field = name.casefold()
        if not colon:
            return self._term(LABEL, token.text, None, token)
        if not rest and self._peek().quoted and self._peek().glued:
            quoted = self._next()
            return self._field(field, quoted.text, self._glued_confidence(), token)
        if field in (*FIELDS, "taken", "time", "sort"):
            if not rest:
                raise InvalidQuery(f'Nothing follows "{name}:". Write its value directly behind the colon.', token.start)
            if field in WITH_CONFIDENCE and ":" in rest:
                rest, _, confidence = rest.rpartition(":")
                return self._field(
                    field, rest, self._confidence(confidence, token.start + len(token.text) - len(confidence)), token
                )
            return self._field(field, rest, None, token)
        value, _, confidence = token.text.rpartition(":")
        if re.fullmatch(r"[\d.,]+%?", confidence):
            return self._term(LABEL, value, self._confidence(confidence, token.start + len(value) + 1), token)
        raise InvalidQuery(
            f'"{name}:" is not a field. Fields: {_ALL_FIELDS}.'
            " A confidence is a number: person:90. Put a name that has a colon in quotes.",
            token.start,
        )

    def _field(self, field: str, value: str, confidence: float | None, token: _Token) -> Node | None:
        if field == "sort":
            self._set_order(value, token)
            return None
        if field == "taken":
            return _days(value, token.start + len("taken:"))
        if field == "time":
            return _time_of_day(value, token.start + len("time:"))
        if field not in FIELDS:
            raise InvalidQuery(
                f'"{field}:" is not a field. Fields: {", ".join((*FIELDS, "taken", "time", "sort"))}.', token.start
            )
        if field == "status" and value.casefold() not in STATUSES:
            raise InvalidQuery(f'"{value}" is not a status. Statuses: {", ".join(STATUSES)}.', token.start + len("status:"))
        if confidence is not None and field not in WITH_CONFIDENCE:
            raise InvalidQuery(f'"{field}:" has no confidence. Remove it.', token.start)
        return self._term(field, value, confidence, token)

    def _set_order(self, value: str, token: _Token) -> None:
        if value.casefold() not in SORTS:
            raise InvalidQuery(f'"{value}" is not an order. Orders: {", ".join(SORTS)}.', token.start + len("sort:"))
        if self._sort is not None:
            raise InvalidQuery("The order is given twice. Remove one of them.", token.start)
        self._sort = value.casefold()

    def _term(self, field: str, value: str, confidence: float | None, token: _Token) -> Term:
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise InvalidQuery(f"The query has more than {MAX_TERMS} terms. Make it shorter.", token.start)
        words = comparable(value)
        if not words:
            raise InvalidQuery(f'"{value}" has no letter and no digit, so nothing can match it.', token.start)
        return Term(words, field, confidence)

    def _glued_confidence(self) -> float | None:
        token = self._peek()
        if token.kind != "text" or token.quoted or not token.glued or not token.text.startswith(":"):
            return None
        self._next()
        return self._confidence(token.text[1:], token.start + 1)

    @staticmethod
    def _confidence(text: str, at: int) -> float:
        try:
            number = float(text.rstrip("%"))
        except ValueError:
            number = -1.0
        if not 0 <= number <= 100:
            raise InvalidQuery(f'"{text}" is not a confidence. Write a number from 0 to 100.', at)
        if 0 < number <= 1:
            raise InvalidQuery(f'"{text}" looks like a fraction. A confidence is a percentage: write {number * 100:g}.', at)
        return number

    def _peek(self) -> _Token:
        return self._tokens[self._at]

    def _next(self) -> _Token:
        token = self._tokens[self._at]
        self._at += token.kind != "end"
        return token


def _tokens(text: str) -> list[_Token]:
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match:
            rest = text[at:].lstrip()
            if not rest:
                break
            raise InvalidQuery('This quotation mark is never closed. Add another ".', len(text) - len(rest))
        kind = str(match.lastgroup)
        start, value = match.start(kind), match.group(kind)
        glued = start == at and at > 0
        if kind == "quoted":
            found.append(_Token("text", re.sub(r"\\(.)", r"\1", value[1:-1]), start, True, glued))
        elif kind == "word" and value.startswith("-") and len(value) > 1 and not glued:
            found += [_Token("text", "not", start), _Token("text", value[1:], start + 1)]
        else:
            found.append(_Token("text" if kind == "word" else kind, value, start, False, glued))
        at = match.end()
    return [*found, _Token("end", "", len(text))]


def _days(value: str, at: int) -> Taken:
    """2026, 2026-05, 2026-05-17, or two of them with .. between; one side may be missing."""
    first, dots, last = value.partition("..")
    if not dots:
        return Taken(*_span(value, at))
    start = _span(first, at)[0] if first else ""
    end = _span(last, at + len(first) + 2)[1] if last else ""
    if not start and not end:
        raise InvalidQuery('"taken:" needs a day on at least one side of "..".', at)
    if start and end and start > end:
        raise InvalidQuery(f"{start} is after {end}. Exchange the two days.", at)
    return Taken(start, end)


def _span(text: str, at: int) -> tuple[str, str]:
    """The first and the last day that a year, a month or a day stands for."""
    match = _DAY.fullmatch(text)
    if not match:
        raise InvalidQuery(f'"{text}" is not a day. Write 2026, 2026-05 or 2026-05-17, or two of them with .. between.', at)
    year, month, day = (int(part) if part else 0 for part in match.groups())
    try:
        first = date(year, month or 1, day or 1)
        last = date(year, month or 12, day or calendar.monthrange(year, month or 12)[1])
    except ValueError:
        raise InvalidQuery(f"The day {text} does not exist.", at) from None
    return first.isoformat(), last.isoformat()


def _time_of_day(value: str, at: int) -> TimeOfDay:
    start, dash, end = value.partition("-")
    minutes = [_minute(start, at), _minute(end, at + len(start) + 1)] if dash else []
    if not minutes:
        raise InvalidQuery(f'"{value}" is not a time of day. Write 22:00-06:00.', at)
    if minutes[0] == minutes[1]:
        raise InvalidQuery("The time of day starts and ends at the same minute.", at)
    return TimeOfDay(*minutes)


def _minute(text: str, at: int) -> int:
    match = _MINUTE.fullmatch(text)
    hour, minute = (int(part) for part in match.groups()) if match else (99, 99)
    if hour > 24 or minute > 59 or hour * 60 + minute > 1440:
        raise InvalidQuery(f'"{text}" is not a time of day. Write hours and minutes: 22:00-06:00.', at)
    return hour * 60 + minute
