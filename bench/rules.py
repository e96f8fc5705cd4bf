"""What a large watchlist costs: CPU of matching one image, compared with a loop over all rules and labels.

Rules and labels are drawn with a fixed seed from the label names that Imagewatch knows. Each image has 100 labels.
"""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from bench.tables import Table
from imagewatch.images.version import ImageVersion
from imagewatch.rules.matching import Watchlist
from imagewatch.rules.model import Rule, Term
from imagewatch.rules.vocabulary import common_labels
from imagewatch.text import contains, words_of

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SIZES = (10, 1_000, 10_000)
SITES = ("one camera each", "combinations", "anything goes")
LABELS = 100
CAMERAS = [f"camera-{number}" for number in range(500)]
Findings = dict[str, Any]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Row:
    """Median milliseconds of CPU for one image."""

    site: str
    rules: int
    matching: float
    """Average number of rules that match one image."""
    compile_ms: float
    indexed_ms: float
    slowest_ms: float
    """The slowest image by the index, with the watchlist in memory."""
    naive_ms: float

    @property
    def ratio(self) -> float:
        return self.naive_ms / self.indexed_ms


def table(rows: Sequence[Row]) -> Table:
    """The rows as text."""
    return Table(
        "Rules: CPU milliseconds to match one image with 100 labels against a watchlist",
        ("watchlist", "rules", "matching", "compile once", "indexed", "slowest image", "naive loop", "naive / indexed"),
        [
            (
                row.site,
                f"{row.rules:,}",
                f"{row.matching:.1f}",
                f"{row.compile_ms:.1f}",
                f"{row.indexed_ms:.2f}",
                f"{row.slowest_ms:.2f}",
                f"{row.naive_ms:.2f}",
                f"{row.ratio:,.1f}",
            )
            for row in rows
        ],
        [
            "Goal: under 5 ms with 10,000 rules.",
            "one camera each: every rule applies to one of 500 cameras.",
            "combinations: every rule applies to every image and requires three terms at once.",
            "anything goes: most rules require any of up to four terms, so one rule in seven matches each image. With",
            "10,000 rules, most of the time is spent on listing 1,500 matches, which exceed the size limit of a workflow state.",
        ],
    )


def measured(sites: Sequence[str] = SITES, sizes: Sequence[int] = SIZES, images: int = 20) -> list[Row]:
    """One row for each site and size. Raises AssertionError when the index and the loop find different matches."""
    # Without this, collections would traverse the imports of the other tables, which no function has in memory.
    gc.collect()
    gc.freeze()
    return [_measure(site, size, images) for site in sites for size in sizes]


def _measure(site: str, size: int, images: int) -> Row:
    chance = random.Random(f"{site} {size}")
    rules = [_rule(chance, number, site) for number in range(size)]
    pictures = [(_image(chance, number), _findings(chance)) for number in range(images)]
    watchlist, compile_ms = _timed(lambda: Watchlist(rules))
    watchlist.evaluate(*pictures[0], NOW)
    indexed = [_timed(partial(watchlist.evaluate, image, found, NOW)) for image, found in pictures]
    naive = [_timed(partial(naive_evaluate, rules, image, found)) for image, found in pictures[:3]]
    for (verdicts, _), (names, _) in zip(indexed, naive, strict=False):
        if [verdict.rule_id for verdict in verdicts] != names:
            raise AssertionError("The index and the naive loop find different matches.")
    times = [taken for _, taken in indexed]
    matching = statistics.mean(len(verdicts) for verdicts, _ in indexed)
    return Row(site, size, matching, compile_ms, statistics.median(times), max(times), statistics.median(t for _, t in naive))


def naive_evaluate(rules: Sequence[Rule], image: ImageVersion, findings: Findings) -> list[str]:
    """Ids of the matching rules. Compares each name of each label with each term of each rule."""

    def found(term: Term) -> bool:
        return any(
            label["Confidence"] >= term.min_confidence
            and any(
                contains(words_of(name), words_of(term.text))
                for name in (label["Name"], *label["Aliases"], *label["Parents"], *label["Categories"])
            )
            for label in findings["Labels"]
        )

    return [
        rule.rule_id
        for rule in rules
        if rule.applies_to(image)
        and (not rule.any_of or any(map(found, rule.any_of)))
        and all(map(found, rule.all_of))
        and not any(map(found, rule.none_of))
    ]


def _rule(chance: random.Random, number: int, site: str) -> Rule:
    def terms(least: int, most: int) -> tuple[Term, ...]:
        return tuple(
            Term(chance.choice(common_labels()).lower(), float(chance.choice((60, 70, 75, 80, 85, 90, 95))))
            for _ in range(chance.randint(least, most))
        )

    sources = (chance.choice(CAMERAS),) if site == "one camera each" else ()
    none_of = terms(1, 1) if chance.random() < 0.2 else ()
    if site == "combinations":
        return Rule(f"rule-{number}", f"Rule {number}", terms(3, 6), terms(2, 2), none_of)
    everything = chance.random() < 0.3
    any_of, all_of = (() if everything else terms(1, 4)), (terms(1, 2) if everything else ())
    return Rule(f"rule-{number}", f"Rule {number}", any_of, all_of, none_of, sources=sources)


def _image(chance: random.Random, number: int) -> ImageVersion:
    key = f"uploads/{chance.choice(CAMERAS)}/{number}.jpg"
    return ImageVersion("images", key, "v1", "etag", "00", 1, "2026-11-20T11:59:00.000Z")


def _findings(chance: random.Random) -> Findings:
    names = chance.sample(common_labels(), LABELS)
    labels = [
        {
            "Name": name,
            "Confidence": round(chance.uniform(40, 100), 2),
            "Parents": chance.sample(common_labels(), chance.randint(0, 3)),
            "Aliases": chance.sample(common_labels(), chance.randint(0, 1)),
            "Categories": ["Everyday Objects"],
            "Instances": [],
        }
        for name in names
    ]
    return {"Labels": labels, "Moderation": {"Labels": []}}


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """(the result, milliseconds of CPU)."""
    started = time.process_time()
    result = work()
    return result, 1000 * (time.process_time() - started)
