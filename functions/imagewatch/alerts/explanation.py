"""Answers, for each rule, why an image did or did not notify people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from imagewatch.alerts.alert import FAILED, PENDING, QUEUED, SUPPRESSED, Alert
from imagewatch.alerts.cooldown import cooldown_scope, render_duration
from imagewatch.images.version import ImageVersion
from imagewatch.rules.matched_rule import MatchedRule
from imagewatch.rules.matching import Watchlist
from imagewatch.rules.model import Rule

NOT_MATCHED = "NOT_MATCHED"
MUTED = "MUTED"
NOT_ALERTED = "NOT_ALERTED"  # it matched, and there is no alert

_ADDED_LATER = "it would match now: the rule was added, changed or enabled after the image was analysed"


@dataclass(frozen=True)
class Explanation:
    """What one rule did for one image."""

    rule_id: str
    rule_name: str
    outcome: str
    """The status of its alert, or NOT_MATCHED, MUTED, NOT_ALERTED."""
    reason: str
    alert_id: str = ""
    suppressed_by: str = ""
    """Of a suppressed alert: the alert or digest whose cooldown suppressed it."""


def explain(record: Mapping[str, Any], rules: Sequence[Rule], alerts: Mapping[str, Alert], now: datetime) -> list[Explanation]:
    """One explanation for each rule, those that matched first.

    `record` is the image's item in the ImagesTable. `rules` are the rules of the watchlist as they are now, `alerts` those of
    this version of the image by rule id. A rule that was deleted after it matched is explained too.
    """
    matched = {entry.rule_id: entry for entry in map(MatchedRule.from_item, record.get("MatchedRules", []))}
    known = {rule.rule_id: rule for rule in rules}
    found = [_of_alert(alert) for alert in alerts.values()]
    failure = str(record.get("AlertFailure", ""))
    found += [_of_match(entry, failure) for rule_id, entry in matched.items() if rule_id not in alerts]
    explained = {one.rule_id for one in found}
    image = ImageVersion.from_state(record)
    found += [_of_other(rule, image, record, now) for rule_id, rule in known.items() if rule_id not in explained]
    return sorted(found, key=lambda one: (one.outcome == NOT_MATCHED, one.rule_id))


def _of_alert(alert: Alert) -> Explanation:
    if alert.status == SUPPRESSED:
        return _explanation(alert, _why_suppressed(alert))
    parts = [_of_delivery(alert, channel_id) for channel_id in alert.channels]
    return _explanation(alert, "; ".join(parts))


def _of_delivery(alert: Alert, channel_id: str) -> str:
    delivery = alert.delivery(channel_id)
    reason = f": {delivery.reason}" if delivery.reason and delivery.status in (PENDING, QUEUED, FAILED) else ""
    digest = f" in digest {delivery.digest_id}" if delivery.digest_id and not reason else ""
    instead = f" instead of {', '.join(delivery.fallback_for)}" if delivery.fallback_for else ""
    return f"{channel_id}{instead} {delivery.status.lower()}{digest} at {delivery.at or alert.created_at}{reason}"


def _why_suppressed(alert: Alert) -> str:
    scope = cooldown_scope(alert.rule, alert.source)
    cooldown = f"the cooldown of {render_duration(scope.seconds)} of {scope.cooldown_id}" if scope else "its cooldown"
    by = f", which alert or digest {alert.suppressed_by} started" if alert.suppressed_by else ""
    return f"suppressed by {cooldown}{by}; the next message counts it"


def _explanation(alert: Alert, reason: str) -> Explanation:
    return Explanation(alert.rule_id, alert.rule_name, alert.status, reason, alert.alert_id, alert.suppressed_by)


def _of_match(matched: MatchedRule, failure: str) -> Explanation:
    rule_id, name = matched.rule_id, matched.name
    if matched.muted:
        return Explanation(rule_id, name, MUTED, f"it matched, but sends no alert: {matched.muted}")
    if failure:
        return Explanation(rule_id, name, NOT_ALERTED, f"it matched, but its alert could not be sent: {failure}")
    reason = (
        "it matched, but there is no alert: it is being sent, or a backfill without alerts found it, or the alert has expired"
    )
    return Explanation(rule_id, name, NOT_ALERTED, reason)


def _of_other(rule: Rule, image: ImageVersion, record: Mapping[str, Any], now: datetime) -> Explanation:
    """A rule that is not among those that were recorded as matched when the image was analysed."""
    why = _why_not(rule, image, record, now)
    if why is None and record.get("RulesOmitted"):
        return Explanation(rule.rule_id, rule.name, NOT_ALERTED, _why_omitted(int(record["RulesOmitted"])))
    return Explanation(rule.rule_id, rule.name, NOT_MATCHED, why or _ADDED_LATER)


def _why_omitted(omitted: int) -> str:
    return (
        "it matches, but there is no alert: more rules match this image than its record has room for, "
        f"and {omitted} were omitted; or the rule was added, changed or enabled later"
    )


def _why_not(rule: Rule, image: ImageVersion, record: Mapping[str, Any], now: datetime) -> str | None:
    """Why the rule does not match the image, or None if it matches now."""
    if record.get("Status") != "ANALYZED":
        return f"the image is not analysed: its status is {record.get('Status', 'unknown')}"
    if not rule.enabled:
        return "the rule is disabled"
    if not rule.applies_to(image):
        return f"the rule is limited to other sources or prefixes than {image.source}"
    if Watchlist([rule]).evaluate(image, record, now):
        return None
    return "the findings do not fulfil its terms"
