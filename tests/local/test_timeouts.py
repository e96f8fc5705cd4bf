"""Timeouts of a function and of an execution, on the real workflow with shorter limits."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .pipeline import Pipeline
from .running_stack import ROOT, started

SAMPLE = ROOT / "samples" / "astronaut-portrait.jpg"
FUNCTION_SECONDS, EXECUTION_SECONDS = 8, 10


@contextmanager
def impatient(state: Path, file: str, line: str, shorter: str) -> Iterator[Pipeline]:
    """A copy of the template and workflow with one shorter limit."""
    folder = state / "project"
    shutil.copytree(ROOT / "statemachine", folder / "statemachine")
    shutil.copy(ROOT / "template.yaml", folder / "template.yaml")
    (folder / "functions").symlink_to(ROOT / "functions")
    text = (folder / file).read_text()
    assert text.count(line) == 1, f"{line!r} occurs {text.count(line)} times in {file}"
    (folder / file).write_text(text.replace(line, shorter))
    with started(state, "--template", str(folder / "template.yaml")) as stack:
        yield Pipeline(stack)


def test_a_function_that_times_out_is_stopped_and_retried(tmp_path: Path) -> None:
    handler = "      Handler: detect_labels.handler\n"
    with impatient(tmp_path, "template.yaml", handler, f"{handler}      Timeout: {FUNCTION_SECONDS}\n") as pipeline:
        delay = FUNCTION_SECONDS + 3
        pipeline.fault(service="rekognition", operation="DetectLabels", error="Timeout", delay_seconds=delay, count=1)
        record = pipeline.ended(pipeline.upload(SAMPLE.read_bytes()), seconds=120)
        assert record["Status"] == "ANALYZED"
        assert record["Labels"]
        events = pipeline.stack.client("stepfunctions").get_execution_history(executionArn=record["ExecutionArn"])["events"]
        failures = [event["lambdaFunctionFailedEventDetails"] for event in events if "lambdaFunctionFailedEventDetails" in event]
        assert "Sandbox.Timedout" in {failure["error"] for failure in failures}


def test_an_execution_that_times_out_leaves_a_record_with_a_reason(tmp_path: Path) -> None:
    workflow = "statemachine/analyze_image.asl.json"
    with impatient(tmp_path, workflow, '"TimeoutSeconds": 1800', f'"TimeoutSeconds": {EXECUTION_SECONDS}') as pipeline:
        pipeline.fault(service="rekognition", operation="DetectLabels", error="ThrottlingException", rate=1)
        record = pipeline.ended(pipeline.upload(SAMPLE.read_bytes()), seconds=120)
        assert pipeline.execution(record)["status"] == "TIMED_OUT"
        assert (record["Status"], record["Reason"]) == ("FAILED", "The analysis timed out and was stopped.")
