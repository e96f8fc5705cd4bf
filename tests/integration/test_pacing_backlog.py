"""A backlog of 500 images and several intakes at once: never more than 5 starts in any second, and none is lost.

The clock is virtual. The intakes are threads that take turns at one rate limiter table, with random latencies for each call, so
that slots are taken late, in any order, and are sometimes missed.
"""

from __future__ import annotations

import heapq
import itertools
import random
import threading
from bisect import bisect_left
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from imagewatch import timestamps
from imagewatch.aws import clients, dynamodb, rate_limiter
from imagewatch.images.version import ImageVersion
from imagewatch.services.intake import start_execution

from .conftest import Event, Stack

BACKLOG, RATE, INTAKES = 500, 5, 4
LATEST_START = 0.05  # seconds
SECOND = 1_000_000


class VirtualTime:
    """Seconds that pass only while every thread sleeps: the earliest sleeper is woken next, and alone."""

    def __init__(self) -> None:
        self.now = 1_000_000 * SECOND
        self._changed = threading.Condition()
        self._sleepers: list[tuple[int, int]] = []
        self._numbers = itertools.count()
        self._awake = 0

    def join(self) -> None:
        """The calling thread takes part from now on."""
        with self._changed:
            self._awake += 1

    def leave(self) -> None:
        with self._changed:
            self._awake -= 1
            self._changed.notify_all()

    def sleep(self, microseconds: float) -> None:
        with self._changed:
            me = (self.now + int(microseconds), next(self._numbers))
            heapq.heappush(self._sleepers, me)
            self._awake -= 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._awake == 0 and self._sleepers[0] == me)
            heapq.heappop(self._sleepers)
            self.now = max(self.now, me[0])
            self._awake += 1


class Latency:
    """DynamoDB as seen from afar: each call takes its time on the way there and on the way back."""

    def __init__(self, real: Any, time: VirtualTime, dice: random.Random, slowest: float) -> None:
        self._real, self._time, self._dice, self._slowest = real, time, dice, slowest
        self._one_at_a_time = threading.Lock()
        self.calls = 0

    def update_item(self, **arguments: Any) -> Any:
        self._pass()
        try:
            with self._one_at_a_time:  # a single item's writes are atomic
                self.calls += 1
                return self._real.update_item(**arguments)
        finally:
            self._pass()

    def _pass(self) -> None:
        stall = self._dice.random() < 0.02
        self._time.sleep(self._dice.uniform(0, self._slowest * (10 if stall else 1)) * SECOND)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> VirtualTime:
    virtual = VirtualTime()
    monkeypatch.setattr(timestamps, "now", lambda: virtual.now)
    monkeypatch.setattr(timestamps, "time", SimpleNamespace(sleep=lambda seconds: virtual.sleep(seconds * SECOND)))
    return virtual


def drain(stack: Stack, time: VirtualTime, monkeypatch: pytest.MonkeyPatch, slowest: float, seed: int) -> list[int]:
    """Several intakes take the backlog between them; returns when each image was started."""
    stack.use_environment("StartAnalysis", MAX_IMAGES_PER_SECOND=str(RATE))
    dice = random.Random(seed)
    table = Latency(clients.client("dynamodb"), time, dice, slowest)
    monkeypatch.setattr(dynamodb, "client", lambda service: table)
    left, starts, failures = iter(range(BACKLOG)), list[int](), list[BaseException]()

    def intake() -> None:
        try:
            for _ in left:
                rate_limiter.wait_for_intake_slot()
                time.sleep(dice.uniform(0, LATEST_START) * SECOND)  # StartExecution's way to Step Functions
                starts.append(time.now)
                time.sleep(dice.uniform(0, slowest) * SECOND)
        except (ClientError, AssertionError, KeyError) as error:
            failures.append(error)
        finally:
            time.leave()

    in_threads(intake, time)
    assert failures == []
    return sorted(starts)


def in_threads(intake: Callable[[], None], time: VirtualTime, number: int = INTAKES) -> None:
    threads = [threading.Thread(target=intake, daemon=True) for _ in range(number)]
    for _ in threads:
        time.join()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()


def busiest_second(starts: list[int]) -> int:
    """The most starts in any window of one second; the busiest one begins at a start."""
    return max(bisect_left(starts, start + SECOND) - number for number, start in enumerate(starts))


@pytest.mark.parametrize(("slowest", "seed"), [(0.005, 1), (0.05, 2), (0.3, 16), (0.3, 20)])
def test_a_backlog_never_starts_faster_than_the_rate_and_is_not_lost(
    stack: Stack, time: VirtualTime, monkeypatch: pytest.MonkeyPatch, slowest: float, seed: int
) -> None:
    starts = drain(stack, time, monkeypatch, slowest, seed)
    assert len(starts) == BACKLOG
    assert busiest_second(starts) <= RATE


def test_a_backlog_makes_use_of_nearly_all_of_the_rate(stack: Stack, time: VirtualTime, monkeypatch: pytest.MonkeyPatch) -> None:
    starts = drain(stack, time, monkeypatch, 0.005, 4)
    assert (starts[-1] - starts[0]) / SECOND < 1.25 * BACKLOG / RATE


class Slow:
    """DynamoDB where each write takes as long: half of it there, half of it back. Gives up on who asks on and on."""

    def __init__(self, seconds: float, time: VirtualTime) -> None:
        self._real, self._half, self._time, self.calls = clients.client("dynamodb"), seconds / 2 * SECOND, time, 0

    def update_item(self, **arguments: Any) -> Any:
        self.calls += 1
        assert self.calls < 1_000
        self._time.sleep(self._half)
        try:
            return self._real.update_item(**arguments)
        finally:
            self._time.sleep(self._half)


@pytest.mark.parametrize("seconds", [0.04, 0.08, 0.4])
def test_a_high_rate_gets_on_where_a_write_takes_longer_than_a_start_may_be_late(
    stack: Stack, time: VirtualTime, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    stack.use_environment("StartAnalysis", MAX_IMAGES_PER_SECOND="100")
    table = Slow(seconds, time)
    monkeypatch.setattr(dynamodb, "client", lambda service: table)
    time.join()
    for _ in range(20):
        rate_limiter.wait_for_intake_slot()
    assert table.calls <= 20 * 3


@pytest.mark.parametrize("seconds", [0.04, 0.08, 0.4])
def test_a_lone_message_has_its_slot_though_the_write_that_takes_it_is_slow(
    stack: Stack, time: VirtualTime, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    stack.use_environment("SendAlert")
    table = Slow(seconds, time)
    monkeypatch.setattr(dynamodb, "client", lambda service: table)
    time.join()
    began = time.now
    assert rate_limiter.wait_for_channel_slot("ops", "slack", SECOND)
    assert not rate_limiter.wait_for_channel_slot("ops", "slack", SECOND // 10)
    assert time.now - began < 3 * SECOND


def test_what_a_first_start_needs_is_made_before_its_slot_is_taken(
    stack: Stack, uploaded: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.use_environment("StartAnalysis")
    clients_made = []

    def wait(patience: int | None) -> bool:
        clients_made.append(clients.client.cache_info().currsize)
        return patience is None

    monkeypatch.setattr(rate_limiter, "wait_for_intake_slot", wait)
    assert start_execution(ImageVersion.from_state(uploaded), "first")
    assert clients_made == [clients.client.cache_info().currsize] == [1]
