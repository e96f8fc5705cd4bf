"""The parts of a query, as plain values. `grammar` reads them from text, `render` writes them back in their canonical form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

LABEL = "label"
FIELDS = (LABEL, "category", "moderation", "text", "source", "rule", "status")
"""What a term is looked up in. A label term matches a label's name, its aliases and its parents."""
WITH_CONFIDENCE = (LABEL, "category", "moderation", "text")
"""The fields whose findings have a confidence."""
SORTS = ("newest", "oldest", "confidence")
STATUSES = ("analyzing", "analyzed", "rejected", "failed")


@dataclass(frozen=True)
class Term:
    """One name that an image must have. `value` is in the form of `comparable`."""

    value: str
    field: str = LABEL
    min_confidence: float | None = None
    """0-100; None: the confidence that the reader of the query has chosen."""


@dataclass(frozen=True)
class Taken:
    """The days on which an image was taken: ISO dates, both included. An empty string leaves that side open."""

    first: str
    last: str


@dataclass(frozen=True)
class TimeOfDay:
    """From a minute of the day up to, and without, another. An interval that ends before it starts spans midnight."""

    start: int
    end: int


@dataclass(frozen=True)
class Not:
    """Everything that does not match the part."""

    part: Node


@dataclass(frozen=True)
class And:
    """Matches where every part matches. At least two parts, none of them an And."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Or:
    """Matches where at least one part matches. At least two parts, none of them an Or."""

    parts: tuple[Node, ...]


Node = Term | Taken | TimeOfDay | Not | And | Or


@dataclass(frozen=True)
class Query:
    """A whole query. Without `where` it matches every image that the viewer may see."""

    where: Node | None = None
    sort: str = field(default="newest")

    def terms(self) -> Iterator[Term]:
        """Every term, from left to right."""
        yield from _terms(self.where)


def conjunction(parts: list[Node]) -> Node | None:
    """The And of the parts: None for none, the part itself for one; a nested And is joined to it."""
    return _joined(And, parts)


def disjunction(parts: list[Node]) -> Node | None:
    """The Or of the parts, as `conjunction`."""
    return _joined(Or, parts)


def _joined(kind: type[And] | type[Or], parts: list[Node]) -> Node | None:
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, kind) else (part,))]
    if not flat:
        return None
    return flat[0] if len(flat) == 1 else kind(tuple(flat))


def _terms(node: Node | None) -> Iterator[Term]:
    if isinstance(node, Term):
        yield node
    elif isinstance(node, Not):
        yield from _terms(node.part)
    elif isinstance(node, And | Or):
        for part in node.parts:
            yield from _terms(part)
