"""Compares rules with the stored ones, field by field: for --dry-run and for the report of a write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from imagewatch.rules.model import Rule
from uploader.rules.files import ParsedRule, document
from uploader.rules.rule_store import Stored
from uploader.rules.yaml_document import dump_inline

NEW, CHANGED, UNCHANGED, DELETED = "new", "changed", "unchanged", "deleted"


@dataclass(frozen=True)
class FieldChange:
    """One field before and after; None where it is left out and so has its default."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Change:
    """The change of one rule; `rule` is None when it is deleted, `before` when it is new."""

    rule_id: str
    rule: Rule | None
    before: Stored | None
    fields: Sequence[FieldChange] = ()

    @property
    def kind(self) -> str:
        if self.before is None or self.rule is None:
            return DELETED if self.rule is None else NEW
        return CHANGED if self.fields else UNCHANGED


def change(rule: Rule, before: Stored | None) -> Change:
    """What writing this rule changes."""
    old = _document(before) if before else {}
    new = _written(rule)
    names = list(dict.fromkeys([*new, *old]))
    fields = [FieldChange(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]
    return Change(rule.rule_id, rule, before, fields)


def plan(written: Iterable[ParsedRule], stored: Mapping[str, Stored], *, prune: bool) -> list[Change]:
    """What an import of these rules changes.

    A snooze that the file doesn't mention stays: a file from last week doesn't know about it.
    """
    changes = []
    for one in written:
        before, rule = stored.get(one.rule.rule_id), one.rule
        if before and before.rule and "SnoozedUntil" not in one.fields:
            rule = replace(rule, snoozed_until=before.rule.snoozed_until)
        changes.append(change(rule, before))
    named = {one.rule_id for one in changes}
    deleted = [Change(rule_id, None, before) for rule_id, before in stored.items() if prune and rule_id not in named]
    return [*changes, *deleted]


def field_lines(changed: FieldChange) -> list[str]:
    """The change of one field as text; of lists, the removed and the added entries."""
    if isinstance(changed.before, list) and isinstance(changed.after, list):
        removed = [f"- {dump_inline(entry)}" for entry in changed.before if entry not in changed.after]
        added = [f"+ {dump_inline(entry)}" for entry in changed.after if entry not in changed.before]
        return [f"{changed.name}: {line}" for line in [*removed, *added] or ["in another order"]]
    return [f"{changed.name}: {_shown(changed.before)} -> {_shown(changed.after)}"]


def change_document(one: Change) -> dict[str, Any]:
    """For scripts."""
    return {
        "rule": one.rule_id,
        "change": one.kind,
        "fields": [{"name": field.name, "before": field.before, "after": field.after} for field in one.fields],
    }


def _document(stored: Stored) -> dict[str, Any]:
    # A valid item is compared in the form in which it would be written, so that a field with its default is no change.
    return _written(stored.rule) if stored.rule else document(stored.record)


def _written(rule: Rule) -> dict[str, Any]:
    return {**document(rule.to_item()), "Enabled": rule.enabled}


def _shown(value: Any) -> str:
    return "(not set)" if value is None else dump_inline(value)
