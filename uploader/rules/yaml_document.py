"""YAML for rules: what is written means what it looks like, and each mistake has its line.

PyYAML reads YAML 1.1, in which 22:00 is the number 1320, `no` is false, and of two equal fields the last one counts in silence.
Here scalars are those of YAML 1.2 (as in editors), and a field that is there twice is a mistake. What is written is quoted so
that readers of either version read the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

_INT = re.compile(r"[-+]?[0-9]+$")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$|[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$")
_BOOL = re.compile(r"(true|True|TRUE|false|False|FALSE)$")
_NULL = re.compile(r"(~|null|Null|NULL|)$")


class NotYaml(Exception):
    """The text can't be read; the message says what is wrong, `line` where (from 1; 0 when that isn't known)."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


class _Reader(yaml.SafeLoader):
    """SafeLoader with the scalars of YAML 1.2's core schema."""

    yaml_implicit_resolvers: dict[str, Any] = {}


class _Writer(yaml.SafeDumper):
    """SafeDumper that also quotes what only YAML 1.2 takes for a number."""


for _tag, _pattern, _first in (
    ("bool", _BOOL, "tTfF"),
    ("int", _INT, "-+0123456789"),
    ("float", _FLOAT, "-+0123456789."),
    ("null", _NULL, ["~", "n", "N", ""]),
):
    _Reader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _pattern, list(_first))
_Writer.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))
# 010 is ten, not eight.
_Reader.add_constructor("tag:yaml.org,2002:int", lambda _reader, node: int(node.value))


class Document:
    """One YAML document, as nodes that know their lines."""

    def __init__(self, text: str) -> None:
        """Raises NotYaml."""
        try:
            self._reader = _Reader(text)
            self.root = self._reader.get_single_node()
            if self.root is not None:
                _refuse_repeated_fields(self.root)
        except yaml.MarkedYAMLError as error:
            raise _not_yaml(error) from error
        except yaml.YAMLError as error:
            raise NotYaml(f"it isn't text that YAML allows: {' '.join(str(error).split())}") from error
        except RecursionError as error:
            raise NotYaml("it is nested too deeply to be a rule") from error

    def value(self, node: Node) -> Any:
        """What a node says, as plain values. Raises NotYaml for a tag or a number that can't be."""
        try:
            return self._reader.construct_document(node)
        except yaml.MarkedYAMLError as error:
            raise _not_yaml(error) from error
        except (ValueError, RecursionError) as error:
            raise NotYaml(f"a value can't be read: {error}", line_of(node)) from error


def line_of(node: Node) -> int:
    """The line on which the node begins, from 1."""
    return int(node.start_mark.line) + 1


def line_within(node: Node, message: str) -> int:
    """The line that a message is about that names the way to it: "AnyOf, entry 2 (car): MinConfidence must be ..."."""
    while True:
        if isinstance(node, MappingNode):
            found = _named(node, message)
            if found is None:
                return line_of(node)
            key, value = found
            message = message[len(_as_named(key, message)) :]
            entry = re.match(r", entry (\d+)", message)
            if not entry and not message.startswith(": "):
                return line_of(key)
            node = value
            if not entry:
                message = message[2:]
                continue
            message = message[entry.end() :]
            number = int(entry[1]) - 1
            if not isinstance(node, SequenceNode) or number >= len(node.value):
                return line_of(node)
            node = node.value[number]
            # After the entry's own name, which is in brackets and may hold anything.
            message = message.partition("): ")[2] if message.startswith(" (") else message.removeprefix(": ")
        else:
            return line_of(node)


def dump(value: Any) -> str:
    """Plain values as YAML; lists and mappings that hold no others stand on one line."""
    return yaml.dump(value, Dumper=_Writer, default_flow_style=None, sort_keys=False, allow_unicode=True, width=120)


def flow(value: Any) -> str:
    """The same on one line."""
    text = yaml.dump(value, Dumper=_Writer, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6)
    return text.removesuffix("\n").removesuffix("\n...").strip()


def _named(node: MappingNode, message: str) -> tuple[Node, Node] | None:
    """The field with whose name the message begins."""
    return next(((key, value) for key, value in node.value if _as_named(key, message)), None)


def _as_named(key: Node, message: str) -> str:
    """The field's name as the message begins with it (an unknown one stands in quotes); empty when it doesn't."""
    name = str(key.value) if isinstance(key, ScalarNode) else ""
    spelled = (name, repr(name)) if name else ()
    return next((one for one in spelled if re.match(rf"{re.escape(one)}(?!\w)", message)), "")


def _refuse_repeated_fields(root: Node) -> None:
    for node in _nodes(root):
        if isinstance(node, MappingNode):
            seen: dict[str, int] = {}
            for key, _ in node.value:
                name = key.value if isinstance(key, ScalarNode) else ""
                if name in seen:
                    raise NotYaml(f"{name} is there twice (first on line {seen[name]}); one of them must go", line_of(key))
                seen[name] = line_of(key)


def _nodes(root: Node) -> Iterator[Node]:
    """Every node, each once, however often it is referred to."""
    waiting, known = [root], {id(root)}
    while waiting:
        node = waiting.pop()
        yield node
        inner = node.value if isinstance(node, SequenceNode) else [one for pair in node.value for one in pair]
        for one in inner if isinstance(node, SequenceNode | MappingNode) else ():
            if id(one) not in known:
                known.add(id(one))
                waiting.append(one)


def _not_yaml(error: yaml.MarkedYAMLError) -> NotYaml:
    what = " ".join(str(part) for part in (error.context, error.problem) if part)
    mark = error.problem_mark or error.context_mark
    if "single document" in what:
        what = "there are several documents (---); put the rules into one, as a list"
    elif "could not determine a constructor" in what:
        what = f"tags aren't understood here: {error.problem}"
    return NotYaml(f"this is not YAML: {what}" if not what.startswith(("there", "tags")) else what, mark.line + 1 if mark else 0)
