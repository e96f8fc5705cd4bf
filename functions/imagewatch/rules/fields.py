"""Reading a rule's record field by field. Whatever is wrong, a message names the field and says what it must be, and all of them
are collected, so that nobody has to put a rule right one try at a time."""

from __future__ import annotations

import difflib
import re
import reprlib
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from imagewatch.errors import InvalidRule
from imagewatch.timestamps import iso_utc

T = TypeVar("T")

SLUG = r"[a-z0-9][a-z0-9-]{0,63}"
_REQUIRED: Any = object()
_short = reprlib.Repr()
_short.maxstring = _short.maxother = 60


class Fields:
    """One level of a record. `where` begins each message, such as "Rule gate: AnyOf, entry 2".

    A field that can't be taken is noted in `problems`, and its default stands in for it (None where it has none) until `done`.
    """

    def __init__(self, where: str, record: Any, known: Iterable[str], like: str) -> None:
        """Raises InvalidRule when `record` isn't a mapping. A field that isn't known is a mistake: a typing error must not
        loosen a rule in silence."""
        self.where = where
        self.problems: list[str] = []
        self.mistyped: set[str] = set()
        """Fields that one which isn't known was probably meant for: that they are missing goes without saying."""
        if not isinstance(record, Mapping):
            raise InvalidRule(f"{where} must be {like}, not {_short.repr(record)}.")
        self._record = record
        known = list(known)
        for name in record:
            if name not in known:
                close = difflib.get_close_matches(str(name), known, 1)
                advice = f"Did you mean {close[0]}?" if close else f"Its fields are {', '.join(known)}."
                self.mistyped |= set(close)
                self.wrong(f"{_short.repr(name)} is not a field of it. {advice}")

    def __contains__(self, name: str) -> bool:
        return name in self._record

    def wrong(self, what: str) -> None:
        """Notes a mistake."""
        self.problems.append(f"{self.where}: {what}")

    def done(self) -> None:
        """Raises InvalidRule with everything that is wrong; what was taken counts only after this."""
        if self.problems:
            raise InvalidRule(*self.problems)

    def take(self, name: str, read: Callable[[Any], T], must: str, default: Any = _REQUIRED) -> T:
        """The field through `read`, which raises ValueError for what it can't take; `must` says what it can."""
        instead: Any = None if default is _REQUIRED else default
        if name not in self._record:
            if default is _REQUIRED and name not in self.mistyped:
                self.wrong(f"{name} is missing; it must be {must}.")
            return instead  # type: ignore[no-any-return]
        value = self._record[name]
        try:
            return read(value)
        except ValueError:
            self.wrong(f"{name} must be {must}, not {_short.repr(value)}.")
        except InvalidRule as error:  # of a level below, which names itself
            self.problems += error.problems
        return instead  # type: ignore[no-any-return]

    def line(self, name: str, longest: int, default: Any = _REQUIRED) -> str:
        """Text of one line, without space around it."""
        must = f"one line of text with 1 to {longest} characters"
        return self.take(name, lambda value: _line(value, longest), must, default)

    def flag(self, name: str, default: bool) -> bool:
        return self.take(name, _flag, "true or false", default)

    def number(self, name: str, lowest: float, highest: float, default: Any = _REQUIRED) -> float:
        return self.take(name, lambda value: _number(value, lowest, highest), f"a number from {lowest} to {highest}", default)

    def whole(self, name: str, lowest: int, highest: int, default: Any = _REQUIRED) -> int:
        must = f"a whole number from {lowest} to {highest}"
        return self.take(name, lambda value: _whole(value, lowest, highest), must, default)

    def choice(self, name: str, allowed: Iterable[str], default: str) -> str:
        allowed = tuple(allowed)
        return self.take(name, lambda value: _choice(value, allowed), f"one of {', '.join(allowed)}", default)

    def moment(self, name: str) -> str:
        """A moment as ISO 8601 in UTC, empty when it isn't given."""
        return self.take(name, _moment, "a date and time with its offset, such as 2027-01-31T08:00:00Z", "")

    def texts(
        self, name: str, read: Callable[[Any], str], must: str, default: tuple[str, ...] = (), most: int = 100
    ) -> tuple[str, ...]:
        """A list of different texts, each through `read`."""
        return self.take(name, lambda value: _texts(value, read, most), f"a list with 1 to {most} entries, each {must}", default)

    def entries(self, name: str, most: int, read: Callable[[str, Any], T], default: Any = _REQUIRED) -> tuple[T, ...]:
        """A list's entries through `read`, which is told the place of each for messages: "Rule gate: AnyOf, entry 2"."""
        listed = self.take(name, _list, "a list", default) or []
        if len(listed) > most:
            self.wrong(f"{name} must be a list with at most {most} entries, not {len(listed)}.")
        found = []
        for number, value in enumerate(listed[:most], 1):
            try:
                found.append(read(f"{self.where}: {name}, entry {number}", value))
            except InvalidRule as error:
                self.problems += error.problems
        return tuple(found)


def slug(value: Any) -> str:
    """A name that fits into URLs, keys and commands. Raises ValueError."""
    if isinstance(value, str) and re.fullmatch(SLUG, value):
        return value
    raise ValueError


def _line(value: Any, longest: int) -> str:
    if not isinstance(value, str) or any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in value):
        raise ValueError
    text = value.strip()
    if not 1 <= len(text) <= longest:
        raise ValueError
    return text


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError  # noqa: TRY004 - the caller's one word for "can't be read"
    return value


def _number(value: Any, lowest: float, highest: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not lowest <= value <= highest:
        raise ValueError
    return float(value)


def _whole(value: Any, lowest: int, highest: int) -> int:
    number = _number(value, lowest, highest)
    if number != int(number):
        raise ValueError
    return int(number)


def _choice(value: Any, allowed: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in allowed:
        raise ValueError
    return value


def _moment(value: Any) -> str:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    # YAML reads an unquoted date and time as a datetime.
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise ValueError
    return iso_utc(moment)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise ValueError  # noqa: TRY004
    return list(value)


def _texts(value: Any, read: Callable[[Any], str], most: int) -> tuple[str, ...]:
    listed = _list(value)
    if not 1 <= len(listed) <= most:
        raise ValueError
    return tuple(dict.fromkeys(read(entry) for entry in listed))
