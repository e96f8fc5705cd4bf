"""One name, five places: state, resource, file, event, test."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from imagewatch.images import version as images
from tools.sam_template import Template
from uploader.upload import transfer

from .conftest import ROOT, State, functions, pascal, snake, tasks

HANDLERS = sorted(path.stem for path in (ROOT / "functions").glob("*.py"))
OUTPUTS = [
    "ImagesBucketName",
    "ImagesTableName",
    "RenditionsBucketName",
    "SearchIndexTableName",
    "WatchlistTableName",
    "AlertsTableName",
    "IntakeQueueUrl",
    "DeadLetterQueueUrl",
    "AlertsTopicArn",
    "OperationsTopicArn",
    "StateMachineArn",
    "ApplyRuleStateMachineArn",
]


def test_each_task_is_a_function_a_file_an_event_and_a_test(machine: State, template: Template) -> None:
    for name, state in tasks(machine).items():
        logical_id = f"{pascal(name)}Function"
        assert state["Resource"] == f"${{{logical_id}Arn}}"
        assert functions(template)[logical_id]["Handler"] == f"{snake(name)}.handler"
        assert (ROOT / "functions" / f"{snake(name)}.py").is_file()


@pytest.mark.parametrize("name", HANDLERS)
def test_each_handler_file_has_its_function_event_and_test(name: str, template: Template) -> None:
    words = name.replace("_", " ")
    assert functions(template)[f"{pascal(words)}Function"]["Handler"] == f"{name}.handler"
    assert (ROOT / "events" / f"{name}.json").is_file()
    assert (ROOT / "tests" / "integration" / f"test_{name}.py").is_file()


def test_no_file_is_unused(template: Template) -> None:
    assert sorted(path.stem for path in (ROOT / "events").glob("*.json")) == HANDLERS
    assert len(functions(template)) == len(HANDLERS)


@pytest.mark.parametrize("name", HANDLERS)
def test_a_handlers_docstring_begins_with_its_name_and_the_handler_is_short(name: str) -> None:
    tree = ast.parse((ROOT / "functions" / f"{name}.py").read_text(encoding="utf-8"))
    title = " ".join(word.capitalize() for word in name.split("_"))
    assert (ast.get_docstring(tree) or "").startswith(f"{title}: ")
    (handler,) = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "handler"]
    assert (handler.end_lineno or 0) - handler.lineno < 40


def test_the_template_describes_each_function(template: Template) -> None:
    for logical_id, properties in functions(template).items():
        assert properties.get("Description"), logical_id


def test_each_task_gets_the_fields_that_its_sample_event_has(machine: State) -> None:
    for name, state in tasks(machine).items():
        event = json.loads((ROOT / "events" / f"{snake(name)}.json").read_text(encoding="utf-8"))
        assert {parameter.removesuffix(".$") for parameter in state["Parameters"]} == set(event), name


def test_outputs_have_the_names_that_scripts_rely_on(template: Template) -> None:
    assert set(OUTPUTS) <= set(template.body["Outputs"])


def test_the_client_and_the_functions_give_an_image_the_same_id() -> None:
    for key in ("uploads/a.jpg", "uploads/caf\u00e9/\U0001f600 +%.JPG"):
        assert transfer.image_id("bucket", key) == images.image_id("bucket", key)


def test_sample_events_name_images_that_the_samples_folder_has() -> None:
    event = json.loads((ROOT / "events" / "validate_image.json").read_text(encoding="utf-8"))
    path = ROOT / "samples" / Path(event["Image"]["Key"]).name
    assert path.stat().st_size == event["Image"]["Size"]
