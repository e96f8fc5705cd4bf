"""The order of confidence where a term's posting can't be read in it: sorts the matches of a span of time.

A span has as many rows as one request can read. The page after the last match of a span goes on with an older span, and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from imagewatch.search import planner
from imagewatch.search.evaluation import highest_confidence
from imagewatch.search.index import Row
from imagewatch.search.planner import MAX_ROWS, Page, Place, Plan, Postings
from imagewatch.search.query import WITH_CONFIDENCE

SPAN_ROWS = MAX_ROWS - 500
"""Rows of a span. Images that are added to it between two pages can be as many as the difference."""


def search(
    plan: Plan, postings: Postings, size: int, min_confidence: float, after: Place | None = None, *, max_rows: int = MAX_ROWS
) -> Page:
    """As `planner.search`, in every order that the plan can have."""
    if plan.order == "confidence" and not all(_sorts(postings, term) for term in plan.terms):
        return _search_span(plan, postings, size, min_confidence, after, max_rows)
    return planner.search(plan, postings, size, min_confidence, after, max_rows=max_rows)


def _search_span(plan: Plan, postings: Postings, size: int, min_confidence: float, after: Place | None, max_rows: int) -> Page:
    """A page of a span. Its place is the newest and the oldest place of the span and the last match; each can be empty."""
    newest, oldest, last = (tuple(part) or None for part in after or ((), (), ()))
    by_time = replace(plan, query=replace(plan.query, sort="newest"), terms=plan.by_time, order="newest")
    rows = max_rows if oldest else min(max_rows, SPAN_ROWS)
    page = planner.search(by_time, postings, rows, min_confidence, newest, max_rows=rows)
    if oldest and page.place and page.place > oldest:
        if max_rows < MAX_ROWS:
            return Page([], after, page.rows_read, True)  # another request can read the whole span
        oldest = page.place
    oldest = oldest or page.place
    ranked = {_rank(row, plan.terms): row for row in page.rows if not oldest or row.by_time >= oldest}
    ranks = sorted((rank for rank in ranked if last is None or rank < last), reverse=True)
    found = [ranked[rank] for rank in ranks[:size]]
    hidden = page.hidden if last is None else 0  # the first page of the span has counted them
    if len(ranks) > size:
        # The newest match bounds the span, so that images that arrive later change nothing.
        place = (newest or _above(page.rows[0].by_time), oldest or (), ranks[size - 1])
        return Page(found, place, page.rows_read, False, hidden, True, str(ranks[size - 1][1]), float(ranks[size - 1][0]))
    if oldest:
        return Page(found, (oldest, (), ()), page.rows_read, len(found) < size, hidden, True, str(oldest[0]))
    return Page(found, None, page.rows_read, False, hidden)


def _sorts(postings: Postings, term: str) -> bool:
    # What has no confidence has the same order by time.
    return term.partition(":")[0] not in WITH_CONFIDENCE or postings.sorts(term)


def _rank(row: Row, terms: Sequence[str]) -> Place:
    return replace(row, confidence=highest_confidence(row, terms)).by_confidence


def _above(place: Place) -> Place:
    """The place in the order of time just above a row, so that the row comes after it."""
    return (place[0], f"{place[1]}~")
