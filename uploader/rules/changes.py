"""What writing rules would change, field by field: for --dry-run, and for people who want to know what they have done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from imagewatch.rules.model import Rule
from uploader.rules.files import Written, document
from uploader.rules.rule_store import Stored
from uploader.rules.yaml_document import flow

NEW, CHANGED, UNCHANGED, DELETED = "new", "changed", "unchanged", "deleted"


@dataclass(frozen=True)
class FieldChange:
    """One field before and after; None where it isn't there, which means its default."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Change:
    """What becomes of one rule; `rule` is None when it is deleted, `before` when it is new."""

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


def plan(written: Iterable[Written], there: Mapping[str, Stored], *, prune: bool) -> list[Change]:
    """What an import of these rules does to those that are there.

    A snooze that the file doesn't speak of stays: somebody asked for silence, and a file from last week doesn't know of it.
    """
    changes = []
    for one in written:
        before, rule = there.get(one.rule.rule_id), one.rule
        if before and before.rule and "SnoozedUntil" not in one.fields:
            rule = replace(rule, snoozed_until=before.rule.snoozed_until)
        changes.append(change(rule, before))
    named = {one.rule_id for one in changes}
    gone = [Change(rule_id, None, stored) for rule_id, stored in there.items() if prune and rule_id not in named]
    return [*changes, *gone]


def field_lines(changed: FieldChange) -> list[str]:
    """A change of one field as people read it; of lists, what went and what came."""
    if isinstance(changed.before, list) and isinstance(changed.after, list):
        went = [f"- {flow(entry)}" for entry in changed.before if entry not in changed.after]
        came = [f"+ {flow(entry)}" for entry in changed.after if entry not in changed.before]
        return [f"{changed.name}: {line}" for line in [*went, *came] or ["in another order"]]
    return [f"{changed.name}: {_said(changed.before)} -> {_said(changed.after)}"]


def change_document(one: Change) -> dict[str, Any]:
    """For scripts."""
    return {
        "rule": one.rule_id,
        "change": one.kind,
        "fields": [{"name": field.name, "before": field.before, "after": field.after} for field in one.fields],
    }


def _document(stored: Stored) -> dict[str, Any]:
    # A valid record is compared in the form it would be written in: what it leaves out is no change.
    return _written(stored.rule) if stored.rule else document(stored.record)


def _written(rule: Rule) -> dict[str, Any]:
    return {**document(rule.to_record()), "Enabled": rule.enabled}


def _said(value: Any) -> str:
    return "(not set)" if value is None else flow(value)
