"""Writes to the hottest partition keys of the SearchIndexTable, counted on the keys of an image's rows.

The worst label is in every image. DynamoDB takes 1,000 write units a second for one key (developer guide, "Designing partition
keys").
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from bench.answers import labels_answer
from bench.tables import Table
from imagewatch.images import findings
from imagewatch.search.postings import indexed_rows, position

RATES = (1, 2, 10, 50, 300)
"""Images per second; the last is the largest MaxImagesPerSecond."""
LABELS = 15
LIMIT = 1_000
_KEY_OVERHEAD = 40  # bytes of attribute names and of the minute


def table() -> Table:
    """One row for each rate."""
    stored, matched = _units(), _units(matched=True)
    rows = []
    for rate in RATES:
        fewest, most = rate * stored, rate * (stored + matched)
        rows.append([f"{rate:,}", f"{fewest:,}", f"{most:,}", f"{LIMIT:,}", f"{most / LIMIT:.2f}"])
    return Table(
        "Search: write units per second on the hottest key",
        ["images per second", "no rule matches", "a rule matches each image", "limit", "ratio"],
        rows,
        [
            f"Rows of an image with {LABELS} labels, all of which every image has. A match writes the image's rows again.",
            "Keys are not spread: the largest MaxImagesPerSecond stays below the limit.",
        ],
    )


def _units(*, matched: bool = False) -> int:
    """Write units of one image's rows on the key that gets most of them."""
    record = _record(matched=matched)
    units = Counter[str]()
    for row in indexed_rows(record, position("2026-11-20T09:30:00.000Z", "0" * 32, "0" * 49), 0, ""):
        units[row.key[0]] += math.ceil((sum(map(len, row.key)) + len(row.terms) + _KEY_OVERHEAD) / 1024)
    return max(units.values())


def _record(*, matched: bool) -> dict[str, Any]:
    rules = [{"RuleId": "person-at-the-door", "Name": "Person at the door"}] if matched else []
    found = findings.labels_found(labels_answer(LABELS))["Labels"]
    return {"Status": "ANALYZED", "Source": "front-door", "Labels": found, "MatchedRules": rules}
