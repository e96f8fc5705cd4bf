"""Reads template.yaml as CloudFormation would see it: SAM expanded, parameters filled in, conditions decided.

Nothing is restated here. Code and definition URIs stay the template's own, marked as local paths.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

LOCAL_BUCKET = "template-folder"
ACCOUNT_ID = "123456789012"
Json = dict[str, Any]


class TemplateError(Exception):
    """The template asks for something that the emulator doesn't support; the message names it."""


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms, and without YAML 1.1 dates ("2012-10-17" is a string)."""


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _short_form(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Json:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = str(value).split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)


@dataclass(frozen=True)
class Template:
    """An expanded template. `body` is plain CloudFormation; `source` the text as the user wrote it."""

    source: str
    folder: Path
    body: Json
    parameters: dict[str, str]

    @property
    def resources(self) -> dict[str, Json]:
        resources: dict[str, Json] = self.body["Resources"]
        return resources


def load_template(path: Path, parameters: dict[str, str]) -> Template:
    """Expand the SAM template at `path`; raises TemplateError for an unknown parameter or a failed expansion."""
    source = path.read_text(encoding="utf-8")
    raw: Json = yaml.load(source, Loader=_Loader)  # noqa: S506 - _Loader is a SafeLoader
    values = _parameter_values(raw.get("Parameters", {}), parameters)
    return Template(source, path.parent, _expand(_with_local_uris(raw), values), values)


def _parameter_values(declared: Json, given: dict[str, str]) -> dict[str, str]:
    if unknown := sorted(given.keys() - declared.keys()):
        known = ", ".join(sorted(declared)) or "none"
        raise TemplateError(f"the template has no parameter {', '.join(unknown)}; its parameters: {known}")
    values: dict[str, str] = {}
    for name, declaration in declared.items():
        if name not in given and "Default" not in declaration:
            raise TemplateError(f"parameter {name} has no default: give it with --parameter {name}=Value")
        values[name] = str(given.get(name, declaration.get("Default")))
        _check_parameter(name, values[name], declaration)
    return values


def _check_parameter(name: str, value: str, declaration: Json) -> None:
    allowed = [str(item) for item in declaration.get("AllowedValues", [])]
    if allowed and value not in allowed:
        raise TemplateError(f"parameter {name} is {value!r}; allowed: {', '.join(allowed)}")
    pattern = declaration.get("AllowedPattern")
    if pattern and not re.fullmatch(pattern, value):
        raise TemplateError(f"parameter {name} is {value!r}, which doesn't match {pattern}")
    if declaration.get("Type") == "Number":
        try:
            number = float(value)
        except ValueError:
            raise TemplateError(f"parameter {name} is {value!r}, which isn't a number") from None
        if number < float(declaration.get("MinValue", number)) or number > float(declaration.get("MaxValue", number)):
            raise TemplateError(f"parameter {name} is {value}, outside its MinValue and MaxValue")


def _with_local_uris(raw: Json) -> Json:
    """SAM wants code in S3: give it S3 addresses that carry the local path, to be found again after expansion."""
    template: Json = json.loads(json.dumps(raw))
    sections = list(template.get("Globals", {}).values())
    sections += [resource.get("Properties", {}) for resource in template["Resources"].values()]
    for properties in sections:
        for name in ("CodeUri", "DefinitionUri"):
            if isinstance(properties.get(name), str):
                properties[name] = f"s3://{LOCAL_BUCKET}/{properties[name].rstrip('/') or '.'}"
    return template


class _NoManagedPolicies:
    """SAM asks AWS for its managed policies; those that the template may name are resolved by ARN when deployed."""

    def load(self) -> dict[str, str]:
        return {}


def _expand(template: Json, parameters: dict[str, str]) -> Json:
    import boto3
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    session = boto3.Session(region_name="us-east-1")
    translator = Translator(_NoManagedPolicies().load(), Parser(), boto_session=session)
    try:
        expanded: Json = translator.translate(template, dict(parameters), feature_toggle=None)
    except InvalidDocumentException as error:
        reasons = "; ".join(cause.message for cause in error.causes)
        raise TemplateError(f"SAM can't expand the template: {reasons}") from error
    return expanded
