"""Matches findings against the rules. Pure, so that the workflow, backfills and previews share it.

The rules are compiled once into an index by term. The time for an image depends on its own names and not on the number of rules.
"""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from imagewatch.images.version import ImageVersion
from imagewatch.rules.conditions import CompiledTerm, Condition, Occurrences, TermMatches, assign_triggers
from imagewatch.rules.matched_rule import SEVERITIES, Match, MatchedRule
from imagewatch.rules.model import Rule, Term
from imagewatch.rules.mutes import NO_MUTES, Mutes
from imagewatch.rules.schedule import mute_reason
from imagewatch.rules.terms import Detection, detections_in, kinds_of, phrases
from imagewatch.text import Words, words_of

MAX_MATCHES = 20  # of one rule, that its alert can name
MAX_VERDICT_BYTES = 80_000  # of the 262,144 that a state may carry, beside the findings
_EVERYWHERE = ""  # no source has this name


class Watchlist:
    """Enabled rules, compiled. Evaluating changes nothing in it, so that one watchlist serves many images."""

    def __init__(self, rules: Iterable[Rule], mutes: Mutes = NO_MUTES) -> None:
        self.rules = tuple(rules)
        self._mutes = mutes
        self._by_id = {rule.rule_id: rule for rule in self.rules}
        self._terms: dict[Term, CompiledTerm] = {}
        conditions: dict[Any, Condition] = {}
        for position, rule in enumerate(self.rules):
            if rule.enabled:
                key = (frozenset(rule.any_of), frozenset(rule.all_of), frozenset(rule.none_of))
                condition = conditions.get(key) or conditions.setdefault(key, self._condition(rule))
                for source in rule.sources if rule.sources and not rule.key_prefixes else (_EVERYWHERE,):
                    condition.rules[source].append((position, rule))
        self._untriggered = assign_triggers(conditions.values())
        # Text in the image has a separate index, so that each word of it is looked up among terms for text only.
        self._by_words: dict[bool, dict[Words, list[CompiledTerm]]] = {False: defaultdict(list), True: defaultdict(list)}
        for compiled in self._terms.values():
            self._by_words[compiled.term.within == "text"][words_of(compiled.term.text)].append(compiled)
        self._longest = {text: max(map(len, terms), default=0) for text, terms in self._by_words.items()}

    def evaluate(self, image: ImageVersion, findings: Mapping[str, Any], now: datetime) -> list[MatchedRule]:
        """The rules that match, in their order.

        `findings` has Labels, Moderation and Text (if it was read) as the image's record does; `now` is aware, for mutes.
        A rule lists MAX_MATCHES matches and counts the rest, because a very general term ("animal") can match many labels.
        """
        found, muted = TermMatches(self._occurrences(detections_in(findings))), self._mutes.reason(image.source, now)
        uploaded_at = datetime.fromisoformat(image.uploaded_at)
        matched: list[tuple[int, MatchedRule]] = []
        for source in (_EVERYWHERE, image.source):
            for condition in self._triggered_by(found, source):
                if condition.is_fulfilled(found):
                    rules = [entry for entry in condition.rules[source] if entry[1].applies_to(image)]
                    matches = condition.matches(found) if rules else []
                    matched += [
                        (at, _matched_rule(rule, matches, muted or mute_reason(rule, uploaded_at, now))) for at, rule in rules
                    ]
        return [one for _, one in sorted(matched, key=lambda entry: entry[0])]

    def with_definitions(self, matched: Sequence[MatchedRule]) -> list[MatchedRule]:
        """The matched rules, each with its definition, which its alert keeps whatever becomes of the rule.

        When very many rules match, the last ones have none, because the workflow can't carry them all.
        """
        room, found = MAX_VERDICT_BYTES - _size(matched), []
        for one in matched:
            definition = self._by_id[one.rule_id].to_item()
            room -= len(json.dumps({"Definition": definition}))
            found.append(replace(one, definition=definition) if room >= 0 else one)
        return found

    def _condition(self, rule: Rule) -> Condition:
        return Condition(self._all_compiled(rule.any_of), self._all_compiled(rule.all_of), self._all_compiled(rule.none_of))

    def _all_compiled(self, terms: Iterable[Term]) -> tuple[CompiledTerm, ...]:
        return tuple(map(self._compiled, dict.fromkeys(terms)))

    def _compiled(self, term: Term) -> CompiledTerm:
        if term not in self._terms:
            rank = (-len(words_of(term.text)), term.text, term.within, term.min_confidence, term.min_instances, term.min_area)
            is_plain = term.within in ("any", "text") and not term.min_instances and not term.min_area
            self._terms[term] = CompiledTerm(term, kinds_of(term.within), rank, is_plain)
        return self._terms[term]

    def _occurrences(self, detections: Sequence[Detection]) -> dict[CompiledTerm, Occurrences]:
        """The terms whose words occur in the names of the detections, and where."""
        occurrences: dict[CompiledTerm, Occurrences] = {}
        for text, terms in self._by_words.items():
            named: dict[Words, Occurrences] = {}
            for detection in detections if terms else ():
                for kind, name in detection.names if detection.text is text else ():
                    for phrase in phrases(name, self._longest[text]):
                        if phrase in terms:
                            named.setdefault(phrase, Occurrences()).append((kind, detection))
            occurrences |= {compiled: found for phrase, found in named.items() for compiled in terms[phrase]}
        return occurrences

    def _triggered_by(self, found: TermMatches, source: str) -> Iterable[Condition]:
        """The conditions of the source's rules that can be fulfilled, each once."""
        terms = (compiled for compiled in found.occurrences if source in compiled.triggers and found.has(compiled))
        triggered = itertools.chain.from_iterable(compiled.triggers[source] for compiled in terms)
        return dict.fromkeys(itertools.chain(self._untriggered.get(source, ()), triggered))


def truncate_to_state_limit(matched: Sequence[MatchedRule]) -> tuple[list[MatchedRule], int]:
    """The matched rules in a size that the workflow can carry, and how many rules had to be omitted.

    When very many rules match, each keeps the match of highest confidence only. When that is still too much, rules that may
    alert are kept before muted ones, and rules of higher severity before others.
    """
    if _size(matched) <= MAX_VERDICT_BYTES:
        return list(matched), 0
    short = [replace(one, matches=one.matches[:1], more_matches=one.more_matches + len(one.matches[1:])) for one in matched]
    sizes = [_size([one]) for one in short]
    room, kept = MAX_VERDICT_BYTES, set[int]()
    for position in sorted(range(len(short)), key=lambda position: _priority(short[position], position)):
        if sizes[position] > room:
            break
        room -= sizes[position]
        kept.add(position)
    return [one for position, one in enumerate(short) if position in kept], len(short) - len(kept)


def _priority(one: MatchedRule, position: int) -> tuple[bool, int, int]:
    severity = SEVERITIES.index(one.severity) if one.severity in SEVERITIES else 0
    return (bool(one.muted), -severity, position)


def _size(matched: Sequence[MatchedRule]) -> int:
    """Bytes as JSON. With the brackets, so that sizes of parts never add up to less than the whole."""
    return len(json.dumps([one.to_item() for one in matched]))


def _matched_rule(rule: Rule, matches: Sequence[Match], mute: str | None) -> MatchedRule:
    return MatchedRule(
        rule.rule_id,
        rule.name,
        rule.version,
        rule.severity,
        rule.channels,
        tuple(matches[:MAX_MATCHES]),
        rule.cooldown,
        rule.bypass_quiet_hours,
        max(len(matches) - MAX_MATCHES, 0),
        mute or "",
        delivery=rule.delivery,
    )
