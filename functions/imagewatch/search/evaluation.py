"""Decides whether an image matches a query, from one index row."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from imagewatch.search.index import Row, digest, typed, unpack
from imagewatch.search.query import And, Node, Not, Or, Taken, Term, TimeOfDay


def matches(node: Node | None, row: Row, min_confidence: float) -> bool:
    """Whether the image of the row matches. `min_confidence` (0-100) applies to terms without a confidence."""
    return node is None or _matches(node, row, unpack(row.terms), min_confidence)


def hidden_by_confidence(node: Node | None, row: Row, min_confidence: float) -> bool:
    """Whether only the confidence keeps the image from matching: it would match at confidence 0, and does not as it is."""
    return matches(_without_confidence(node), row, 0.0) and not matches(node, row, min_confidence)


def within_days(taken: Taken, taken_at: str) -> bool:
    """Whether a moment (ISO 8601, UTC) lies on one of the days, counted in UTC."""
    day = taken_at[:10]
    return (not taken.first or taken.first <= day) and (not taken.last or day <= taken.last)


def bounds(node: Node | None) -> tuple[str, str]:
    """The moments (ISO 8601) between which every match lies: the first included, the second not; empty where open."""
    days = [part for part in (node.parts if isinstance(node, And) else (node,)) if isinstance(part, Taken)]
    first = max((part.first for part in days), default="")
    lasts = [part.last for part in days if part.last]
    last = (date.fromisoformat(min(lasts)) + timedelta(days=1)).isoformat() if lasts else ""
    return first, last


def _matches(node: Node, row: Row, terms: Mapping[bytes, float], min_confidence: float) -> bool:
    if isinstance(node, Term):
        confidence = terms.get(digest(typed(node.field, node.value)))
        wanted = min_confidence if node.min_confidence is None else node.min_confidence
        return confidence is not None and confidence >= wanted
    if isinstance(node, Taken):
        return within_days(node, row.taken_at)
    if isinstance(node, TimeOfDay):
        return _within_day(node, row.minute_of_day)
    if isinstance(node, Not):
        return not _matches(node.part, row, terms, min_confidence)
    if isinstance(node, And):
        return all(_matches(part, row, terms, min_confidence) for part in node.parts)
    return any(_matches(part, row, terms, min_confidence) for part in node.parts)


def _within_day(interval: TimeOfDay, minute: int) -> bool:
    if interval.start < interval.end:
        return interval.start <= minute < interval.end
    return minute >= interval.start or minute < interval.end


def _without_confidence(node: Node | None) -> Node | None:
    if isinstance(node, Term):
        return Term(node.value, node.field)
    if isinstance(node, And | Or):
        return type(node)(tuple(part for each in node.parts if (part := _without_confidence(each)) is not None))
    return node  # below a "not", a lower confidence would hide more, not less
