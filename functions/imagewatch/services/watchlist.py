"""Edits the watchlist. A rule that another person has changed meanwhile is not overwritten."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from imagewatch.aws.tables import rule_items
from imagewatch.errors import InvalidRule
from imagewatch.rules.model import Rule
from imagewatch.timestamps import iso_now

Record = dict[str, Any]


@dataclass(frozen=True)
class StoredRule:
    """An item of the watchlist. One that was written without the checks can be damaged; then `problem` says how."""

    record: Record
    rule: Rule | None
    problem: str = ""

    @classmethod
    def of(cls, record: Record) -> StoredRule:
        try:
            return cls(record, Rule.from_item(record))
        except InvalidRule as error:
            return cls(record, None, str(error))

    @property
    def version(self) -> int:
        """0 for a damaged version, which any edit replaces."""
        version = self.record.get("Version", 1)
        return version if isinstance(version, int) else 0


def read_all() -> list[StoredRule]:
    """Every rule, in the order of ids."""
    return [StoredRule.of(record) for record in rule_items.read_all()]


def read(rule_id: str) -> StoredRule | None:
    """One rule, or None."""
    record = rule_items.read(rule_id)
    return StoredRule.of(record) if record else None


def create(rule: Rule) -> Rule | None:
    """Writes a new rule; returns it as it is written. None when there is one of this id."""
    now = iso_now()
    created = replace(rule, version=1, created_at=now, updated_at=now)
    return created if rule_items.create(created.to_item()) else None


def change(rule: Rule, before: StoredRule) -> Rule | None:
    """Writes the rule in place of what was read; returns it as it is written. None when that has changed since."""
    created = before.rule.created_at if before.rule else rule.created_at
    changed = replace(rule, version=before.version + 1, created_at=created, updated_at=iso_now())
    return changed if rule_items.replace(changed.to_item(), before.record) else None


def delete(before: StoredRule) -> bool:
    """Deletes the rule that was read; False when it has changed since."""
    return rule_items.delete(before.record)
