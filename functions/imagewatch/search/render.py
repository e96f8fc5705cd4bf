"""Writes a query in its canonical form: parse(render(query)) == query."""

from __future__ import annotations

import re

from imagewatch.search.query import LABEL, And, Node, Not, Or, Query, Taken, Term, TimeOfDay

_PLAIN = re.compile(r"[^\W_]+", re.UNICODE)
_KEYWORDS = ("and", "or", "not")


def render(query: Query) -> str:
    """The query as text: operators in lower case, quotes only where they are needed, the order last and only if not "newest"."""
    parts = [_node(query.where)] if query.where else []
    parts += [f"sort:{query.sort}"] if query.sort != "newest" else []
    if len(parts) == 2 and isinstance(query.where, Or):
        parts[0] = f"({parts[0]})"
    return " ".join(parts)


def _node(node: Node) -> str:
    if isinstance(node, Term):
        return _term(node)
    if isinstance(node, Taken):
        return f"taken:{node.first}..{node.last}" if node.first != node.last else f"taken:{node.first}"
    if isinstance(node, TimeOfDay):
        return f"time:{_clock(node.start)}-{_clock(node.end)}"
    if isinstance(node, Not):
        inner = _node(node.part)
        return f"not ({inner})" if isinstance(node.part, And | Or) else f"not {inner}"
    if isinstance(node, And):
        return " and ".join(f"({_node(part)})" if isinstance(part, Or) else _node(part) for part in node.parts)
    return " or ".join(map(_node, node.parts))


def _term(term: Term) -> str:
    if term.field in ("source", "rule"):  # written as the ids that people know: gate-2
        return f"{term.field}:{term.value.replace(' ', '-')}"
    plain = _PLAIN.fullmatch(term.value) and (term.field != LABEL or term.value not in _KEYWORDS)
    value = term.value if plain else f'"{term.value}"'
    field = "" if term.field == LABEL else f"{term.field}:"
    confidence = "" if term.min_confidence is None else f":{term.min_confidence:.10g}"
    return f"{field}{value}{confidence}"


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
