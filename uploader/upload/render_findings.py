"""Renders the findings of an image in a few words. An image that wasn't checked is never called safe."""

from __future__ import annotations

from collections.abc import Sequence

from uploader.upload.follow import REMOVED, REPLACED, Analysis
from uploader.upload.image_records import Finding, Record, RecordedRule

LABELS_SHOWN = 4

_STATUS_WORDS = {
    "ANALYZED": ("analyzed", "green"),
    "REJECTED": ("rejected", "yellow"),
    "FAILED": ("failed", "red"),
    "ANALYZING": ("not finished", "red"),
    REPLACED: ("replaced", "dim"),
    REMOVED: ("removed", "yellow"),
}


def status_words(analysis: Analysis) -> tuple[str, str]:
    """The status in plain words, and the style to print it in."""
    if analysis.status is None:
        return "no record", "red"
    return _STATUS_WORDS.get(analysis.status, (analysis.status.lower(), "red"))


def label_words(record: Record) -> str:
    """The labels with the highest confidence, without ancestors of other labels (Animal and Mammal for a Dog)."""
    labels = most_specific(record.labels)
    shown = ", ".join(_with_confidence(label) for label in labels[:LABELS_SHOWN])
    more = len(labels) - LABELS_SHOWN
    return f"{shown}, and {more} more" if more > 0 else shown or "none found"


def moderation_words(record: Record) -> str:
    """The moderation labels, "nothing found", or "not checked". An empty list of an unchecked image means nothing."""
    moderation = record.moderation
    if not moderation or not record.is_moderated:
        return "not checked"
    labels = most_specific(moderation.get("Labels", []))
    found = ", ".join(_with_confidence(label) for label in labels) or "nothing found"
    return f"{found}; checked for {moderation['Scope']}" if moderation.get("Scope") else found


def rule_words(record: Record) -> str:
    """The names of the rules that matched; of a muted rule, which sends no alert, also the reason.

    Rules that matched and that the record has no room for are counted.
    """
    names = [_rule(rule) for rule in record.rules]
    omitted = record.rules_omitted
    return ", ".join([*names, f"and {omitted} more that are not recorded and raise no alert"] if omitted else names)


def most_specific(labels: Sequence[Finding]) -> list[Finding]:
    """The labels that are no parents of other labels, by confidence."""
    parents = {parent for label in labels for parent in label.get("Parents", [])}
    specific = [label for label in labels if label["Name"] not in parents]
    return sorted(specific, key=lambda label: (-label["Confidence"], label["Name"]))


def _rule(rule: RecordedRule) -> str:
    if not rule.muted:
        return rule.name
    return f"{rule.name} ({rule.muted})" if rule.muted.startswith("muted ") else f"{rule.name} (muted: {rule.muted})"


def _with_confidence(label: Finding) -> str:
    return f"{label['Name']} {int(label['Confidence'])} %"
