"""The pace on the running stack: a backlog starts no faster than MaxImagesPerSecond, by Step Functions' own clock."""

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


def test_a_backlog_starts_at_the_stacks_pace_and_not_at_the_machines(paced: Pipeline, recordings: Path) -> None:
    # That no second sees more is shown with a virtual clock (tests/integration/test_pacing_backlog.py): here a start can be
    # longer on its way to Step Functions than the pace allows for.
    for key in upload(paced, recordings, range(WARM_UP)):
        paced.ended(key)
    upload(paced, recordings, range(WARM_UP, WARM_UP + BACKLOG))

    paced.eventually(lambda: len(starts(paced)) >= WARM_UP + BACKLOG, f"only {len(starts(paced))} have started", 120)
    assert len(starts(paced)) == WARM_UP + BACKLOG
    moments = starts(paced)[WARM_UP:]
    assert moments[-1] - moments[0] > 0.75 * (BACKLOG - 1) / RATE
    busiest = max(sum(moment <= other < moment + 1 for other in moments) for moment in moments)
    assert busiest <= 2 * RATE  # unpaced, this stack starts three times the rate
    assert moments[-1] - moments[0] < 8 * BACKLOG / RATE  # and it makes use of the rate


def upload(pipeline: Pipeline, recordings: Path, numbers: range) -> list[str]:
    bodies = [picture(number) for number in numbers]
    for body in bodies:
        record(recordings, body, {})
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(pipeline.upload, bodies))


def starts(pipeline: Pipeline) -> list[float]:
    """When each execution started, seconds since the epoch, in order."""
    pages = pipeline.stack.client("stepfunctions").get_paginator("list_executions")
    found = pages.paginate(stateMachineArn=pipeline.outputs["StateMachineArn"])
    return sorted(execution["startDate"].timestamp() for page in found for execution in page["executions"])
