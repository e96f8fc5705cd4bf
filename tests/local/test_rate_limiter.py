"""The intake's rate limiter on the running stack: executions start at MaxImagesPerSecond at most, by their start times."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.recorded_images import picture, record

from .pipeline import Pipeline
from .running_stack import started

WARM_UP, BACKLOG, RATE = 6, 40, 5


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recordings")


@pytest.fixture(scope="module")
def paced(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    options = ("--recorded", str(recordings), "--parameter", f"MaxImagesPerSecond={RATE}")
    with started(tmp_path_factory.mktemp("paced"), *options) as stack:
        yield Pipeline(stack)


def test_a_backlog_starts_at_the_configured_rate(paced: Pipeline, recordings: Path) -> None:
    # tests/integration/test_pacing_backlog.py proves the limit for each second with a virtual clock. Here the time between the
    # slot and the start varies.
    for key in upload(paced, recordings, range(WARM_UP)):
        paced.ended(key)
    upload(paced, recordings, range(WARM_UP, WARM_UP + BACKLOG))

    paced.eventually(lambda: len(starts(paced)) >= WARM_UP + BACKLOG, f"only {len(starts(paced))} have started", 120)
    assert len(starts(paced)) == WARM_UP + BACKLOG
    moments = starts(paced)[WARM_UP:]
    assert moments[-1] - moments[0] > 0.75 * (BACKLOG - 1) / RATE
    busiest = max(sum(moment <= other < moment + 1 for other in moments) for moment in moments)
    assert busiest <= 2 * RATE  # without the rate limiter the stack starts at three times the rate
    assert moments[-1] - moments[0] < 8 * BACKLOG / RATE  # the rate is used


def upload(pipeline: Pipeline, recordings: Path, numbers: range) -> list[str]:
    bodies = [picture(number) for number in numbers]
    for body in bodies:
        record(recordings, body, {})
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(pipeline.upload, bodies))


def starts(pipeline: Pipeline) -> list[float]:
    """The start times of all executions in order, in seconds since the epoch."""
    pages = pipeline.stack.client("stepfunctions").get_paginator("list_executions")
    found = pages.paginate(stateMachineArn=pipeline.outputs["StateMachineArn"])
    return sorted(execution["startDate"].timestamp() for page in found for execution in page["executions"])
