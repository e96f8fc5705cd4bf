"""The template can be deployed.

For every combination of parameters that changes it, the expanded template passes CloudFormation's resource schemas, has no
cycle and no dangling reference, and names only files that exist.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import ManualArgs, lint

from tools.sam_template import Json, Template, TemplateError, load_template, references

from .conftest import ROOT, functions
from .decided_template import dangling, decided, local_files, needs, with_workflow_inlined

IDENTITY = "arn:aws:ses:us-east-1:123456789012:identity/example.com"
# Every combination within a group is tried. Two groups are varied together, because no resource depends on both.
GROUPS: tuple[dict[str, tuple[str, ...]], ...] = (
    {
        "TextDetection": ("off", "on"),
        "AlertEmail": ("", "alerts@example.com"),
        "OperationsEmail": ("", "operations@example.com"),
        "WebUrl": ("", "https://images.example.com"),
    },
    {
        "SignUp": ("off", "on"),
        "SignUpDomains": ("", "example.com,example.org"),
        "SignInEmailIdentityArn": ("", IDENTITY),
        "SignInEmailFrom": ("", "codes@example.com"),
    },
)
CHOICES = {name: values for group in GROUPS for name, values in group.items()}


def deployable(combination: dict[str, str]) -> bool:
    """Whether the template's rules accept the combination: a sender needs an identity."""
    return bool(combination["SignInEmailIdentityArn"] or not combination["SignInEmailFrom"])


def combinations() -> Iterator[dict[str, str]]:
    first, second = ([dict(zip(group, values, strict=True)) for values in product(*group.values())] for group in GROUPS)
    second = [combination for combination in second if deployable(combination)]
    for number, combination in enumerate(first):
        yield {**combination, **second[number % len(second)]}


COMBINATIONS = list(combinations())
MEGABYTE = 1024 * 1024


def label_of(combination: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in combination.items() if value not in ("", "off")) or "the defaults"


every_combination = pytest.mark.parametrize("combination", COMBINATIONS, ids=label_of)


def body_for(combination: dict[str, str]) -> tuple[Template, Json]:
    template = load_template(ROOT / "template.yaml", combination)
    return template, decided(template)


@cache
def findings(body: str) -> tuple[str, ...]:
    """The findings of cfn-lint, with warnings. Cached, because many combinations result in the same template."""
    matches = lint(body, config=ManualArgs(regions=["us-east-1"]))
    return tuple(f"{match.rule.id} {match.message} at {'/'.join(map(str, match.path or []))}" for match in matches)


def without_values(body: Json) -> Json:
    """The template without the values of its parameters."""
    parameters = {name: {k: v for k, v in entry.items() if k != "Default"} for name, entry in body["Parameters"].items()}
    return {**body, "Parameters": parameters}


def cycle(body: Json) -> list[str]:
    """The resources of a dependency cycle, if there is one."""
    graph = {name: needs(resource) & body["Resources"].keys() for name, resource in body["Resources"].items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


# ------------------------------------------------------------------------------------------------------------- the checks


def test_every_parameter_that_changes_the_template_is_tried_here(template: Template) -> None:
    assert set(references(list(template.body["Conditions"].values()))) <= set(CHOICES)
    for name, parameter in template.body["Parameters"].items():
        if parameter.get("Default") == "" or (parameter["Type"] == "String" and "AllowedValues" in parameter):
            assert name in CHOICES


def test_every_combination_within_a_group_is_tried() -> None:
    for group in GROUPS:
        tried = {tuple(combination[name] for name in group) for combination in COMBINATIONS}
        for values in set(product(*group.values())) - tried:
            assert not deployable({**COMBINATIONS[0], **dict(zip(group, values, strict=True))})


def test_no_resource_depends_on_parameters_of_two_groups(template: Template) -> None:
    conditions = template.body["Conditions"]

    def parameters(value: Any) -> set[str]:
        """The parameters that a value refers to, itself or through a condition."""
        found = set(references(value)) & set(CHOICES)
        return found.union(*(parameters(conditions[name]) for name in conditions_in(value)))

    for name, resource in template.resources.items():
        used = [group for group in GROUPS if parameters(resource) & set(group)]
        assert len(used) <= 1, name


def conditions_in(value: Any) -> Iterator[str]:
    """The names of the conditions that a value uses."""
    if isinstance(value, dict):
        if isinstance(value.get("Condition"), str):
            yield value["Condition"]
        if "Fn::If" in value:
            yield value["Fn::If"][0]
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from conditions_in(item)


def test_the_rules_refuse_a_sender_without_an_identity() -> None:
    with pytest.raises(TemplateError, match="SignInEmailFrom needs SignInEmailIdentityArn"):
        load_template(ROOT / "template.yaml", {"SignInEmailFrom": "codes@example.com"})


def test_as_sam_expands_it_the_template_is_clean(template: Template) -> None:
    assert findings(json.dumps(template.body)) == ()


@pytest.mark.slow
@every_combination
def test_passes_cloudformations_schemas_and_step_functions_language(combination: dict[str, str]) -> None:
    template, body = body_for(combination)
    assert findings(json.dumps(without_values(with_workflow_inlined(template, body)))) == ()


@every_combination
def test_every_reference_names_an_existing_resource_or_parameter(combination: dict[str, str]) -> None:
    _, body = body_for(combination)
    assert dangling(body) == []
    assert cycle(body) == []


@every_combination
def test_conditions_remove_only_the_subscriptions_without_an_address(combination: dict[str, str]) -> None:
    template, body = body_for(combination)
    unwanted = {
        "AlertEmailSubscription": not combination["AlertEmail"],
        "OperationsEmailSubscription": not (combination["OperationsEmail"] or combination["AlertEmail"]),
    }
    assert template.resources.keys() - body["Resources"].keys() == {name for name, gone in unwanted.items() if gone}


def test_each_condition_is_declared_and_used(template: Template) -> None:
    assert set(conditions_in(template.body)) == set(template.body["Conditions"])


def test_names_only_files_that_exist(template: Template) -> None:
    named = set(local_files(template.body))
    assert named
    for path in named:
        assert (ROOT / path).exists(), path
    for name, properties in functions(template).items():
        folder = ROOT / properties["Code"]["S3Key"]
        module, _, attribute = properties["Handler"].rpartition(".")
        tree = ast.parse((folder / f"{module}.py").read_text(encoding="utf-8"))
        assert attribute in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, name
        assert (folder / "requirements.txt").is_file(), f"{name}: sam build installs what this file says"


def test_stays_within_the_quotas_of_cloudformation_and_lambda(template: Template) -> None:
    """AWS's quotas: template 1 MB and 500 resources, definition 1 MB, Lambda environment 4 KB, inline policies 10,240."""
    assert len(json.dumps(template.body)) < MEGABYTE
    assert len(template.resources) <= 500
    assert len(str(template.body["Description"])) <= 1024
    assert all(path.stat().st_size < MEGABYTE for path in (ROOT / "statemachine").iterdir())
    for name, properties in functions(template).items():
        assert len(json.dumps(properties["Environment"]["Variables"])) < 4096, name
    for name, resource in template.resources.items():
        if resource["Type"] == "AWS::IAM::Role":
            assert len("".join(json.dumps(resource["Properties"].get("Policies", [])).split())) < 10_240, name


# ------------------------------------------------------------------------------------------- that the checks can fail


@pytest.mark.slow
def test_planted_faults_are_found_by_the_schemas() -> None:
    template, body = body_for({})
    body = without_values(with_workflow_inlined(template, body))
    resources = body["Resources"]
    resources["ImagesTable"]["Properties"]["BillingMod"] = "PAY_PER_REQUEST"
    resources["StartAnalysisFunction"]["Properties"]["MemorySize"] = 64
    resources["AlertsFailedAlarm"]["Properties"]["AlarmActions"] = [{"Fn::GetAtt": ["OperationsTopic", "Address"]}]
    definition = resources["AnalyzeImageStateMachine"]["Properties"]["Definition"]
    definition["StartAt"] = "Nowhere"
    definition["States"]["Validate Image"]["TimeoutSecond"] = 130

    found = findings(json.dumps(body))

    for word in ("'BillingMod'", "64 is less than the minimum", "'Address'", "'Nowhere'", "'TimeoutSecond'"):
        assert any(word in finding for finding in found), f"{word} is in none of {found}"


def test_a_reference_to_what_a_condition_has_removed_is_found(tmp_path: Path) -> None:
    output = "\n  Planted:\n    Value: !Ref AlertEmailSubscription\n"
    path = planted(tmp_path, (ROOT / "template.yaml").read_text(encoding="utf-8").rstrip() + output)
    assert dangling(decided(load_template(path, {}))) == ["output Planted -> AlertEmailSubscription"]
    assert dangling(decided(load_template(path, {"AlertEmail": "a@example.com"}))) == []


def test_a_cycle_is_found(tmp_path: Path) -> None:
    source = (ROOT / "template.yaml").read_text(encoding="utf-8")
    path = planted(tmp_path, source.replace("  IntakeQueue:\n", "  IntakeQueue:\n    DependsOn: ImagesBucket\n"))
    assert {"IntakeQueue", "ImagesBucket"} <= set(cycle(decided(load_template(path, {}))))


def planted(folder: Path, source: str) -> Path:
    path = folder / "template.yaml"
    path.write_text(source, encoding="utf-8")
    return path
