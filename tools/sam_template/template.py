"""Reads a SAM template as CloudFormation does: with SAM expanded and parameters filled in.

Code and definition URIs stay paths relative to the template, in the bucket LOCAL_BUCKET.
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
    """The template is invalid or contains something unsupported; the message names it."""


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms. Dates stay strings, such as "2012-10-17"."""


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
    """An expanded template. `body` is plain CloudFormation, `source` the original text, `folder` the template's folder."""

    source: str
    folder: Path
    body: Json
    parameters: dict[str, str]

    @property
    def resources(self) -> dict[str, Json]:
        resources: dict[str, Json] = self.body["Resources"]
        return resources


def load_template(path: Path, parameters: dict[str, str]) -> Template:
    """Expand the SAM template at `path`. Raises TemplateError for an invalid parameter, a failed rule or an invalid template."""
    source = path.read_text(encoding="utf-8")
    raw: Json = yaml.load(source, Loader=_Loader)  # noqa: S506 - _Loader is a SafeLoader
    values = _parameter_values(raw.get("Parameters", {}), parameters)
    template = Template(source, path.parent, _expand(_with_local_uris(raw), values), values)
    _check_rules(template)
    return template


def _check_rules(template: Template) -> None:
    from tools.sam_template.intrinsics import Resolver

    def no_resource(*names: str) -> None:
        raise TemplateError(f"a rule refers to {'.'.join(names)}, but rules can refer to parameters only")

    Resolver(template, "us-east-1", no_resource, no_resource).check_rules()


def _parameter_values(declared: Json, given: dict[str, str]) -> dict[str, str]:
    if unknown := sorted(given.keys() - declared.keys()):
        known = ", ".join(sorted(declared)) or "none"
        raise TemplateError(f"the template has no parameter {', '.join(unknown)}; its parameters: {known}")
    values: dict[str, str] = {}
    for name, declaration in declared.items():
        if name not in given and "Default" not in declaration:
            raise TemplateError(f"parameter {name} has no default; set it with --parameter {name}=Value")
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
    """The template with S3 URIs that contain the local paths. SAM's translator accepts only S3 URIs."""
    template: Json = json.loads(json.dumps(raw))
    sections = list(template.get("Globals", {}).values())
    sections += [resource.get("Properties", {}) for resource in template["Resources"].values()]
    for properties in sections:
        for name in ("CodeUri", "DefinitionUri"):
            if isinstance(properties.get(name), str):
                properties[name] = f"s3://{LOCAL_BUCKET}/{properties[name].rstrip('/') or '.'}"
    return template


def _expand(template: Json, parameters: dict[str, str]) -> Json:
    import boto3
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    session = boto3.Session(region_name="us-east-1")
    managed_policies: dict[str, str] = {}  # SAM would load them from AWS; the deployment resolves them by ARN
    translator = Translator(managed_policies, Parser(), boto_session=session)
    try:
        expanded: Json = translator.translate(template, dict(parameters), feature_toggle=None)
    except InvalidDocumentException as error:
        reasons = "; ".join(cause.message for cause in error.causes)
        raise TemplateError(f"SAM can't expand the template: {reasons}") from error
    return expanded
