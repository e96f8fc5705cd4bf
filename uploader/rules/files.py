"""Reads and writes files of rules: one rule, a list of rules, or a list under `rules:`, in YAML or JSON."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from imagewatch.errors import InvalidRule, Problem
from imagewatch.rules.model import Rule
from uploader.errors import UsageError
from uploader.rules.yaml_document import Document, NotYaml, dump, line_at, line_of, value_of

MANAGED_FIELDS = ("Version", "CreatedAt", "UpdatedAt")
"""Fields that the client writes. A file's values for them are ignored."""
STDIN = "-"
MAX_FILE_BYTES = 20_000_000  # 10,000 rules are 3 MB
MAX_PROBLEMS_SHOWN = 50


@dataclass(frozen=True)
class ParsedRule:
    """A rule from a file."""

    rule: Rule
    where: str
    """For messages: "rules.yaml, line 12"."""
    fields: frozenset[str]
    """The fields that the file names; the others have their defaults."""


def read_files(paths: Sequence[str]) -> list[ParsedRule]:
    """The rules in all these files. Raises UsageError with every mistake, each with its file, line, rule and field."""
    found: list[ParsedRule] = []
    problems: list[str] = []
    ids: list[tuple[str, str]] = []
    for path in paths:
        try:
            text, name = read_source(path)
            rules, mistakes = read_text(text, name, ids=ids)
        except UsageError as error:
            rules, mistakes = [], [str(error)]
        found, problems = found + rules, problems + mistakes
    problems += _repeated(ids)
    if problems:
        raise usage_error(problems)
    return found


def read_one(text: str, name: str, rule_id: str) -> ParsedRule:
    """The only rule in this text. Its id is `rule_id`, whether the text names it or not. Raises UsageError."""
    rules, problems = read_text(text, name, rule_id)
    if not problems and len(rules) != 1:
        problems = [f"{name}: there must be one rule in it, not {len(rules)}."]
    if not problems and rules[0].rule.rule_id != rule_id:
        problems = [f"{rules[0].where}: RuleId must stay {rule_id}; a rule's id never changes. Add a new rule instead."]
    if problems:
        raise usage_error(problems)
    return rules[0]


def usage_error(problems: Sequence[str]) -> UsageError:
    """The error for these mistakes. It lists the first MAX_PROBLEMS_SHOWN and counts all."""
    more = len(problems) - MAX_PROBLEMS_SHOWN
    listed = [*problems[:MAX_PROBLEMS_SHOWN], *([f"And {more:,} more mistakes."] if more > 0 else [])]
    return UsageError.of_several(listed, f"{len(problems):,} mistakes; nothing was done.")


def read_text(
    text: str, name: str, rule_id: str = "", ids: list[tuple[str, str]] | None = None
) -> tuple[list[ParsedRule], list[str]]:
    """The valid rules, and the mistakes in the others. `rule_id` is the id of a rule that names none.

    The id of each rule, valid or not, is appended to `ids` with its place.
    """
    try:
        nodes = _rule_nodes(Document(text))
    except NotYaml as error:
        return [], [f"{_place(name, error.line)}: {error}."]
    rules, problems = [], []
    for node in nodes:
        where = _place(name, line_of(node))
        try:
            item = _item(node, rule_id)
            if ids is not None and isinstance(item, dict) and isinstance(item["RuleId"], str):
                ids.append((item["RuleId"], where))
            rules.append(ParsedRule(Rule.from_item(item), where, frozenset(item)))
        except NotYaml as error:
            problems.append(f"{_place(name, error.line)}: {error}.")
        except InvalidRule as error:
            lines = [(line_at(node, problem.path), problem) for problem in error.problems]
            problems += [f"{_place(name, line)}: {problem}" for line, problem in sorted(lines, key=lambda pair: pair[0])]
    return rules, problems


def to_yaml(rules: Iterable[Rule]) -> str:
    """The rules as a list that `read_text` reads unchanged, except for MANAGED_FIELDS."""
    return "\n".join(dump([document(rule.to_item())]) for rule in rules)


def document(item: Mapping[str, Any]) -> dict[str, Any]:
    """A rule's item as people write it: without MANAGED_FIELDS and an obvious Enabled, and with whole numbers as integers."""
    shown = {name: value for name, value in item.items() if name not in MANAGED_FIELDS}
    if shown.get("Enabled") is True:
        del shown["Enabled"]
    order = ("RuleId", "Name", "Enabled", "Severity", "Terms", "AnyOf", "AllOf", "NoneOf", "Sources", "KeyPrefixes")
    return {name: _whole(shown[name]) for name in sorted(shown, key=lambda name: _rank(order, name))}


def slug_of(name: str) -> str:
    """An id made from a rule's name: "Person at the gate" -> person-at-the-gate; empty when the name has no usable letter."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:64].rstrip("-")


def is_file(named: str) -> bool:
    """Whether an argument names a file rather than a rule's id, which has neither dots nor slashes."""
    return named == STDIN or not re.fullmatch(r"[a-z0-9-]+", named) or Path(named).is_file()


def read_source(path: str) -> tuple[str, str]:
    """The text of a file or of stdin, and its name for messages. Raises UsageError."""
    return (sys.stdin.read(MAX_FILE_BYTES), "stdin") if path == STDIN else (_text(path), path)


def _text(path: str) -> str:
    try:
        if Path(path).stat().st_size > MAX_FILE_BYTES:
            raise UsageError(f"{path}: it is too large for a file of rules (at most 20 MB).")
        return Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise UsageError(f"{path}: there is no such file.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: it isn't text in UTF-8.") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: it can't be read: {getattr(error, 'strerror', None) or error}.") from error


def _rule_nodes(document: Document) -> list[Node]:
    root = document.root
    if isinstance(root, MappingNode):
        by_name = {key.value: (key, value) for key, value in root.value}
        if "rules" not in by_name:
            return [root]
        for other, (key, _) in by_name.items():
            if other != "rules":
                raise NotYaml(f"{other} can't stand beside rules: rules is a list that holds everything", line_of(key))
        root = by_name["rules"][1]
    if isinstance(root, SequenceNode):
        return list(root.value)
    if root is None or (isinstance(root, ScalarNode) and not root.value):
        raise NotYaml("it holds no rule; an empty list is written []")
    raise NotYaml("there must be a rule (fields such as Name: ...), or a list of rules", line_of(root))


def _item(node: Node, rule_id: str) -> Any:
    item = value_of(node)
    if isinstance(item, dict):
        item = {field: value for field, value in item.items() if field not in MANAGED_FIELDS}
        if "RuleId" not in item:
            item = {"RuleId": rule_id or _id_from(item.get("Name")), **item}
    return item


def _id_from(name: Any) -> str:
    if not isinstance(name, str) or not name.strip():
        raise InvalidRule(Problem(("Name",), "Name is missing; it must be one line of text with 1 to 100 characters.", "A rule"))
    found = slug_of(name)
    if not found:
        text = f"RuleId is missing, and can't be made from the name {name!r}. Write one, such as gate-1."
        raise InvalidRule(Problem(("RuleId",), text, "A rule"))
    return found


def _repeated(ids: Sequence[tuple[str, str]]) -> list[str]:
    first: dict[str, str] = {}
    problems = []
    for rule_id, where in ids:
        if rule_id in first:
            problems.append(f"{where}: Rule {rule_id} is already in {first[rule_id]}; remove one of them.")
        first.setdefault(rule_id, where)
    return problems


def _place(name: str, line: int) -> str:
    return f"{name}, line {line}" if line else name


def _rank(order: tuple[str, ...], name: str) -> int:
    return order.index(name) if name in order else len(order)


def _whole(value: Any) -> Any:
    """80.0 -> 80."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _whole(inner) for name, inner in value.items()}
    return [_whole(inner) for inner in value] if isinstance(value, list | tuple) else value
