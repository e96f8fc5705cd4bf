"""The simulated backlog: capacity, retries and endings."""

from __future__ import annotations

import random

import pytest

from bench import backlog
from bench.backlog import Retry, simulate
from bench.deployed_template import load

IMAGES = 1_000


def test_the_slower_rate_loses_nothing_in_a_new_account() -> None:
    for seconds in backlog.LAMBDA_SECONDS:
        assert simulate(IMAGES, 2, seconds).images == {"analysed": IMAGES}


def test_the_default_rate_of_the_template_loses_nothing_in_a_new_account() -> None:
    rate = float(load().parameters["MaxImagesPerSecond"])
    assert simulate(IMAGES, rate, max(backlog.LAMBDA_SECONDS)).images == {"analysed": IMAGES}


def test_a_rate_that_needs_more_executions_than_the_account_has_fails_images() -> None:
    found = simulate(IMAGES, 5, 3.0)
    assert found.images["failed"] > IMAGES / 10
    assert found.images["without moderation"] > 0
    assert found.throttles > IMAGES
    assert found.images.total() == IMAGES


def test_a_larger_account_loses_nothing_at_the_higher_rate() -> None:
    found = simulate(IMAGES, 5, 3.0, concurrent=1_000)
    assert found.images == {"analysed": IMAGES}
    assert found.throttles == 0


def test_an_account_without_free_executions_fails_every_image() -> None:
    assert simulate(20, 2, 1.68, concurrent=backlog.INTAKES).images == {"failed": 20}


def test_images_start_at_the_rate_of_the_rate_limiter() -> None:
    # The starts of 1,000 images take 999 slots, and the last image takes its Lambda time after that.
    found = simulate(IMAGES, 2, 1.68, concurrent=1_000)
    assert found.seconds == pytest.approx(999 * 0.55, abs=10)
    assert backlog.starts_per_second(2) == pytest.approx(2 / 1.1)


def test_the_same_seed_gives_the_same_outcome_and_another_seed_another() -> None:
    assert simulate(IMAGES, 5, 3.0, seed=1) == simulate(IMAGES, 5, 3.0, seed=1)
    assert simulate(IMAGES, 5, 3.0, seed=1) != simulate(IMAGES, 5, 3.0, seed=2)


def test_the_tasks_of_an_image_take_the_given_time_together() -> None:
    each = backlog.durations(3.0)
    assert sum(each[state] for state in backlog.TASKS) == pytest.approx(3.0)


def test_the_retries_are_those_of_the_workflow() -> None:
    found = backlog.retries()
    assert set(found) >= {*backlog.TASKS, backlog.FAILURE}
    assert found["Detect Labels"] == Retry(interval=2, backoff=2, attempts=8, longest=60)


def test_a_retry_pauses_for_a_random_time_up_to_the_longest() -> None:
    retry, dice = Retry(interval=2, backoff=2, attempts=8, longest=60), random.Random(1)
    assert all(0 <= retry.pause(0, dice) <= 2 for _ in range(100))
    longest = max(retry.pause(7, dice) for _ in range(1_000))
    assert 50 < longest <= 60


def test_the_table_has_a_row_for_each_rate_and_each_lambda_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "IMAGES", 50)
    table = backlog.table()
    assert [row[:2] for row in table.rows] == [("2", "1.68"), ("2", "3"), ("5", "1.68"), ("5", "3")]
    assert {len(row) for row in table.rows} == {len(table.columns)}
