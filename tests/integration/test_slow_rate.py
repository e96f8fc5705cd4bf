"""Eight parallel intakes at a slow rate: invocations end in time, every image starts, and no message becomes a dead letter.

The intakes are threads that run the real handler on a virtual clock. The queue hides, returns and gives up messages as SQS does.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError
from botocore.client import BaseClient

import start_analysis
from imagewatch.aws import stepfunctions

from .conftest import CONTEXT, Event, Stack
from .test_pacing_backlog import SECOND, VirtualTime, busiest_second, in_threads, time
from .test_start_analysis import s3_event

__all__ = ["time"]  # the fixture

INTAKES, BATCH = 8, 10


@pytest.fixture(autouse=True)
def one_call_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """moto's conditional writes aren't atomic across threads, DynamoDB's are."""
    turn, original = threading.RLock(), BaseClient._make_api_call

    def call(client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        with turn:
            return original(client, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)


class Queue:
    """An SQS queue with the template's visibility timeout and redrive policy."""

    def __init__(self, properties: Event, time: VirtualTime, keys: list[str]) -> None:
        self._visibility = properties["VisibilityTimeout"] * SECOND
        self._receives_allowed = properties["RedrivePolicy"]["maxReceiveCount"]
        self._time = time
        self.receives: Counter[str] = Counter()
        self.visible_at = dict.fromkeys(keys, time.now)
        self.dead: list[str] = []

    def receive(self) -> list[str]:
        """At most a batch of visible messages, by key."""
        batch = []
        for key in [key for key, at in self.visible_at.items() if at <= self._time.now][:BATCH]:
            self.receives[key] += 1
            if self.receives[key] > self._receives_allowed:
                self.dead.append(key)
                del self.visible_at[key]
            else:
                self.visible_at[key] = self._time.now + self._visibility
                batch.append(key)
        return batch

    def delete(self, keys: set[str]) -> None:
        for key in keys:
            self.visible_at.pop(key, None)


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "backlog"), [("1", 160), ("2", 240)])
def test_eight_parallel_intakes_at_a_slow_rate_lose_no_image(
    stack: Stack, time: VirtualTime, monkeypatch: pytest.MonkeyPatch, quick_moto: None, rate: str, backlog: int
) -> None:
    stack.use_environment("StartAnalysis", MAX_IMAGES_PER_SECOND=rate)
    resources = stack.template.resources
    timeout = resources["StartAnalysisFunction"]["Properties"]["Timeout"] * SECOND
    queue = Queue(resources["IntakeQueue"]["Properties"], time, [f"uploads/{n}.jpg" for n in range(backlog)])
    starts: dict[str, int] = {}
    taken: list[int] = []
    monkeypatch.setattr(stepfunctions, "start", lambda image, name: starts.setdefault(image.key, time.now) == time.now)

    def invoke(batch: list[str]) -> set[str]:
        """Runs the handler; returns the messages that it has handled."""
        began = time.now
        records = [{"messageId": key, "body": json.dumps({"Records": [s3_event(key, "01")]})} for key in batch]
        left: Callable[[], int] = lambda: (timeout - (time.now - began)) // 1000  # noqa: E731
        context = SimpleNamespace(**{**vars(CONTEXT), "get_remaining_time_in_millis": left})
        try:
            answer = start_analysis.handler({"Records": records}, context)
            failed = {entry["itemIdentifier"] for entry in answer["batchItemFailures"]}
        except BatchProcessingError:
            failed = set(batch)
        taken.append(time.now - began)
        return set(batch) - failed

    def intake() -> None:
        try:
            while queue.visible_at:
                batch = queue.receive()
                queue.delete(invoke(batch)) if batch else time.sleep(SECOND)
        finally:
            time.leave()

    in_threads(intake, time, INTAKES)

    assert len(starts) == backlog
    assert queue.dead == []
    assert max(taken) < timeout
    assert busiest_second(sorted(starts.values())) <= int(rate)
