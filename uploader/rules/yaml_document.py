"""Reads and writes YAML for rules: YAML 1.2 scalars, and the line of each value for error messages.

`no`, `on`, 22:30 and 2027-01-31 are text. A key that is repeated is an error. Written text is quoted so that readers of
YAML 1.1 and 1.2 read the same.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.representer import SafeRepresenter
from ruamel.yaml.resolver import VersionedResolver

MAX_VALUES = 1_000_000
"""Values of a document with its aliases expanded: 10,000 rules have a quarter of that."""

_TAG = "tag:yaml.org,2002:"
_INT = re.compile(r"[-+]?[0-9]+$")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$|[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$")
_BOOL = re.compile(r"(true|True|TRUE|false|False|FALSE)$")
_NULL = re.compile(r"(~|null|Null|NULL|)$")
_PLAIN = re.compile(r"[^\W\d_]([\w ./-]*\w)?")  # text that no version of YAML reads as anything else
_SURROGATES = re.compile("[\ud800-\udfff]")


class NotYaml(Exception):
    """The text can't be read; the message says why, `line` where (from 1; 0 when that isn't known)."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


_BY_FIRST_CHARACTER: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
for _name, _pattern, _first in (
    ("bool", _BOOL, [*"tTfF"]),
    ("int", _INT, [*"-+0123456789"]),
    ("float", _FLOAT, [*"-+0123456789."]),
    ("null", _NULL, ["~", "n", "N", ""]),
):
    for _character in _first:
        _BY_FIRST_CHARACTER.setdefault(_character, []).append((f"{_TAG}{_name}", _pattern))


class _CoreResolver(VersionedResolver):
    """Resolves the scalars of YAML 1.2's core schema, except hexadecimal and octal numbers, which people mean as text."""

    @property
    def versioned_resolver(self) -> dict[str, list[tuple[str, re.Pattern[str]]]]:
        return _BY_FIRST_CHARACTER


class Document:
    """One YAML document. Paths lead to its values: ("rules", 2, "AnyOf", 0)."""

    def __init__(self, text: str) -> None:
        """Raises NotYaml."""
        reader = YAML(typ="safe", pure=True)
        reader.Resolver = _CoreResolver
        try:
            self.root: Node | None = reader.compose(text)
            if self.root is not None:
                _refuse_repeated_keys_and_bombs(self.root)
        except MarkedYAMLError as error:
            raise _not_yaml(error) from error
        except YAMLError as error:
            raise NotYaml(f"it isn't text that YAML allows: {' '.join(str(error).split())}") from error
        except RecursionError as error:
            raise NotYaml("it is nested too deeply to be a rule") from error


def value_of(node: Node) -> Any:
    """A node's value: text, numbers, booleans, None, lists and dictionaries. Raises NotYaml for a value that can't be read."""
    if isinstance(node, ScalarNode):
        return _scalar(node)
    if str(node.tag) not in (f"{_TAG}map", f"{_TAG}seq"):
        raise _unsupported_tag(node)
    if isinstance(node, MappingNode):
        return {_scalar(key): value_of(value) for key, value in node.value}
    return [value_of(entry) for entry in node.value]


def line_of(node: Node) -> int:
    """The line on which the node begins, from 1."""
    return int(node.start_mark.line) + 1


def line_at(node: Node, path: Sequence[str | int]) -> int:
    """The line of the value at this path below the node, or of the deepest part of the path that exists."""
    line = line_of(node)
    for step in path:
        if isinstance(node, MappingNode) and isinstance(step, str):
            found = next(((key, value) for key, value in node.value if key.value == step), None)
            if found is None:
                return line
            line, node = line_of(found[0]), found[1]
        elif isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = line_of(node)
        else:
            return line
    return line


def dump(value: Any) -> str:
    """Plain values as YAML. Lists and mappings that contain no others are written on one line."""
    return _write(value, width=120, flow_style=None)


def dump_inline(value: Any) -> str:
    """Plain values as YAML on one line."""
    return _write(value, width=10**6, flow_style=True).removesuffix("\n").removesuffix("\n...").strip()


def _write(value: Any, width: int, flow_style: bool | None) -> str:
    writer, text = YAML(typ="safe", pure=True), io.StringIO()
    writer.Representer = _Representer
    writer.default_flow_style, writer.width = flow_style, width
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment] # annotated by its default
    writer.brace_single_entry_mapping_in_flow_sequence = True
    writer.dump(value, text)
    return text.getvalue()


class _Representer(SafeRepresenter):
    """Writes text and numbers so that readers of YAML 1.1 and 1.2 read the same."""

    def represent_text(self, text: str) -> ScalarNode:
        tags = {str(version.resolve(ScalarNode, text, (True, False))) for version in (_YAML_1_1, _YAML_1_2)}
        is_plain = tags == {f"{_TAG}str"} and _PLAIN.fullmatch(text)
        return self.represent_scalar(f"{_TAG}str", text, style=None if is_plain else "'")

    def represent_number(self, value: float) -> ScalarNode:
        node: ScalarNode = self.represent_float(value)
        if "e" in node.value and "." not in node.value:  # 4e-05 is text in YAML 1.1
            node.value = node.value.replace("e", ".0e")
        return node


_YAML_1_1, _YAML_1_2 = VersionedResolver(version=(1, 1)), _CoreResolver()
_Representer.add_representer(str, _Representer.represent_text)
_Representer.add_representer(float, _Representer.represent_number)


def _scalar(node: ScalarNode) -> Any:
    text, tag = str(node.value), str(node.tag)
    try:
        if tag == f"{_TAG}str":
            # JSON escapes an emoji as two surrogates.
            is_escaped = _SURROGATES.search(text)
            return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass") if is_escaped else text
        if tag == f"{_TAG}bool":
            return text.lower() == "true"
        if tag == f"{_TAG}int":
            return int(text)  # 010 is ten, not eight
        if tag == f"{_TAG}float":
            return float(text.replace(".inf", "inf").replace(".nan", "nan"))
        if tag == f"{_TAG}null":
            return None
    except ValueError as error:
        raise NotYaml(f"a value can't be read: {error}", line_of(node)) from error
    raise _unsupported_tag(node)


def _unsupported_tag(node: Node) -> NotYaml:
    return NotYaml(f"tags aren't supported in rules: {node.tag}", line_of(node))


def _refuse_repeated_keys_and_bombs(root: Node) -> None:
    """Raises NotYaml for a repeated key, a value that contains itself, and aliases that expand to more than MAX_VALUES."""
    sizes: dict[int, int] = {}

    def size_of(node: Node) -> int:
        if isinstance(node, ScalarNode):
            return 1
        known = sizes.get(id(node))
        if known == 0:
            raise NotYaml("a value contains itself (by an alias)", line_of(node))
        if known is None:
            sizes[id(node)] = 0
            inner = [one for pair in _pairs(node) for one in pair] if isinstance(node, MappingNode) else node.value
            sizes[id(node)] = known = 1 + sum(map(size_of, inner))
        if known > MAX_VALUES:
            raise NotYaml(f"its aliases expand to more than {MAX_VALUES:,} values, which is more than rules need", line_of(node))
        return known

    size_of(root)


def _pairs(node: MappingNode) -> Sequence[tuple[Node, Node]]:
    """The mapping's keys and values. Raises NotYaml for a repeated key."""
    first: dict[str, int] = {}
    pairs: list[tuple[Node, Node]] = node.value
    for key, _ in pairs:
        if not isinstance(key, ScalarNode):
            raise NotYaml("this is not YAML for a rule: a field's name must be text", line_of(key))
        name = str(key.value)
        if name in first:
            raise NotYaml(f"{name} is repeated (first on line {first[name]}); remove one of them", line_of(key))
        first[name] = line_of(key)
    return pairs


def _not_yaml(error: MarkedYAMLError) -> NotYaml:
    what = " ".join(str(part) for part in (error.context, error.problem) if part)
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 0
    if "single document" in what:
        return NotYaml("there are several documents (---); put the rules into one, as a list", line)
    return NotYaml(f"this is not YAML: {what}", line)
