"""Each line of the log says which image and which execution it is about, the lines that are metrics too."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from imagewatch import observability

EVENT = {"Image": {"ImageId": "abc", "Key": "uploads/a.jpg"}, "ExecutionArn": "arn:execution"}
CONTEXT: Any = SimpleNamespace(
    aws_request_id="r1", function_name="f1", memory_limit_in_mb=256, invoked_function_arn="arn:aws:lambda:us-east-1:1:function:f1"
)
Lines = list[dict[str, Any]]


@contextlib.contextmanager
def printed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """Takes in what is printed meanwhile: a dictionary for each line, there when the block has ended."""
    output, lines = io.StringIO(), Lines()
    with monkeypatch.context() as patch, contextlib.redirect_stdout(output):
        patch.setattr(observability.logger.registered_handler, "stream", output)
        yield lines
    lines += [json.loads(line) for line in output.getvalue().splitlines()]


def test_a_task_names_image_and_execution_on_each_line(monkeypatch: pytest.MonkeyPatch) -> None:
    @observability.task
    def handler(event: dict[str, Any], context: Any) -> str:
        observability.logger.info("Working.")
        observability.count("ImagesAnalyzed")
        return "done"

    with printed(monkeypatch) as lines:
        assert handler(EVENT, CONTEXT) == "done"
    line, metric = lines
    assert (line["image_id"], line["execution_id"], line["key"]) == ("abc", "arn:execution", "uploads/a.jpg")
    assert (metric["image_id"], metric["execution_id"]) == ("abc", "arn:execution")
    assert metric["ImagesAnalyzed"] == [1.0]


def test_a_failed_task_logs_how_it_failed_and_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    @observability.task
    def handler(event: dict[str, Any], context: Any) -> None:
        raise KeyError("missing")

    with printed(monkeypatch) as lines, pytest.raises(KeyError):
        handler(EVENT, CONTEXT)
    (line,) = lines
    assert (line["error"], line["image_id"]) == ("KeyError", "abc")
    assert "missing" in line["exception"]


def test_one_invocation_leaves_nothing_on_the_next_ones_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    @observability.logs_invocation
    def handler(event: dict[str, Any], context: Any) -> None:
        observability.logger.info("Another.")

    observability.set_log_context({"ImageId": "first"}, "arn:first")
    with printed(monkeypatch) as lines:
        handler({}, CONTEXT)
    assert "first" not in json.dumps(lines)
    assert len(lines) == 1


def test_lines_about_no_image_name_none(monkeypatch: pytest.MonkeyPatch) -> None:
    observability.set_log_context({"ImageId": "first", "Key": "uploads/first.jpg"}, "arn:first")
    observability.set_log_context(None, None)
    with printed(monkeypatch) as lines:
        observability.logger.info("Another.")
        observability.count("ImagesAnalyzed")
    assert "first" not in json.dumps(lines)
    assert len(lines) == 2


def test_lines_about_another_image_still_name_the_invocation(monkeypatch: pytest.MonkeyPatch) -> None:
    @observability.logs_invocation
    def handler(event: dict[str, Any], context: Any) -> None:
        observability.set_log_context({"ImageId": "first"}, "arn:first")
        observability.set_log_context({"ImageId": "second"}, "arn:second")
        observability.logger.info("Started.")

    with printed(monkeypatch) as lines:
        handler({}, CONTEXT)
    (line,) = lines
    assert (line["image_id"], line["function_request_id"], line["function_name"]) == ("second", "r1", "f1")
