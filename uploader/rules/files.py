"""Rules in files as people write them: one rule, a list of them, or a list under `rules:`, in YAML or JSON."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from imagewatch.errors import InvalidRule
from imagewatch.rules.model import Rule
from uploader.errors import UsageError
from uploader.rules.yaml_document import Document, NotYaml, dump, line_of, line_within

WRITTEN_FOR_YOU = ("Version", "CreatedAt", "UpdatedAt")
STDIN = "-"
LONGEST = 20_000_000  # bytes: 10,000 rules are 3 MB, and a photo named by mistake isn't read to its end


@dataclass(frozen=True)
class Written:
    """A rule that somebody wrote."""

    rule: Rule
    where: str
    """For messages: "rules.yaml, line 12"."""
    fields: frozenset[str]
    """The fields that it names; the others have their defaults."""


def read_files(paths: Sequence[str]) -> list[Written]:
    """The rules in all these files. Raises UsageError with every mistake, each with its file, line, rule and field."""
    found: list[Written] = []
    problems: list[str] = []
    named: list[tuple[str, str]] = []
    for path in paths:
        try:
            text, name = read_source(path)
            rules, wrong = read_text(text, name, named=named)
        except UsageError as error:
            rules, wrong = [], [str(error)]
        found, problems = found + rules, problems + wrong
    problems += _repeated(named)
    if problems:
        raise UsageError.of_several(problems, f"{len(problems)} mistakes; nothing was done.")
    return found


def read_one(text: str, name: str, rule_id: str) -> Written:
    """The one rule in this text, which is `rule_id` whether or not it says so. Raises UsageError."""
    rules, problems = read_text(text, name, rule_id)
    if not problems and len(rules) != 1:
        problems = [f"{name}: there must be one rule in it, not {len(rules)}."]
    if not problems and rules[0].rule.rule_id != rule_id:
        problems = [f"{rules[0].where}: RuleId must stay {rule_id}; a rule's id never changes. Add a new rule instead."]
    if problems:
        raise UsageError.of_several(problems, f"{len(problems)} mistakes; nothing was done.")
    return rules[0]


def read_text(
    text: str, name: str, rule_id: str = "", named: list[tuple[str, str]] | None = None
) -> tuple[list[Written], list[str]]:
    """The rules that are right, and what is wrong with the others; `rule_id` is for a rule that names none.

    To `named` the id of each rule is added, right or wrong, with its place.
    """
    try:
        document = Document(text)
        nodes = _rule_nodes(document, name)
    except NotYaml as error:
        return [], [f"{_place(name, error.line)}: {error}."]
    rules, problems = [], []
    for node in nodes:
        try:
            record = _record(document, node, rule_id)
            if named is not None and isinstance(record, dict) and isinstance(record["RuleId"], str):
                named.append((record["RuleId"], _place(name, line_of(node))))
            rules.append(Written(Rule.from_record(record), _place(name, line_of(node)), frozenset(record)))
        except NotYaml as error:
            problems.append(f"{_place(name, error.line)}: {error}.")
        except InvalidRule as error:
            # Each message names the rule, and then the way to the field.
            lines = [line_within(node, problem.partition(": ")[2]) for problem in error.problems]
            told = sorted(zip(lines, error.problems, strict=True), key=lambda pair: pair[0])
            problems += [f"{_place(name, line)}: {problem}" for line, problem in told]
    return rules, problems


def to_yaml(rules: Iterable[Rule]) -> str:
    """The rules as a list that `read_text` gives back as they are, but for what is written for them."""
    return "\n".join(dump([document(rule.to_record())]) for rule in rules)


def document(record: Mapping[str, Any]) -> dict[str, Any]:
    """A rule's record as people write it: without what is written for them and what goes without saying, whole numbers whole."""
    shown = {name: value for name, value in record.items() if name not in WRITTEN_FOR_YOU}
    if shown.get("Enabled") is True:
        del shown["Enabled"]
    order = ("RuleId", "Name", "Enabled", "Severity", "Terms", "AnyOf", "AllOf", "NoneOf", "Sources", "KeyPrefixes")
    return {name: _short(shown[name]) for name in sorted(shown, key=lambda name: _rank(order, name))}


def slug_of(name: str) -> str:
    """An id made of a rule's name: "Person at the gate" -> person-at-the-gate; empty when there is nothing to make it of."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:64].rstrip("-")


def is_file(named: str) -> bool:
    """Whether what was named is a file of rules rather than a rule's id, which has neither dots nor slashes."""
    return named == STDIN or not re.fullmatch(r"[a-z0-9-]+", named) or Path(named).is_file()


def read_source(path: str) -> tuple[str, str]:
    """The text of a file or of stdin, and what to call it in messages. Raises UsageError."""
    return (sys.stdin.read(LONGEST), "stdin") if path == STDIN else (_text(path), path)


def _text(path: str) -> str:
    try:
        if Path(path).stat().st_size > LONGEST:
            raise UsageError(f"{path}: it is too large to be a file of rules.")
        return Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise UsageError(f"{path}: there is no such file.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: it isn't text in UTF-8.") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: it can't be read: {getattr(error, 'strerror', None) or error}.") from error


def _rule_nodes(document: Document, name: str) -> list[Node]:
    root = document.root
    if isinstance(root, MappingNode):
        by_name = {key.value: (key, value) for key, value in root.value if isinstance(key, ScalarNode)}
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


def _record(document: Document, node: Node, rule_id: str) -> Any:
    record = document.value(node)
    if isinstance(record, dict):
        record = {field: value for field, value in record.items() if field not in WRITTEN_FOR_YOU}
        if "RuleId" not in record:
            record = {"RuleId": rule_id or _made_of(record.get("Name")), **record}
    return record


def _made_of(name: Any) -> str:
    if not isinstance(name, str) or not name.strip():
        raise InvalidRule("A rule: Name is missing; it must be one line of text with 1 to 100 characters.")
    made = slug_of(name)
    if not made:
        raise InvalidRule(f"A rule: RuleId is missing, and can't be made of the name {name!r}. Give one, such as gate-1.")
    return made


def _repeated(named: Sequence[tuple[str, str]]) -> list[str]:
    first: dict[str, str] = {}
    said = []
    for rule_id, where in named:
        if rule_id in first:
            said.append(f"{where}: Rule {rule_id} is in {first[rule_id]} already; one of them must go.")
        first.setdefault(rule_id, where)
    return said


def _place(name: str, line: int) -> str:
    return f"{name}, line {line}" if line else name


def _rank(order: tuple[str, ...], name: str) -> int:
    return order.index(name) if name in order else len(order)


def _short(value: Any) -> Any:
    """80.0 -> 80."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _short(inner) for name, inner in value.items()}
    return [_short(inner) for inner in value] if isinstance(value, list | tuple) else value
