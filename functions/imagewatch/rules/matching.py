"""What of an image people want to be told about. Pure, so that it can run over history too.

The rules are compiled once into an index by term. An image then costs what its own names lead to, however many rules there are.
"""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from imagewatch.errors import TooManyMatches
from imagewatch.images.version import ImageVersion
from imagewatch.rules.conditions import Condition, Hits, Places, Wanted, fulfilled, matches_of, set_off
from imagewatch.rules.model import Rule, Term
from imagewatch.rules.schedule import muted
from imagewatch.rules.terms import Detection, detections_in, kinds_of, phrases
from imagewatch.text import Words, words_of

MAX_MATCHES = 20  # of one rule, that its alert can name
MAX_VERDICT_BYTES = 80_000  # of the 262,144 that a state may carry, beside the findings
_EVERYWHERE = ""  # no source has this name


class Watchlist:
    """Enabled rules, compiled. Evaluating changes nothing in it, so that one is kept for many images."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        self._by_id = {rule.rule_id: rule for rule in self.rules}
        self._terms: dict[Term, Wanted] = {}
        conditions: dict[Any, Condition] = {}
        for place, rule in enumerate(self.rules):
            if rule.enabled:
                key = (frozenset(rule.any_of), frozenset(rule.all_of), frozenset(rule.none_of))
                condition = conditions.get(key) or conditions.setdefault(key, self._condition(rule))
                for source in rule.sources if rule.sources and not rule.key_prefixes else (_EVERYWHERE,):
                    condition.rules[source].append((place, rule))
        set_off(conditions.values())
        # Text in the image has terms of its own: nothing else must be looked up for each word of it.
        self._by_words: dict[bool, dict[Words, list[Wanted]]] = {False: defaultdict(list), True: defaultdict(list)}
        for wanted in self._terms.values():
            self._by_words[wanted.term.within == "text"][words_of(wanted.term.text)].append(wanted)
        self._longest = {text: max(map(len, terms), default=0) for text, terms in self._by_words.items()}

    def evaluate(self, image: ImageVersion, findings: Mapping[str, Any], now: datetime) -> list[dict[str, Any]]:
        """The rules that match, in their order: [{RuleId, Name, RuleVersion, Severity, Channels, Cooldown?, BypassQuietHours?,
        Matches: [{Term, Label, Kind, Confidence, Count, Box?}], MoreMatches?, Muted?}].

        `findings` has Labels, Moderation and Text (when it was read) as the image's record does; `now` is aware, for snoozes.
        Matches are the surest first; `MoreMatches` counts those beyond MAX_MATCHES, which a very general term ("animal") can
        bring. `Muted` says why a match must not alert anyone.
        """
        hits = Hits(self._met(detections_in(findings)))
        uploaded_at = datetime.fromisoformat(image.uploaded_at)
        matched: list[tuple[int, dict[str, Any]]] = []
        for source in (_EVERYWHERE, image.source):
            for condition in self._set_off_by(hits, source):
                if fulfilled(condition, hits):
                    concerned = [entry for entry in condition.rules[source] if entry[1].concerns(image)]
                    matches = matches_of(condition, hits) if concerned else []
                    matched += [(place, _verdict(rule, matches, muted(rule, uploaded_at, now))) for place, rule in concerned]
        return [verdict for _, verdict in sorted(matched, key=lambda entry: entry[0])]

    def explained(self, verdicts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Verdicts of `evaluate`, each with its rule's record as `Definition`: alerts keep it, whatever becomes of the rule.

        When very many rules match, the last ones go without: the workflow could not carry them all.
        """
        room, found = MAX_VERDICT_BYTES - _size(verdicts), []
        for verdict in verdicts:
            definition = {"Definition": self._by_id[verdict["RuleId"]].to_record()}
            room -= _size(definition)
            found.append(verdict | definition if room >= 0 else verdict)
        return found

    def _condition(self, rule: Rule) -> Condition:
        return Condition(self._all_wanted(rule.any_of), self._all_wanted(rule.all_of), self._all_wanted(rule.none_of))

    def _all_wanted(self, terms: Iterable[Term]) -> tuple[Wanted, ...]:
        return tuple(map(self._wanted, dict.fromkeys(terms)))

    def _wanted(self, term: Term) -> Wanted:
        if term not in self._terms:
            rank = (-len(words_of(term.text)), term.text, term.within, term.min_confidence, term.min_instances, term.min_area)
            plain = term.within in ("any", "text") and not term.min_instances and not term.min_area
            self._terms[term] = Wanted(term, kinds_of(term.within), rank, plain)
        return self._terms[term]

    def _met(self, detections: Sequence[Detection]) -> dict[Wanted, Places]:
        """The terms whose words stand in what was found, and where."""
        met: dict[Wanted, Places] = {}
        for text, terms in self._by_words.items():
            named: dict[Words, Places] = {}
            for detection in detections if terms else ():
                for kind, name in detection.names if detection.text is text else ():
                    for phrase in phrases(name, self._longest[text]):
                        if phrase in terms:
                            named.setdefault(phrase, Places()).append((kind, detection))
            met |= {wanted: places for phrase, places in named.items() for wanted in terms[phrase]}
        return met

    def _set_off_by(self, hits: Hits, source: str) -> Iterable[Condition]:
        """The conditions of the source's rules that are worth looking at, each once."""
        found = (wanted for wanted in hits.met if source in wanted.sets_off and hits.has(wanted))
        return dict.fromkeys(itertools.chain.from_iterable(wanted.sets_off[source] for wanted in found))


def truncate_to_state_limit(matched: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The matched rules in a size that the workflow can carry on: when there are very many, each keeps its surest match only.

    Raises TooManyMatches when even that is too much: better a failed image with a reason than an alert that silently lacks.
    """
    if _size(matched) <= MAX_VERDICT_BYTES:
        return list(matched)
    short = [
        {**entry, "Matches": entry["Matches"][:1], "MoreMatches": entry.get("MoreMatches", 0) + len(entry["Matches"]) - 1}
        for entry in matched
    ]
    if _size(short) > MAX_VERDICT_BYTES:
        raise TooManyMatches(f"{len(matched)} rules match this image, more than the workflow can carry. Merge or disable some.")
    return short


def _size(value: Any) -> int:
    return len(json.dumps(value))


def _verdict(rule: Rule, matches: list[dict[str, Any]], reason: str | None) -> dict[str, Any]:
    # What is absent is short: hundreds of these have to fit into one state.
    more = {
        "Cooldown": rule.cooldown.to_record() if rule.cooldown.seconds else None,
        "BypassQuietHours": rule.bypass_quiet_hours,
        "MoreMatches": max(len(matches) - MAX_MATCHES, 0),
        "Muted": reason,
    }
    return {
        "RuleId": rule.rule_id,
        "Name": rule.name,
        "RuleVersion": rule.version,
        "Severity": rule.severity,
        "Channels": list(rule.channels),
        "Matches": matches[:MAX_MATCHES],
        **{name: value for name, value in more.items() if value},
    }
