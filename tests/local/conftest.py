"""Fixtures: a running stack for the whole session, and one test's pipeline on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .pipeline import Pipeline
from .running_stack import RunningStack, started
from .small_stack import small

__all__ = ["small"]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with started(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture
def pipeline(stack: RunningStack) -> Iterator[Pipeline]:
    """The pipeline without faults and rules. They are removed again after the test."""
    pipeline = Pipeline(stack)
    pipeline.clear()
    yield pipeline
    pipeline.clear()
