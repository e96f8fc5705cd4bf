"""What a rule would have done: held against stored findings, with active hours and cooldown as if it had been there.

It is the code of the functions that decides what matches and when a rule is silent. What differs: a match counts at the moment of
its upload and not seconds later, and a channel's rate is left out, since a digest tells the same matches in fewer messages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from typing import Any

from imagewatch.alerts.cooldown import CooldownScope, cooldown_scope
from imagewatch.images.version import ImageVersion
from imagewatch.rules.matching import Watchlist
from imagewatch.rules.model import Rule
from uploader.backfill.stored_images import Page, image_of

SENT, HELD_BACK, MUTED = "sent", "held back", "muted"
RUN_SECONDS = 7 * 86_400
"""How long a run over history may last at most; the workflow's own timeout."""
_NAMED = 3  # of what matched in one image


@dataclass(slots=True)
class Hit:
    """One image that the rule matches, and what would have become of the match."""

    image: ImageVersion
    matches: Sequence[Mapping[str, Any]]
    """The surest ones: [{Term, Label, Kind, Confidence, Count}]."""
    outcome: str = SENT

    @property
    def confidence(self) -> float:
        return float(self.matches[0]["Confidence"])


@dataclass
class Preview:
    """One rule over a stretch of history."""

    rule: Rule
    images: int = 0
    """Analysed images of that time."""
    unreadable: int = 0
    """Those among them whose record is damaged: they are judged by no rule."""
    hits: list[Hit] = field(default_factory=list)
    """In the order of upload."""

    def count(self, outcome: str) -> int:
        return sum(hit.outcome == outcome for hit in self.hits)

    def by_day(self, zone: tzinfo) -> dict[str, Counter[str]]:
        """Outcomes of each day that has any, by the calendar of the zone."""
        days: dict[str, Counter[str]] = {}
        for hit in self.hits:
            day = datetime.fromisoformat(hit.image.uploaded_at).astimezone(zone).date().isoformat()
            days.setdefault(day, Counter())[hit.outcome] += 1
        return days

    def by_source(self) -> list[tuple[str, Counter[str]]]:
        """Outcomes of each source, the one with most matches first."""
        sources: dict[str, Counter[str]] = {}
        for hit in self.hits:
            sources.setdefault(hit.image.source, Counter())[hit.outcome] += 1
        return sorted(sources.items(), key=lambda entry: (-entry[1].total(), entry[0]))

    def newest(self, most: int) -> list[Hit]:
        return self.hits[::-1][:most]

    def surest(self, most: int) -> list[Hit]:
        """The newest of those that are equally sure first."""
        return sorted(self.newest(len(self.hits)), key=lambda hit: -hit.confidence)[:most]

    def without(self, other: Preview) -> list[Hit]:
        """What this rule matches and the other one doesn't."""
        known = {hit.image.image_id for hit in other.hits}
        return [hit for hit in self.hits if hit.image.image_id not in known]


def preview(rules: Sequence[Rule], pages: Iterable[Page], examined: Callable[[int], None]) -> list[Preview]:
    """What each rule would have done, whether or not it is enabled or snoozed now; tells `examined` what was read."""
    # Two forms of a rule have one id, so that here they go by their places.
    watchlist = Watchlist(replace(rule, rule_id=str(place), enabled=True, snoozed_until="") for place, rule in enumerate(rules))
    previews = [Preview(rule) for rule in rules]
    images, unreadable, now = 0, 0, datetime.now(UTC)
    for page in pages:
        for record in page.records:
            try:
                image = image_of(record)
                verdicts = watchlist.evaluate(image, record, now)
            except (AttributeError, KeyError, TypeError, ValueError):  # as in a run: one record must not end it
                unreadable += 1
                continue
            for verdict in verdicts:
                hit = Hit(image, verdict["Matches"][:_NAMED], MUTED if "Muted" in verdict else SENT)
                previews[int(verdict["RuleId"])].hits.append(hit)
        images += len(page.records)
        examined(page.examined)
    for one in previews:
        one.images, one.unreadable = images, unreadable
        one.hits.sort(key=lambda hit: (hit.image.uploaded_at, hit.image.key))
        hold_back(one.rule, one.hits)
    return previews


def hold_back(rule: Rule, hits: Iterable[Hit]) -> None:
    """Decides which matches the rule's cooldown keeps back; the hits must be in the order of upload."""
    record = rule.to_record()
    silent_until: dict[str, float] = {}
    for hit in hits:
        window = cooldown_scope(record, hit.image.source) if hit.outcome != MUTED else None
        if window is None:
            continue
        moment = datetime.fromisoformat(hit.image.uploaded_at).timestamp()
        if moment < silent_until.get(window.cooldown_id, moment):
            hit.outcome = HELD_BACK
        else:
            hit.outcome = SENT
            silent_until[window.cooldown_id] = moment + window.seconds


def messages_at_most(one: Preview) -> int:
    """The most messages that a run with an alert for each of these matches can send through a channel.

    A cooldown lets one pass, and another one whenever it has ended while the run lasts, which can be RUN_SECONDS.
    """
    return sum(
        min(matches, 1 + RUN_SECONDS // window.seconds) if window else matches for window, matches in _by_window(one).items()
    )


def messages_at_once(one: Preview) -> int:
    """How many these are if the run ends before a cooldown does: one for each cooldown."""
    return sum(1 if window else matches for window, matches in _by_window(one).items())


def _by_window(one: Preview) -> Counter[CooldownScope | None]:
    """How many matches fall under which cooldown."""
    record = one.rule.to_record()
    return Counter(cooldown_scope(record, hit.image.source) for hit in one.hits if hit.outcome != MUTED)
