"""Renders rules and changes of rules for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from rich import box
from rich.table import Table
from rich.text import Text

from imagewatch.alerts.cooldown import render_duration
from imagewatch.rules.matched_rule import DIGEST
from imagewatch.rules.model import DEFAULT_CONFIDENCE, Rule, Term
from imagewatch.rules.schedule import is_snoozed
from uploader.rules.changes import CHANGED, DELETED, NEW, Change, field_lines
from uploader.rules.files import to_yaml
from uploader.rules.rule_store import Stored
from uploader.tables import TableOrLines
from uploader.terminal import printable
from uploader.times import minute

_STATES = {"on": "green", "off": "dim", "invalid": "red"}
_KINDS = {NEW: "green", CHANGED: "yellow", DELETED: "red"}
_SEVERITIES = {"critical": "bold red", "info": "dim"}
_USUAL = {"", "everywhere", "always"}
_TERMS_SHOWN = 4
_LEAST_HEAD = 20  # columns for a rule's state and severity
_LEAST_CELL = 20  # columns in which what a rule looks for, and where, can still be read


def state_of(stored: Stored, now: datetime) -> str:
    """ "on", "off", "invalid", or until when it is snoozed."""
    if stored.rule is None:
        return "invalid"
    if not stored.rule.enabled:
        return "off"
    return f"snoozed until {minute(stored.rule.snoozed_until)}" if is_snoozed(stored.rule, now) else "on"


def rules_table(rules: Iterable[Stored], now: datetime) -> TableOrLines:
    """A row for each rule: its state, what it looks for and where, its channels and its cooldown."""
    rules = list(rules)
    cells = {
        "Looks for": [looks_for(stored.rule) if stored.rule else stored.problem for stored in rules],
        "Where": [_where(stored.rule) if stored.rule else "" for stored in rules],
        "When": [_when(stored.rule) if stored.rule else "" for stored in rules],
        "Sends to": [_sends_to(stored.rule) if stored.rule else "" for stored in rules],
    }
    shown = [title for title in cells if set(cells[title]) - _USUAL]
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("Rule", no_wrap=True)
    table.add_column("State", overflow="fold", min_width=8)
    table.add_column("Severity", no_wrap=True)
    for title in shown:
        table.add_column(title, overflow="fold")
    entries = []
    for row, stored in enumerate(rules):
        state, severity = state_of(stored, now), stored.rule.severity if stored.rule else ""
        head = [
            Text(printable(stored.rule_id)),
            Text(state, style=_STATES.get(state, "yellow")),
            Text(severity, style=_SEVERITIES.get(severity, "")),
        ]
        shown_cells = {title: printable(cells[title][row]) for title in shown}
        table.add_row(*head, *map(Text, shown_cells.values()))
        entries.append((head, [Text(f"{title.lower()}: {cell}") for title, cell in shown_cells.items() if cell not in _USUAL]))
    longest = max((len(printable(stored.rule_id)) for stored in rules), default=0)
    rest = sum(1 + min(_LEAST_CELL, max(map(len, (title, *cells[title])))) for title in shown)
    return TableOrLines(table, longest + _LEAST_HEAD + rest, entries)


def looks_for(rule: Rule) -> str:
    """A rule's condition in a line: "person 90 % or dog, with car, without delivery (in text)"."""
    any_of, all_of = _terms(rule.any_of, " or "), _terms(rule.all_of, " and ")
    parts = [part for part in (any_of, f"with {all_of}" if any_of and all_of else all_of) if part]
    parts += [f"without {_terms(rule.none_of, ' or ')}"] if rule.none_of else []
    return ", ".join(parts) or "every image"


def rule_lines(stored: Stored, now: datetime) -> Iterator[Text]:
    """One rule in full: its state, its YAML, and when it was written."""
    rule = stored.valid()
    state = state_of(stored, now)
    name = (printable(rule.name), "bold")
    yield Text.assemble(name, f" ({rule.rule_id}, version {rule.version}) is ", (state, _STATES.get(state, "yellow")), ".")
    yield Text("")
    for line in to_yaml([rule]).splitlines():
        yield Text(f"  {printable(line)}")
    yield Text("")
    if rule.created_at:
        yield Text(f"Added {minute(rule.created_at)}, last changed {minute(rule.updated_at or rule.created_at)}.")


def change_lines(changes: Sequence[Change]) -> Iterator[Text]:
    """A line for each rule, and below it the fields that change; of a new one, what it looks for."""
    for one in changes:
        yield Text.assemble((f"{one.kind:<9}", _KINDS.get(one.kind, "dim")), f"  {printable(one.rule_id)}")
        if one.kind == NEW and one.rule:
            yield Text(printable(f"             {one.rule.name}: {looks_for(one.rule)}"))
        for changed in one.fields if one.kind == CHANGED else ():
            yield from (Text(printable(f"             {line}")) for line in field_lines(changed))


def counts(changes: Sequence[Change]) -> str:
    """ "2 new, 1 changed, 5 unchanged"."""
    kinds = [one.kind for one in changes]
    return ", ".join(f"{kinds.count(kind):,} {kind}" for kind in dict.fromkeys(kinds)) or "no rules"


def _terms(terms: Sequence[Term], between: str) -> str:
    more = [f"{len(terms) - _TERMS_SHOWN} more"] if len(terms) > _TERMS_SHOWN else []
    return between.join([*map(_term, terms[:_TERMS_SHOWN]), *more])


def _term(term: Term) -> str:
    sure = f" {term.min_confidence:g} %" if term.min_confidence != DEFAULT_CONFIDENCE else ""
    more = [f"{term.min_instances} of them"] if term.min_instances > 1 else []
    more += [f"{term.min_area * 100:g} % of the image"] if term.min_area else []
    more += [f"in {term.within}"] if term.within != "any" else []
    return f"{term.text}{sure} ({', '.join(more)})" if more else f"{term.text}{sure}"


def _where(rule: Rule) -> str:
    return ", ".join([*rule.sources, *(f"{prefix}*" for prefix in rule.key_prefixes)]) or "everywhere"


def _when(rule: Rule) -> str:
    if rule.active_hours is None:
        return "always"
    windows = (window.to_item() for window in rule.active_hours.windows)
    shown = ", ".join(f"{_days(window['Days'])} {window['From']}-{window['To']}" for window in windows)
    return f"{shown} ({rule.active_hours.time_zone})" + (", or any time" if rule.bypass_quiet_hours else "")


def _days(days: Sequence[str]) -> str:
    return "daily" if len(days) == 7 else " ".join(days)


def _sends_to(rule: Rule) -> str:
    cooldown = f", then silent for {render_duration(rule.cooldown.seconds)}" if rule.cooldown.seconds else ""
    each = " per source" if cooldown and rule.cooldown.per_source else ""
    digest = ", in digests" if rule.delivery == DIGEST else ""
    return f"{', '.join(rule.channels)}{digest}{cooldown}{each}"
