"""Each line of the log says which image and which execution it is about, the lines that are metrics too."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from imagewatch import observability

EVENT = {"Image": {"ImageId": "abc", "Key": "uploads/a.jpg"}, "ExecutionArn": "arn:execution"}
CONTEXT = SimpleNamespace(aws_request_id="r1", function_name="f1")


Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Lines:
    """What the function has printed so far, a dictionary for each line."""
    output = io.StringIO()
    monkeypatch.setattr(observability.logger.registered_handler, "stream", output)
    monkeypatch.setattr(sys, "stdout", output)
    return lambda: [json.loads(line) for line in output.getvalue().splitlines()]


def test_a_task_names_image_and_execution_on_each_line(lines: Lines) -> None:
    @observability.task
    def handler(event: dict[str, Any], context: Any) -> str:
        observability.logger.info("Working.")
        observability.count("ImagesAnalyzed")
        return "done"

    assert handler(EVENT, CONTEXT) == "done"
    line, metric = lines()
    assert (line["image_id"], line["execution_id"], line["key"]) == ("abc", "arn:execution", "uploads/a.jpg")
    assert (metric["image_id"], metric["execution_id"]) == ("abc", "arn:execution")
    assert metric["ImagesAnalyzed"] == [1.0]


def test_a_failed_task_logs_how_it_failed_and_raises(lines: Lines) -> None:
    @observability.task
    def handler(event: dict[str, Any], context: Any) -> None:
        raise KeyError("missing")

    with pytest.raises(KeyError):
        handler(EVENT, CONTEXT)
    (line,) = lines()
    assert (line["error"], line["image_id"]) == ("KeyError", "abc")
    assert "missing" in line["exception"]


def test_one_invocation_leaves_nothing_on_the_next_ones_lines(lines: Lines) -> None:
    observability.about({"ImageId": "first"}, "arn:first")
    observability.about(None, None)
    observability.logger.info("Another.")
    (line,) = lines()
    assert "first" not in json.dumps(line)
