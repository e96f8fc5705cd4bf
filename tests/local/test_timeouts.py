"""What takes too long, on the real workflow with shorter limits: a function, and a whole execution."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from .pipeline import Pipeline
from .running_stack import ROOT, started

SAMPLE = ROOT / "samples" / "astronaut-portrait.jpg"
FUNCTION_SECONDS, EXECUTION_SECONDS = 2, 10


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """The same template and workflow; only the function's default timeout and the execution's are shorter."""
    folder, state = tmp_path_factory.mktemp("impatient"), tmp_path_factory.mktemp("state")
    (folder / "functions").symlink_to(ROOT / "functions")
    shutil.copytree(ROOT / "statemachine", folder / "statemachine")
    replace_once(folder / "statemachine" / "analyze_image.asl.json", '"TimeoutSeconds": 1800', EXECUTION_SECONDS)
    shutil.copy(ROOT / "template.yaml", folder / "template.yaml")
    replace_once(folder / "template.yaml", "    Timeout: 30", FUNCTION_SECONDS)
    with started(state, "--template", str(folder / "template.yaml")) as stack:
        yield Pipeline(stack)


def replace_once(path: Path, line: str, value: int) -> None:
    text, count = re.subn(
        rf"{re.escape(line)}$|{re.escape(line)}(?=,)", re.sub(r"\d+$", str(value), line), path.read_text(), flags=re.M
    )
    assert count == 1, f"{line!r} stands {count} times in {path.name}"
    path.write_text(text)


def test_a_function_that_takes_too_long_is_stopped_and_run_again(impatient: Pipeline) -> None:
    impatient.clear()
    impatient.fault(service="rekognition", operation="DetectLabels", error="Timeout", delay_seconds=FUNCTION_SECONDS + 3, count=1)
    record = impatient.ended(impatient.upload(SAMPLE.read_bytes()))
    assert record["Status"] == "ANALYZED"
    assert record["Labels"]


def test_an_execution_that_takes_too_long_ends_as_a_record_with_a_reason(impatient: Pipeline) -> None:
    impatient.clear()
    impatient.fault(service="rekognition", operation="DetectLabels", error="ThrottlingException", rate=1)
    record = impatient.ended(impatient.upload(SAMPLE.read_bytes()), seconds=60)
    assert impatient.execution(record)["status"] == "TIMED_OUT"
    assert (record["Status"], record["Reason"]) == ("FAILED", "The analysis took longer than it may and was stopped.")
