"""The AWS calls that a handler can reach, found in the source: no test has to make them.

An edge leads from a function to every function, class and module variable that its body names, called or not. Attributes of
unknown objects lead to every method of that name in a class that is reached, and to every function of that name in a module that
is imported by a computed name. So the graph has more edges than there are real calls.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Node = tuple[str, str]
"""(module, qualified name of a function, class, method or variable)."""

LIBRARY_CALLS = {("aws_lambda_powertools.utilities.parameters", "SSMProvider"): {("ssm", "get_parameter")}}
"""What libraries call in place of a client of ours."""


@dataclass
class Definition:
    """One function, method, class or module variable, and what its body names."""

    names: set[Node] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    """Attributes of objects whose class isn't known."""
    methods: dict[str, Node] = field(default_factory=dict)
    """Of a class: its methods by name."""
    operations: set[tuple[str, str]] = field(default_factory=set)
    """(service, method of the boto3 client)."""
    settings: set[str] = field(default_factory=set)
    """Environment variables that it reads."""
    packages: set[str] = field(default_factory=set)
    """Packages from which it imports a module by a computed name."""


@dataclass(frozen=True)
class AwsCall:
    """A client's method, with the environment variable of the table that it is called on ("" for what isn't a table)."""

    service: str
    method: str
    table: str = ""


class CallGraph:
    """Every module below a folder; `aws_calls` follows it from one handler."""

    def __init__(self, folder: Path) -> None:
        self._definitions: dict[Node, Definition] = {}
        modules = {".".join(path.relative_to(folder).with_suffix("").parts): path for path in sorted(folder.rglob("*.py"))}
        modules = {name.removesuffix(".__init__"): path for name, path in modules.items()}
        for name, path in modules.items():
            _Module(name, ast.parse(path.read_text(encoding="utf-8")), set(modules), self._definitions).read()

    def reached(self, module: str) -> dict[Node, Definition]:
        """What the module's `handler` can reach."""
        found: dict[Node, Definition] = {}
        waiting = [(module, "handler")]
        while waiting:
            node = waiting.pop()
            if node in self._definitions and node not in found:
                found[node] = self._definitions[node]
                waiting += found[node].names
            waiting = waiting or [node for node in self._by_attribute(found) if node not in found]
        return found

    def _by_attribute(self, found: Mapping[Node, Definition]) -> Iterator[Node]:
        """Methods and functions that attributes of unknown objects can mean."""
        attributes = set().union(*(one.attributes for one in found.values()))
        for one in found.values():
            yield from (method for name, method in one.methods.items() if name in attributes or name.startswith("__"))
        packages = tuple(f"{package}." for one in found.values() for package in one.packages)
        yield from (node for node in self._definitions if node[0].startswith(packages) and node[1] in attributes)

    def aws_calls(self, module: str) -> set[AwsCall]:
        """The AWS calls that the module's `handler` can reach.

        A helper that gets the table from its caller counts for the tables that its callers name.
        """
        found = self.reached(module)
        calls = set()
        for definition in found.values():
            tables = {name for name in definition.settings if name.endswith("_TABLE")}
            for service, method in definition.operations | (self._helper_operations(definition, found) if tables else set()):
                if service != "dynamodb":
                    calls.add(AwsCall(service, method))
                calls |= {AwsCall(service, method, table) for table in tables if service == "dynamodb"}
        return calls

    def _helper_operations(self, definition: Definition, found: Mapping[Node, Definition]) -> set[tuple[str, str]]:
        operations: set[tuple[str, str]] = set()
        seen: set[Node] = set()
        waiting = [definition]
        while waiting:
            current = waiting.pop()
            reached = set(current.names)
            for node in current.names:
                methods = found[node].methods if node in found else {}
                reached |= {method for name, method in methods.items() if name in definition.attributes or methods}
            for node in reached - seen:
                seen.add(node)
                helper = found.get(node)
                if helper and not any(name.endswith("_TABLE") for name in helper.settings):
                    operations |= {one for one in helper.operations if one[0] == "dynamodb"}
                    waiting.append(helper)
        return operations


class _Module:
    """Reads one module's definitions."""

    def __init__(self, name: str, tree: ast.Module, modules: set[str], definitions: dict[Node, Definition]) -> None:
        self._name, self._tree, self._modules, self._definitions = name, tree, modules, definitions
        self._imported: dict[str, Node | str] = {}
        """A local name -> a module's name, or what it is in another module."""
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    self._imported[alias.asname or alias.name] = whole if whole in modules else (node.module, alias.name)
            elif isinstance(node, ast.Import):
                self._imported |= {alias.asname or alias.name: alias.name for alias in node.names}

    def read(self) -> None:
        for name, target in self._imported.items():
            if isinstance(target, tuple):  # other modules can import it from here
                self._definitions[self._name, name] = Definition(names={target})
        for statement in self._tree.body:
            for name, body in self._defined(statement):
                self._definitions[self._name, name] = self._read(body)
            if isinstance(statement, ast.ClassDef):
                definition = self._definitions[self._name, statement.name]
                for part in statement.body:
                    if isinstance(part, ast.FunctionDef):
                        node = (self._name, f"{statement.name}.{part.name}")
                        self._definitions[node] = self._read(part)
                        definition.methods[part.name] = node

    def _defined(self, statement: ast.stmt) -> Iterator[tuple[str, ast.AST]]:
        if isinstance(statement, ast.FunctionDef):
            yield statement.name, statement
        elif isinstance(statement, ast.ClassDef):
            bare = [part for part in statement.body if not isinstance(part, ast.FunctionDef)]
            yield statement.name, ast.Module([*map(ast.Expr, [*statement.bases, *statement.decorator_list]), *bare], [])
        elif isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            yield from ((target.id, statement.value) for target in targets if isinstance(target, ast.Name))

    def _read(self, body: ast.AST) -> Definition:
        definition = Definition()
        for node in ast.walk(body):
            if isinstance(node, ast.Name):
                found = self._imported.get(node.id, (self._name, node.id))
                if isinstance(found, tuple):
                    definition.names.add(found)
                    definition.operations |= LIBRARY_CALLS.get(found, set())
            elif isinstance(node, ast.Attribute):
                self._read_attribute(node, definition)
            elif isinstance(node, ast.Call):
                self._read_call(node, definition)
        return definition

    def _read_attribute(self, node: ast.Attribute, definition: Definition) -> None:
        module = self._imported.get(node.value.id) if isinstance(node.value, ast.Name) else None
        if isinstance(module, str):
            definition.names.add((module, node.attr))
        elif service := _client(node.value):
            definition.operations.add((service, node.attr))
        else:
            definition.attributes.add(node.attr)

    def _read_call(self, node: ast.Call, definition: Definition) -> None:
        words = [
            argument.value for argument in node.args if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
        ]
        if isinstance(node.func, ast.Name) and node.func.id == "setting":
            definition.settings |= set(words)
        elif (
            isinstance(node.func, ast.Attribute) and node.func.attr == "import_module" and isinstance(node.args[0], ast.JoinedStr)
        ):
            first = node.args[0].values[0]
            definition.packages |= {str(first.value).rstrip(".")} if isinstance(first, ast.Constant) else set()
        elif isinstance(node.func, ast.Attribute) and _client(node.func.value) and words:
            # client("s3").get_paginator("list_objects_v2"), .generate_presigned_url("get_object")
            definition.operations.add((str(_client(node.func.value)), words[0]))
        elif isinstance(node.func, ast.Name) and node.func.id == "_call" and words:  # aws/rekognition.py
            definition.operations.add(("rekognition", words[0]))


def _client(node: ast.AST) -> str:
    """The service of `client("service")`, and "" for everything else."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "client" and node.args:
        first = node.args[0]
        return str(first.value) if isinstance(first, ast.Constant) else ""
    return ""
