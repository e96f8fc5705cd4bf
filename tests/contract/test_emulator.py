"""The AWS emulator is generic: it doesn't know this product, and it doesn't import from it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.sqs.models import Queue

from local import STACK_NAME
from local.emulator.cloudformation.registry import supported_types
from local.emulator.cloudwatch.alarms import queue_metric
from local.emulator.cloudwatch.measurements import EXECUTION_METRICS
from local.emulator.http_api.service import ERROR_METRICS
from tools.sam_template import Template

from .conftest import ROOT

EMULATOR = ROOT / "local" / "emulator"
# Also AWS's own words: the dimension of the metrics in AWS/States, and resources and operations of API Gateway and Cognito.
AWS_NAMES = {"StateMachineArn", "Api", "UserPool", "UserPoolId", "SignUp"}
PRODUCT_PACKAGES = ("imagewatch", "uploader", "functions", "bench", "tests", "samples")


def modules_imported(source: str, package: str) -> Iterator[str]:
    """The absolute names of all imported modules; `package` is the importing module's package."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            module = ".".join([*parents, *([node.module] if node.module else [])])
            yield from (module, *(f"{module}.{alias.name}" for alias in node.names))


def foreign_imports(source: str, package: str) -> list[str]:
    """Imports of the product's packages, and of local/ outside the emulator."""
    found = []
    for name in modules_imported(source, package):
        parts = name.split(".")
        outside = parts[0] == "local" and len(parts) > 1 and parts[1] != "emulator"
        if outside or parts[0] in PRODUCT_PACKAGES:
            found.append(name)
    return sorted(set(found))


def product_names(template: Template) -> set[str]:
    """The stack's name, and the names of the template's resources, parameters and outputs that aren't AWS's own words too."""
    body = template.body
    return {STACK_NAME, *body["Resources"], *body["Parameters"], *body["Outputs"]} - AWS_NAMES


def mentions(text: str, names: set[str]) -> list[str]:
    """The names that occur in the text as whole words; the stack's name is found in any spelling."""
    words = set(re.findall(r"[A-Za-z][A-Za-z0-9]+", text))
    return sorted(names & words | ({STACK_NAME} if STACK_NAME in text.lower() else set()))


SOURCES = sorted(path for path in EMULATOR.rglob("*") if path.suffix in (".py", ".md", ".json"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(EMULATOR)))
def test_no_file_of_the_emulator_names_the_product(path: Path, template: Template) -> None:
    assert mentions(path.read_text(encoding="utf-8"), product_names(template)) == []


@pytest.mark.parametrize("path", [p for p in SOURCES if p.suffix == ".py"], ids=lambda path: str(path.relative_to(EMULATOR)))
def test_no_module_of_the_emulator_imports_from_the_product(path: Path) -> None:
    package = ".".join(path.parent.relative_to(ROOT).parts)
    assert foreign_imports(path.read_text(encoding="utf-8"), package) == []


def test_the_check_finds_what_it_looks_for(template: Template) -> None:
    names = product_names(template)
    assert mentions('name = "ImagesBucket"\nprint("Imagewatch is ready")', names) == ["ImagesBucket", STACK_NAME]
    source = "import imagewatch.rules\nfrom local.viewer import app\nfrom ...samples_report import document\nfrom ..iam import x"
    expected = ["imagewatch.rules", "local.samples_report", "local.samples_report.document", "local.viewer", "local.viewer.app"]
    assert foreign_imports(source, "local.emulator.gateway") == expected


def test_the_readme_lists_the_supported_resource_types() -> None:
    text = (EMULATOR / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"`(AWS::\w+::\w+)`", text)
    assert sorted(listed) == supported_types()


LAMBDA_METRICS = {"Invocations", "Errors", "Throttles"}  # tests/local lets alarms on them ring


def test_the_emulator_has_the_metric_of_each_alarm(template: Template) -> None:
    """Metrics of the product's own namespace come from the functions' log lines."""
    queue = Queue("any", "us-east-1", "123456789012")
    alarms = [entry["Properties"] for entry in template.resources.values() if entry["Type"] == "AWS::CloudWatch::Alarm"]
    assert len(alarms) > 10
    for alarm in alarms:
        namespace, name = alarm["Namespace"], alarm["MetricName"]
        assert alarm["Statistic"] in ("Sum", "Maximum", "Minimum", "Average", "SampleCount"), name
        if namespace == "AWS/SQS":
            assert queue_metric(queue, name, 0.0) is not None, name
        elif namespace == "AWS/States":
            assert name in EXECUTION_METRICS.values()
        elif namespace == "AWS/Lambda":
            assert name in LAMBDA_METRICS
        elif namespace == "AWS/ApiGateway":
            assert name in ERROR_METRICS.values()
        else:
            assert namespace == "Imagewatch"
