"""What people want to be told about: rules, and what of an image matches them. Pure, so that it can run over history too."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagewatch.errors import InvalidRule, TooManyMatches

MAX_MATCHES = 20  # of one rule, that its alert can name
MAX_VERDICT_BYTES = 100_000  # of the 262,144 that a state may carry, beside the findings

# How a label came to match, the closest kin first; it decides which of several matching terms is named.
_KINSHIP = ("name", "alias", "parent", "category", "moderation")


@dataclass(frozen=True)
class Term:
    """One thing to look for, and how sure (0-100) Rekognition must be of it."""

    text: str
    min_confidence: float

    @property
    def words(self) -> tuple[str, ...]:
        return words_of(self.text)


@dataclass(frozen=True)
class Rule:
    """A rule of the watchlist: any of its terms makes it match."""

    rule_id: str
    name: str
    terms: tuple[Term, ...]
    enabled: bool = True

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Rule:
        """A rule from the WatchlistTable. Raises InvalidRule naming the field and what it should be."""
        rule_id = record.get("RuleId")
        if not isinstance(rule_id, str) or not rule_id:
            raise InvalidRule("RuleId: must be a text that isn't empty.")
        name = record.get("Name")
        if not isinstance(name, str) or not name.strip():
            raise InvalidRule(f"Rule {rule_id}: Name must be a text that isn't empty.")
        enabled = record.get("Enabled", True)
        if not isinstance(enabled, bool):
            raise InvalidRule(f"Rule {rule_id}: Enabled must be true or false, not {enabled!r}.")
        terms = record.get("Terms")
        if not isinstance(terms, list) or not terms:
            raise InvalidRule(f"Rule {rule_id}: Terms must be a list with at least one entry.")
        return cls(rule_id, name.strip(), tuple(_term(rule_id, n, term) for n, term in enumerate(terms, 1)), enabled)


def _term(rule_id: str, number: int, term: Any) -> Term:
    where = f"Rule {rule_id}: Terms, entry {number}"
    if not isinstance(term, dict):
        raise InvalidRule(f"{where}: must have Term and MinConfidence.")
    text, confidence = term.get("Term"), term.get("MinConfidence")
    if not isinstance(text, str) or not words_of(text):
        raise InvalidRule(f"{where}: Term must contain at least one word, not {text!r}.")
    if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0 <= confidence <= 100:
        raise InvalidRule(f"{where} ({text}): MinConfidence must be a number from 0 to 100, not {confidence!r}.")
    return Term(text, float(confidence))


def words_of(text: str) -> tuple[str, ...]:
    """The words of a name in a form that compares: any case, any punctuation between them, accents however they are typed."""
    return tuple(re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", text).casefold()))


def evaluate(rules: Iterable[Rule], findings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The enabled rules that match, in their order: [{RuleId, Name, Matches: [{Term, Label, Kind, Confidence, Count}]}].

    `findings` has Labels and Moderation as in the image's record. Matches are the surest first; `MoreMatches` counts those
    beyond MAX_MATCHES, which a very general term ("animal") can bring.
    """
    candidates = [*_label_candidates(findings["Labels"]), *_moderation_candidates(findings["Moderation"]["Labels"])]
    matched = []
    for rule in rules:
        matches = _matches(rule, candidates) if rule.enabled else []
        if matches:
            entry = {"RuleId": rule.rule_id, "Name": rule.name, "Matches": matches[:MAX_MATCHES]}
            matched.append(entry | ({"MoreMatches": len(matches) - MAX_MATCHES} if len(matches) > MAX_MATCHES else {}))
    return matched


def within_a_state(matched: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
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


@dataclass(frozen=True)
class _Candidate:
    """A label with every name it answers to."""

    label: str
    confidence: float
    count: int
    ancestors: frozenset[str]
    names: tuple[tuple[str, tuple[str, ...]], ...]
    """(kind, words) pairs."""


def _label_candidates(labels: Sequence[Mapping[str, Any]]) -> list[_Candidate]:
    return [
        _Candidate(
            label["Name"],
            label["Confidence"],
            len(label["Instances"]) or 1,
            frozenset(label["Parents"]),
            (
                ("name", words_of(label["Name"])),
                *(("alias", words_of(alias)) for alias in label["Aliases"]),
                *(("parent", words_of(parent)) for parent in label["Parents"]),
                *(("category", words_of(category)) for category in label["Categories"]),
            ),
        )
        for label in labels
    ]


def _moderation_candidates(labels: Sequence[Mapping[str, Any]]) -> list[_Candidate]:
    # A child that the taxonomy adds tomorrow is judged by its parents, which stand in its chain.
    return [
        _Candidate(
            label["Name"],
            label["Confidence"],
            1,
            frozenset(label["Parents"]),
            tuple(("moderation", words_of(name)) for name in (label["Name"], *label["Parents"])),
        )
        for label in labels
    ]


def _matches(rule: Rule, candidates: Sequence[_Candidate]) -> list[dict[str, Any]]:
    found: list[tuple[_Candidate, str, Term]] = []
    for candidate in candidates:
        hits = [
            (kind, term)
            for kind, words in candidate.names
            for term in rule.terms
            if candidate.confidence >= term.min_confidence and _contains(words, term.words)
        ]
        if hits:
            kind, term = min(hits, key=lambda hit: _KINSHIP.index(hit[0]))
            found.append((candidate, kind, term))
    # One object comes with all its ancestors (a Car is a Vehicle too): only the most specific label is the match.
    ancestors = {ancestor for candidate, _, _ in found for ancestor in candidate.ancestors - {candidate.label}}
    specific = [entry for entry in found if entry[0].label not in ancestors]
    specific.sort(key=lambda entry: (-entry[0].confidence, entry[0].label))
    return [
        {"Term": term.text, "Label": c.label, "Kind": kind, "Confidence": c.confidence, "Count": c.count}
        for c, kind, term in specific
    ]


def _contains(words: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    """Whether the wanted words stand in `words` side by side: "car" is in "Sports Car" and not in "Carpet"."""
    return any(words[start : start + len(wanted)] == wanted for start in range(len(words) - len(wanted) + 1))
