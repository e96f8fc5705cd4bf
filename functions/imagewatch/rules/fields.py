"""Declares, reads and documents the fields of a rule.

A `Field` is declared once. The declaration validates a value, documents the field and generates its part of the JSON schema.
Reading collects every mistake as a `Problem`, so that all of them can be corrected at once.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from imagewatch.errors import InvalidRule, Problem
from imagewatch.timestamps import iso_utc

T = TypeVar("T")
Schema = Mapping[str, Any]

SLUG_PATTERN = r"[a-z0-9][a-z0-9-]{0,63}"
_MAX_SHOWN = 60  # characters of a wrong value in a message


@dataclass(frozen=True)
class Place:
    """Where a value is: its path for programs, its name for messages."""

    path: tuple[str | int, ...] = ()
    label: str = "A rule"
    """What people call the value: "AnyOf, entry 2 (car)"."""
    owner: str = ""
    """What it belongs to: "Rule gate"."""

    @property
    def name(self) -> str:
        return f"{self.owner}: {self.label}" if self.owner else self.label

    def field(self, name: str) -> Place:
        """The place of a field of this mapping."""
        return Place((*self.path, name), name, self.name)

    def entry(self, index: int) -> Place:
        """The place of an entry of this list; messages count from 1."""
        return Place((*self.path, index), f"{self.label}, entry {index + 1}", self.owner)


class Refused(ValueError):
    """A value that its kind refuses; the text is advice, in sentences."""


@dataclass(frozen=True)
class Kind(Generic[T]):
    """A kind of value."""

    read: Callable[[Any, Place], T]
    """Raises ValueError (or Refused, with advice) for a value of another kind, InvalidRule for one whose parts are wrong."""
    must: str
    """What the value must be, for messages: "a number from 0 to 100"."""
    schema: Schema
    definitions: Mapping[str, Schema] = field(default_factory=dict)
    """What the schema refers to below `$defs`."""


@dataclass(frozen=True)
class Field(Generic[T]):
    """A named field of a mapping."""

    name: str
    kind: Kind[T]
    description: str = ""
    """What the JSON schema and docs/watchlist.md say about it, in Markdown without links."""
    default: T | None = None
    """The value of a field that is left out."""
    required: bool = False
    example: str = ""
    """A value in JSON, for docs/watchlist.md."""
    deprecated: bool = False

    @property
    def schema(self) -> dict[str, Any]:
        shown = {"description": self.description.replace("`", "")} if self.description else {}
        # A default that its own kind refuses (no instances, no windows) stands for "left out".
        has_default = isinstance(self.default, bool) or (self.default and isinstance(self.default, str | int | float | tuple))
        default = {"default": _plain(self.default)} if has_default else {}
        return {**self.kind.schema, **shown, **default, **({"deprecated": True} if self.deprecated else {})}


@dataclass(frozen=True)
class Declaration:
    """The fields of a mapping, and what the mapping must be, for messages."""

    must: str
    fields: tuple[Field[Any], ...]
    constraints: Schema = field(default_factory=dict)
    """The JSON schema's keywords for checks that concern several fields."""

    @property
    def schema(self) -> dict[str, Any]:
        required = [one.name for one in self.fields if one.required]
        return {
            "type": "object",
            **({"required": required} if required else {}),
            "additionalProperties": False,
            "properties": {one.name: one.schema for one in self.fields},
            **self.constraints,
        }

    @property
    def definitions(self) -> dict[str, Schema]:
        """What the schemas of the fields refer to."""
        return {name: schema for one in self.fields for name, schema in one.kind.definitions.items()}


class FieldReader:
    """Reads the fields of one mapping.

    A field that can't be read is noted in `problems`, and its default (or None) is returned until `finish` raises.
    """

    def __init__(self, place: Place, values: Any, declaration: Declaration) -> None:
        """Raises InvalidRule when `values` isn't a mapping. An unknown field is a mistake: a misspelt one must not be ignored."""
        self.place = place
        self.problems: list[Problem] = []
        self.misspelt: set[str] = set()
        """Fields that an unknown one probably stands for. They are not reported as missing."""
        if not isinstance(values, Mapping):
            raise InvalidRule(wrong(place, f"must be {declaration.must}, not {shown(values)}."))
        self._values = values
        known = [one.name for one in declaration.fields]
        for name in values:
            if name not in known:
                close = _close_to(str(name), known)
                advice = f"Did you mean {close[0]}?" if close else f"Its fields are {', '.join(known)}."
                self.misspelt |= set(close)
                self.note(f"{shown(name)} is not a field of it. {advice}", name)

    def __contains__(self, declared: Field[Any]) -> bool:
        return declared.name in self._values

    def note(self, text: str, name: str | None = None) -> None:
        """Notes a mistake in the field of this name, or in the mapping itself."""
        path = self.place.path if name is None else (*self.place.path, name)
        self.problems.append(Problem(path, text, self.place.name))

    def finish(self) -> None:
        """Raises InvalidRule with every mistake. Values that were read count only after this."""
        if self.problems:
            raise InvalidRule(*self.problems)

    def take(self, declared: Field[T]) -> T:
        """The field's value, or its default."""
        kind, name = declared.kind, declared.name
        fallback: Any = declared.default
        if name not in self._values:
            if declared.required and name not in self.misspelt:
                self.note(f"{name} is missing; it must be {kind.must}.", name)
            return fallback  # type: ignore[no-any-return]
        value = self._values[name]
        try:
            return kind.read(value, self.place.field(name))
        except ValueError as error:
            advice = f" {error}" if isinstance(error, Refused) else ""
            self.note(f"{name} must be {kind.must}, not {shown(value)}.{advice}", name)
        except InvalidRule as error:
            self.problems += error.problems
        return fallback  # type: ignore[no-any-return]


def shown(value: Any) -> str:
    """A value from outside in a message: short, whatever it is."""
    import reprlib  # only wrong values need it: rules are read at each cold start

    short = reprlib.Repr()
    short.maxstring = short.maxother = _MAX_SHOWN
    return short.repr(value)


def wrong(place: Place, text: str) -> Problem:
    """A problem of the value at this place; the text continues its name."""
    return Problem(place.path, f"{place.label} {text}", place.owner)


# ------------------------------------------------------------------------------------------------------ kinds of values


def scalar(read: Callable[[Any], T], must: str, schema: Schema) -> Kind[T]:
    """A value without parts; `read` raises ValueError."""
    return Kind(lambda value, _: read(value), must, schema)


def defined(name: str, kind: Kind[T]) -> Kind[T]:
    """The kind with its schema below `$defs`, because several fields have it."""
    return Kind(kind.read, kind.must, {"$ref": f"#/$defs/{name}"}, {**kind.definitions, name: kind.schema})


def line(longest: int) -> Kind[str]:
    """Text on one line. Space around it is removed."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in value):
            raise ValueError
        text = value.strip()
        if not 1 <= len(text) <= longest:
            raise ValueError
        return text

    schema = {"type": "string", "pattern": rf"^\s*\S(.{{0,{longest - 2}}}\S)?\s*$"}
    return scalar(read, f"one line of text with 1 to {longest} characters", schema)


def number(lowest: float, highest: float) -> Kind[float]:
    must = f"a number from {lowest} to {highest}"
    schema = {"type": "number", "minimum": lowest, "maximum": highest}
    return scalar(lambda value: _number(value, lowest, highest), must, schema)


def whole(lowest: int, highest: int) -> Kind[int]:
    def read(value: Any) -> int:
        found = _number(value, lowest, highest)
        if found != int(found):
            raise ValueError
        return int(found)

    schema = {"type": "integer", "minimum": lowest, "maximum": highest}
    return scalar(read, f"a whole number from {lowest} to {highest}", schema)


def choice(*allowed: str) -> Kind[str]:
    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise ValueError
        return value

    return scalar(read, f"one of {', '.join(allowed)}", {"enum": list(allowed)})


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError  # noqa: TRY004 - what every kind raises
    return value


def _slug(value: Any) -> str:
    if isinstance(value, str) and re.fullmatch(SLUG_PATTERN, value):
        return value
    raise ValueError


def _moment(value: Any) -> str:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    # Readers of YAML 1.1 read an unquoted date and time as a datetime.
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise ValueError
    return iso_utc(moment)


FLAG = scalar(_flag, "true or false", {"type": "boolean"})

MOMENT = defined(
    "moment",
    scalar(
        _moment,
        "a date and time with its offset, such as 2027-01-31T08:00:00Z",
        {
            "description": "ISO 8601 with its offset, such as 2027-01-31T08:00:00Z.",
            "type": "string",
            "pattern": "^[0-9]{4}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-5][0-9](:[0-5][0-9]([.,][0-9]{1,6})?)?"
            "(Z|[+-][0-2][0-9]:?[0-5][0-9])$",
        },
    ),
)
"""Read as ISO 8601 in UTC with milliseconds."""


def slug(must: str) -> Kind[str]:
    """An id that fits into URLs, keys and commands."""
    return defined("slug", scalar(_slug, must, {"type": "string", "pattern": f"^{SLUG_PATTERN}$"}))


def texts(kind: Kind[str], most: int) -> Kind[tuple[str, ...]]:
    """A list of 1 to `most` texts of one kind. Repeated ones are removed."""

    def read(value: Any, place: Place) -> tuple[str, ...]:
        listed = _list(value)
        if not 1 <= len(listed) <= most:
            raise ValueError
        return tuple(dict.fromkeys(kind.read(entry, place.entry(index)) for index, entry in enumerate(listed)))

    schema = {"type": "array", "minItems": 1, "maxItems": most, "items": kind.schema}
    return Kind(read, f"a list with 1 to {most} entries, each {kind.must}", schema, kind.definitions)


def entries(
    read_entry: Callable[[Any, Place], T], name: str, declaration: Declaration, most: int, least: int = 0
) -> Kind[tuple[T, ...]]:
    """A list of at most `most` mappings, whose schema is `$defs/name`. Every mistake in every entry is reported.

    `least` is in the schema only: the owner of the list reports an empty one, because it can say what to do.
    """

    def read(value: Any, place: Place) -> tuple[T, ...]:
        listed, problems, found = _list(value), list[Problem](), list[T]()
        if len(listed) > most:
            problems.append(wrong(place, f"must be a list with at most {most} entries, not {len(listed)}."))
        for index, entry in enumerate(listed[:most]):
            try:
                found.append(read_entry(entry, place.entry(index)))
            except InvalidRule as error:
                problems += error.problems
        if problems:
            raise InvalidRule(*problems)
        return tuple(found)

    bounds = {"minItems": least, "maxItems": most} if least else {"maxItems": most}
    schema = {"type": "array", **bounds, "items": {"$ref": f"#/$defs/{name}"}}
    return Kind(read, "a list", schema, {**declaration.definitions, name: declaration.schema})


def mapping(read: Callable[[Any, Place], T], declaration: Declaration) -> Kind[T]:
    """A mapping with fields; `read` raises InvalidRule with its mistakes."""
    return Kind(read, declaration.must, declaration.schema, declaration.definitions)


def _number(value: Any, lowest: float, highest: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not lowest <= value <= highest:
        raise ValueError
    return float(value)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise ValueError  # noqa: TRY004 - what every kind raises
    return list(value)


def _close_to(name: str, known: Iterable[str]) -> list[str]:
    import difflib  # only wrong fields need it

    return difflib.get_close_matches(name, list(known), 1)


def _plain(value: Any) -> Any:
    """A default in JSON: tuples as lists, whole numbers whole."""
    if isinstance(value, tuple):
        return list(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value
