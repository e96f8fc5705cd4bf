"""Previews a rule: what it would have matched and sent, from stored findings.

The functions' own code decides what matches and what a cooldown suppresses. Two things differ: a match counts at the time of its
upload and not seconds later, and the channel's rate is ignored, because a digest sends the same matches in fewer messages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from typing import Any

from imagewatch.alerts.cooldown import CooldownScope, cooldown_scope
from imagewatch.images.version import ImageVersion
from imagewatch.rules.matched_rule import Match
from imagewatch.rules.matching import Watchlist
from imagewatch.rules.model import Rule

SENT, SUPPRESSED, MUTED = "sent", "suppressed", "muted"
MAX_RUN_SECONDS = 7 * 86_400
"""The timeout of the workflow that runs a backfill."""
_MATCHES_KEPT = 3  # of one image


@dataclass(frozen=True)
class Page:
    """Records of analysed images in the time range. `examined` is the number of records that were read for it."""

    records: Sequence[Mapping[str, Any]]
    examined: int


def image_of(record: Mapping[str, Any]) -> ImageVersion:
    """The image version of a record, with the fields that rules and links need."""
    return ImageVersion(record["Bucket"], record["Key"], record.get("VersionId", ""), "", "", 0, record["UploadedAt"])


@dataclass(slots=True)
class PreviewMatch:
    """One image that the rule matches, and the outcome of the match."""

    image: ImageVersion
    matches: Sequence[Match]
    """Those of highest confidence, in descending order."""
    outcome: str = SENT

    @property
    def confidence(self) -> float:
        return self.matches[0].confidence


@dataclass
class Preview:
    """One rule over a period."""

    rule: Rule
    images: int = 0
    """Analysed images of the period."""
    unreadable: int = 0
    """Those among them whose record is damaged, so that no rule can be matched."""
    matches: list[PreviewMatch] = field(default_factory=list)
    """In the order of upload."""

    def count(self, outcome: str) -> int:
        return sum(match.outcome == outcome for match in self.matches)

    def by_day(self, zone: tzinfo) -> dict[str, Counter[str]]:
        """Outcomes of each day that has any, by the calendar of the zone."""
        days: dict[str, Counter[str]] = {}
        for match in self.matches:
            day = datetime.fromisoformat(match.image.uploaded_at).astimezone(zone).date().isoformat()
            days.setdefault(day, Counter())[match.outcome] += 1
        return days

    def by_source(self) -> list[tuple[str, Counter[str]]]:
        """Outcomes of each source, the one with most matches first."""
        sources: dict[str, Counter[str]] = {}
        for match in self.matches:
            sources.setdefault(match.image.source, Counter())[match.outcome] += 1
        return sorted(sources.items(), key=lambda entry: (-entry[1].total(), entry[0]))

    def newest(self, most: int) -> list[PreviewMatch]:
        return self.matches[::-1][:most]

    def most_confident(self, most: int) -> list[PreviewMatch]:
        """In descending order of confidence, then of time."""
        return sorted(self.newest(len(self.matches)), key=lambda match: -match.confidence)[:most]

    def without(self, other: Preview) -> list[PreviewMatch]:
        """The matches of images that the other rule doesn't match."""
        known = {match.image.image_id for match in other.matches}
        return [match for match in self.matches if match.image.image_id not in known]


def preview(rules: Sequence[Rule], pages: Iterable[Page], examined: Callable[[int], None]) -> list[Preview]:
    """A preview of each rule, even if it is disabled or snoozed now. Calls `examined` with the number of records of each page."""
    # Two versions of a rule have the same id, so that here their positions serve as ids.
    watchlist = Watchlist(replace(rule, rule_id=str(at), enabled=True, snoozed_until="") for at, rule in enumerate(rules))
    previews = [Preview(rule) for rule in rules]
    images, unreadable, now = 0, 0, datetime.now(UTC)
    for page in pages:
        for record in page.records:
            try:
                image = image_of(record)
                matched = watchlist.evaluate(image, record, now)
            except (AttributeError, KeyError, TypeError, ValueError):  # as in a backfill: one record must not stop it
                unreadable += 1
                continue
            for rule in matched:
                match = PreviewMatch(image, rule.matches[:_MATCHES_KEPT], MUTED if rule.muted else SENT)
                previews[int(rule.rule_id)].matches.append(match)
        images += len(page.records)
        examined(page.examined)
    for one in previews:
        one.images, one.unreadable = images, unreadable
        one.matches.sort(key=lambda match: (match.image.uploaded_at, match.image.key))
        apply_cooldown(one.rule, one.matches)
    return previews


def apply_cooldown(rule: Rule, matches: Iterable[PreviewMatch]) -> None:
    """Sets the outcome of matches that the rule's cooldown suppresses. The matches must be in the order of upload."""
    ends: dict[str, float] = {}
    for match in matches:
        scope = cooldown_scope(rule, match.image.source) if match.outcome != MUTED else None
        if scope is None:
            continue
        moment = datetime.fromisoformat(match.image.uploaded_at).timestamp()
        if moment < ends.get(scope.cooldown_id, moment):
            match.outcome = SUPPRESSED
        else:
            match.outcome = SENT
            ends[scope.cooldown_id] = moment + scope.seconds


def messages_at_most(one: Preview) -> int:
    """The most messages that a backfill with alerts can send through a channel.

    A cooldown permits one, and another one each time it ends during the run, which can last MAX_RUN_SECONDS.
    """
    return sum(
        min(matches, 1 + MAX_RUN_SECONDS // scope.seconds) if scope else matches for scope, matches in _by_scope(one).items()
    )


def messages_at_once(one: Preview) -> int:
    """The number of messages if the run ends before any cooldown does: one for each cooldown."""
    return sum(1 if scope else matches for scope, matches in _by_scope(one).items())


def _by_scope(one: Preview) -> Counter[CooldownScope | None]:
    """How many matches each cooldown applies to."""
    return Counter(cooldown_scope(one.rule, match.image.source) for match in one.matches if match.outcome != MUTED)
