"""What rules ask for, with all that they share decided once: the side of a match that the watchlist brings."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from imagewatch.rules.model import Rule, Term
from imagewatch.rules.terms import KINDS, Detection, TermMatch, most_specific, seen


@dataclass(eq=False, slots=True)
class Wanted:
    """A term, shared by all rules that have it, and which conditions it can set off in which source."""

    term: Term
    kinds: frozenset[int]
    rank: tuple[Any, ...]
    """Of two terms that match by the same kin, the one of lower rank is named, in whatever order the rule lists them."""
    plain: bool
    """Its words and its confidence are all that it asks for."""
    sets_off: dict[str, list[Condition]] = field(default_factory=lambda: defaultdict(list))


@dataclass(eq=False, slots=True)
class Condition:
    """What rules that ask for the same have in common, so that it is decided once; and those rules by source."""

    any_of: tuple[Wanted, ...]
    all_of: tuple[Wanted, ...]
    none_of: tuple[Wanted, ...]
    rules: dict[str, list[tuple[int, Rule]]] = field(default_factory=lambda: defaultdict(list))


class Places(list[tuple[int, Detection]]):
    """Where the words of a term stand: (kind, detection) pairs, the closest kin of each detection first."""

    @functools.cached_property
    def best(self) -> float:
        return max(detection.confidence for _, detection in self)


class Hits:
    """What each term is found in, worked out when it is first asked for: most terms belong to rules that can't match."""

    def __init__(self, met: Mapping[Wanted, Places]) -> None:
        self.met = met
        self._known: dict[Wanted, list[TermMatch]] = {}

    def has(self, wanted: Wanted) -> bool:
        """Whether the term is found at all."""
        places = self.met.get(wanted)
        if places is None or places.best < wanted.term.min_confidence:
            return False
        return wanted.plain or bool(self.of(wanted))

    def of(self, wanted: Wanted) -> list[TermMatch]:
        """A detection counts once for a term, by its closest kin."""
        known = self._known.get(wanted)
        if known is None:
            closest: dict[Detection, int] = {}
            for kind, detection in self.met.get(wanted, ()):
                if kind in wanted.kinds:
                    closest.setdefault(detection, kind)
            found = (seen(wanted.term, kind, detection) for detection, kind in closest.items())
            known = self._known[wanted] = [one for one in found if one]
        return known


def fulfilled(condition: Condition, hits: Hits) -> bool:
    """Whether the condition is true of what the hits were found in."""
    if not all(map(hits.has, condition.all_of)) or any(map(hits.has, condition.none_of)):
        return False
    return not condition.any_of or any(map(hits.has, condition.any_of))


def matches_of(condition: Condition, hits: Hits) -> list[dict[str, Any]]:
    """What makes a fulfilled condition true, the surest first: [{Term, Label, Kind, Confidence, Count, Box?}]."""
    any_of = [(hit, wanted) for wanted in condition.any_of for hit in hits.of(wanted)]
    if len(any_of) == 1 and not condition.all_of:
        return [_match(any_of[0][0], any_of[0][1].term)]
    # Among alternatives one thing is named once. Each part of all_of has to show what fulfils it, general or not.
    named: dict[Detection, tuple[TermMatch, Wanted]] = {}
    for group in (any_of, *([(hit, wanted) for hit in hits.of(wanted)] for wanted in condition.all_of)):
        specific = most_specific({hit.detection for hit, _ in group})
        for hit, wanted in group:
            known = named.get(hit.detection)
            if hit.detection in specific and (not known or (hit.kind, wanted.rank) < (known[0].kind, known[1].rank)):
                named[hit.detection] = (hit, wanted)
    return [_match(hit, wanted.term) for hit, wanted in sorted(named.values(), key=_surest_first)]


def _surest_first(named: tuple[TermMatch, Wanted]) -> tuple[Any, ...]:
    return (-named[0].confidence, named[0].detection.label, named[0].kind)


def _match(hit: TermMatch, term: Term) -> dict[str, Any]:
    match = {
        "Term": term.text,
        "Label": hit.detection.label,
        "Kind": KINDS[hit.kind],
        "Confidence": hit.confidence,
        "Count": hit.number,
    }
    return match | ({"Box": dict(hit.box)} if hit.box else {})


def set_off(conditions: Iterable[Condition]) -> None:
    """Tells terms which conditions to look at: any of `any_of`, or of `all_of` only the one that the fewest others ask for."""
    conditions = list(conditions)
    asked: dict[Wanted, int] = defaultdict(int)
    for condition in conditions:
        for wanted in condition.all_of:
            asked[wanted] += 1
    for condition in conditions:
        rarest = sorted(condition.all_of, key=lambda wanted: asked[wanted])[:1]
        for wanted in rarest or condition.any_of:
            for source in condition.rules:
                wanted.sets_off[source].append(condition)
