"""The expanded template as CloudFormation deploys it for given parameters: conditions evaluated, the workflow inlined."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tools.sam_template import ACCOUNT_ID, LOCAL_BUCKET, NO_VALUE, Json, Resolver, Template, references

REGION = "us-east-1"
PSEUDO_PARAMETERS = frozenset(
    f"AWS::{name}"
    for name in ("AccountId", "NotificationARNs", "NoValue", "Partition", "Region", "StackId", "StackName", "URLSuffix")
)


def decided(template: Template) -> Json:
    """Plain CloudFormation without conditions and without unused parameters."""
    resolver = Resolver(template, REGION, lambda name: name, lambda name, attribute: f"{name}.{attribute}")

    def decide(value: Any) -> Any:
        if isinstance(value, list):
            return [item for item in map(decide, value) if item is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if value == {"Ref": "AWS::NoValue"}:
            return NO_VALUE
        if "Fn::If" in value:
            name, when_true, when_false = value["Fn::If"]
            return decide(when_true if resolver.condition(name) else when_false)
        return {key: item for key, item in ((key, decide(item)) for key, item in value.items()) if item is not NO_VALUE}

    body: Json = {key: value for key, value in template.body.items() if key != "Conditions"}
    for section in ("Resources", "Outputs"):
        entries = template.body.get(section, {})
        kept = {name: entry for name, entry in entries.items() if wanted(resolver, entry)}
        body[section] = {name: decide({k: v for k, v in entry.items() if k != "Condition"}) for name, entry in kept.items()}
    used = set(references([body["Resources"], body["Outputs"], body.get("Rules", {})]))
    declared = template.body["Parameters"].items()
    body["Parameters"] = {name: {**entry, "Default": template.parameters[name]} for name, entry in declared if name in used}
    return body


def wanted(resolver: Resolver, entry: Json) -> bool:
    return "Condition" not in entry or resolver.condition(entry["Condition"])


def with_workflow_inlined(template: Template, body: Json) -> Json:
    """The same template with each state machine's definition and its substitutions inlined."""
    resolver = Resolver(template, REGION, lambda name: name, lambda name, attribute: arn_of(name))
    copy: Json = json.loads(json.dumps(body))
    for resource in copy["Resources"].values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::StepFunctions::StateMachine":
            text = (template.folder / properties.pop("DefinitionS3Location")["Key"]).read_text(encoding="utf-8")
            for name, value in resolver.resolve(properties.pop("DefinitionSubstitutions")).items():
                text = text.replace(f"${{{name}}}", value)
            properties["Definition"] = json.loads(text)
    return copy


def arn_of(function: str) -> str:
    return f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{function}"


def needs(resource: Json) -> set[str]:
    """The names that a resource refers to by Ref, GetAtt, Sub or DependsOn: logical ids, parameters and pseudo parameters."""
    explicit = resource.get("DependsOn", [])
    return {*references(resource.get("Properties", {})), *([explicit] if isinstance(explicit, str) else explicit)}


def dangling(body: Json) -> list[str]:
    """Each reference to an undefined name, with the resource or output that makes it."""
    known = {*body["Resources"], *body.get("Parameters", {}), *PSEUDO_PARAMETERS}
    users = {**{name: needs(entry) for name, entry in body["Resources"].items()}}
    users |= {f"output {name}": set(references(entry["Value"])) for name, entry in body["Outputs"].items()}
    return [f"{user} -> {name}" for user, names in users.items() for name in sorted(names - known)]


def local_files(value: Any) -> Iterator[str]:
    """Every path, relative to the template, that packaging replaces by an object in S3."""
    if isinstance(value, list):
        for item in value:
            yield from local_files(item)
    elif isinstance(value, dict):
        if LOCAL_BUCKET in (value.get("S3Bucket"), value.get("Bucket")):
            yield value.get("S3Key") or value["Key"]
        for item in value.values():
            yield from local_files(item)
