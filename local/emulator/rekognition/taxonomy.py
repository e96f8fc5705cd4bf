"""The labels that the models can answer with, in the form of Rekognition's vocabulary: aliases, all ancestors, categories.

`taxonomy.json` gives each label its direct parents, its category, its aliases (`aliases`) and what models call it (`also`).
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

TABLE = Path(__file__).with_name("taxonomy.json")
SMALL_WORDS = {"a", "and", "at", "for", "in", "of", "on", "or", "the", "to", "with"}
NOT_A_THING = {"", "n/a", "na", "none", "background", "__background__", "no object", "no-object"}


class Term(NamedTuple):
    """A label's place in the vocabulary; `parents` holds all ancestors, the nearest first."""

    name: str
    parents: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


@cache
def term(label: str) -> Term:
    """Returns the label's entry; a label that the table doesn't have gets one without parents, aliases and categories."""
    entry = _table().get(label)
    if entry is None:
        return Term(label)
    return Term(label, _ancestors(label), tuple(entry.get("aliases", ())), (entry["category"],))


def is_a(label: str, ancestor: str) -> bool:
    """Returns whether a label is the other one or belongs to it: a Beagle is a Dog, and an Animal."""
    return label == ancestor or ancestor in term(label).parents


def label_for(name: str) -> str | None:
    """Returns the label for a model's class name: `cell phone` is Mobile Phone, `tabby, tabby cat` is Tabby; None for `N/A`."""
    plain = re.sub(r"^n\d{8}\s+", "", name.strip())  # ImageNet's own identifiers
    plain = re.sub(r"[_\s]+", " ", plain.split(",")[0]).strip()
    if name.strip().lower() in NOT_A_THING or plain.lower() in NOT_A_THING:
        return None
    return _names().get(plain.lower()) or _capitalised(plain)


def _capitalised(name: str) -> str:
    words = name.split(" ")
    return " ".join(
        word if word != word.lower() or (place and word in SMALL_WORDS) else word[:1].upper() + word[1:]
        for place, word in enumerate(words)
    )


def _ancestors(label: str) -> tuple[str, ...]:
    found: list[str] = []
    row = list(_table()[label].get("parents", ()))
    while row:
        found += [name for name in dict.fromkeys(row) if name not in found]
        row = [parent for name in row for parent in _table()[name].get("parents", ())]
    return tuple(found)


@cache
def _table() -> dict[str, dict[str, Any]]:
    table: dict[str, dict[str, Any]] = json.loads(TABLE.read_text())
    return table


@cache
def _names() -> dict[str, str]:
    """Every name, alias and model's name, in lower case, with its label; a label's own name wins."""
    names: dict[str, str] = {}
    for label, entry in _table().items():
        for name in (*entry.get("aliases", ()), *entry.get("also", ())):
            names[name.lower()] = label
    return names | {label.lower(): label for label in _table()}
