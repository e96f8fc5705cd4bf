"""Compiled conditions: terms and lists of terms that many rules share, each evaluated once for an image."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from imagewatch.rules.matched_rule import Match
from imagewatch.rules.model import Rule, Term
from imagewatch.rules.terms import KINDS, Detection, TermMatch, match_term, most_specific

NEW_IMAGE = Match("New image", "New image", "image", 100.0, 1)
"""What a rule without AnyOf and AllOf matches: the image itself."""


@dataclass(eq=False, slots=True)
class CompiledTerm:
    """A term, shared by all rules that have it."""

    term: Term
    kinds: frozenset[int]
    rank: tuple[Any, ...]
    """Of two terms that match by the same kind, the one of lower rank is named, in whatever order the rule lists them."""
    is_plain: bool
    """Whether its words and its confidence decide alone."""
    triggers: dict[str, list[Condition]] = field(default_factory=lambda: defaultdict(list))
    """By source, the conditions that have to be evaluated when this term matches."""


@dataclass(eq=False, slots=True)
class Condition:
    """The three lists of terms that some rules have in common, and those rules by source."""

    any_of: tuple[CompiledTerm, ...]
    all_of: tuple[CompiledTerm, ...]
    none_of: tuple[CompiledTerm, ...]
    rules: dict[str, list[tuple[int, Rule]]] = field(default_factory=lambda: defaultdict(list))
    """(position in the watchlist, rule) pairs."""

    def is_fulfilled(self, found: TermMatches) -> bool:
        """Whether these term matches fulfil the condition."""
        if not all(map(found.has, self.all_of)) or any(map(found.has, self.none_of)):
            return False
        return not self.any_of or any(map(found.has, self.any_of))

    def matches(self, found: TermMatches) -> list[Match]:
        """What fulfils the condition, in descending order of confidence. The condition must be fulfilled."""
        any_of = [(one, compiled) for compiled in self.any_of for one in found.of(compiled)]
        if len(any_of) == 1 and not self.all_of:
            return [_match(any_of[0][0], any_of[0][1].term)]
        # Among alternatives one object is named once. Each entry of all_of names what fulfils it, whether it is general or not.
        named: dict[Detection, tuple[TermMatch, CompiledTerm]] = {}
        for group in (any_of, *([(one, compiled) for one in found.of(compiled)] for compiled in self.all_of)):
            specific = most_specific({one.detection for one, _ in group})
            for one, compiled in group:
                known = named.get(one.detection)
                is_closer = not known or (one.kind, compiled.rank) < (known[0].kind, known[1].rank)
                if one.detection in specific and is_closer:
                    named[one.detection] = (one, compiled)
        matches = [_match(one, compiled.term) for one, compiled in sorted(named.values(), key=_by_confidence)]
        return matches or [NEW_IMAGE]


class Occurrences(list[tuple[int, Detection]]):
    """Where the words of a term occur: (kind, detection) pairs, the closest kind of each detection first."""

    @functools.cached_property
    def highest_confidence(self) -> float:
        return max(detection.confidence for _, detection in self)


class TermMatches:
    """The term matches of one image. Each term is evaluated when it is first asked for, because most belong to rules that can't
    match."""

    def __init__(self, occurrences: Mapping[CompiledTerm, Occurrences]) -> None:
        self.occurrences = occurrences
        self._known: dict[CompiledTerm, list[TermMatch]] = {}

    def has(self, compiled: CompiledTerm) -> bool:
        """Whether anything fulfils the term."""
        occurrences = self.occurrences.get(compiled)
        if occurrences is None or occurrences.highest_confidence < compiled.term.min_confidence:
            return False
        return compiled.is_plain or bool(self.of(compiled))

    def of(self, compiled: CompiledTerm) -> list[TermMatch]:
        """What fulfils the term. A detection is listed once, by its closest kind."""
        known = self._known.get(compiled)
        if known is None:
            closest: dict[Detection, int] = {}
            for kind, detection in self.occurrences.get(compiled, ()):
                if kind in compiled.kinds:
                    closest.setdefault(detection, kind)
            found = (match_term(compiled.term, kind, detection) for detection, kind in closest.items())
            known = self._known[compiled] = [one for one in found if one]
        return known


def assign_triggers(conditions: Iterable[Condition]) -> dict[str, list[Condition]]:
    """Assigns each condition to the terms that trigger it: every term of any_of, or the rarest one of all_of.

    Returns, by source, the conditions that no term triggers: they have to be evaluated for each image.
    """
    conditions = list(conditions)
    frequency: dict[CompiledTerm, int] = defaultdict(int)
    for condition in conditions:
        for compiled in condition.all_of:
            frequency[compiled] += 1
    untriggered: dict[str, list[Condition]] = defaultdict(list)
    for condition in conditions:
        rarest = sorted(condition.all_of, key=lambda compiled: frequency[compiled])[:1]
        for source in condition.rules:
            for compiled in rarest or condition.any_of:
                compiled.triggers[source].append(condition)
            if not rarest and not condition.any_of:
                untriggered[source].append(condition)
    return untriggered


def _by_confidence(named: tuple[TermMatch, CompiledTerm]) -> tuple[Any, ...]:
    return (-named[0].confidence, named[0].detection.label, named[0].kind)


def _match(found: TermMatch, term: Term) -> Match:
    box = dict(found.box) if found.box else None
    return Match(term.text, found.detection.label, KINDS[found.kind], found.confidence, found.instance_count, box)
