"""Simulates a backlog in an account with few concurrent Lambda executions: how many images fail or lack moderation at which rate.

Starts are spaced by the rate limiter's own function. Each invocation takes one of the account's concurrent executions. When none
is free, Lambda refuses it, and the workflow retries it by the Retry blocks of its definition. Other delays are not simulated.
"""

from __future__ import annotations

import heapq
import itertools
import json
import math
import random
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bench import cost
from bench.tables import Table
from imagewatch.aws.rate_limiter import slot_spacing

IMAGES = 20_000
RATES = (2.0, 5.0)
LAMBDA_SECONDS = (1.68, 3.0)
CONCURRENT_EXECUTIONS = 10
"""Of a new account. Source: AWS Lambda developer guide, "Lambda quotas"."""
INTAKES = 2
WORKFLOW = Path(__file__).resolve().parents[1] / "statemachine" / "analyze_image.asl.json"
REFUSAL = "Lambda.TooManyRequestsException"
MICROSECOND = 1e-6

# (state, function) in the order of the workflow. The detections run at the same time.
VALIDATE, STORE, EVALUATE = ("Validate Image", "Store Analysis", "Evaluate Watchlist")
LABELS, MODERATION = ("Detect Labels", "Detect Moderation")
TASKS = (VALIDATE, LABELS, MODERATION, STORE, EVALUATE)
FAILURE = "Record Failure"
Steps = Generator["float | list[Steps]", Any, Any]
"""A process. It yields seconds to wait, or processes to wait for, whose results it then receives."""


@dataclass(frozen=True)
class Retry:
    """The Retry block for refused invocations of one state. Source of the fields: Amazon States Language, "Retrying"."""

    interval: float
    backoff: float
    attempts: int
    longest: float

    def pause(self, number: int, dice: random.Random) -> float:
        """Seconds before retry `number` (from 0), with full jitter."""
        return dice.uniform(0, min(self.interval * self.backoff**number, self.longest))


@dataclass
class Outcome:
    """The outcome of the images of one simulation, and the number of invocations that Lambda refused."""

    images: Counter[str] = field(default_factory=Counter)
    throttles: int = 0
    seconds: float = 0.0
    """From the first start to the last end."""


def table() -> Table:
    """One row for each rate and each Lambda time."""
    rows = []
    for rate, seconds in itertools.product(RATES, LAMBDA_SECONDS):
        found = simulate(IMAGES, rate, seconds)
        needed = starts_per_second(rate) * seconds
        shares = [f"{found.images[name] / IMAGES:.1%}" for name in ("analysed", "without moderation", "failed")]
        rows.append(
            (f"{rate:g}", f"{seconds:g}", f"{needed:.1f}", *shares, f"{found.throttles:,}", f"{found.seconds / 3600:.1f}")
        )
    free = CONCURRENT_EXECUTIONS - INTAKES
    return Table(
        f"A backlog of {IMAGES:,} images in an account with {CONCURRENT_EXECUTIONS} concurrent Lambda executions (simulated)",
        (
            "MaxImagesPerSecond",
            "Lambda seconds an image",
            f"executions needed, of {free}",
            "analysed",
            "analysed without moderation",
            "failed",
            "throttles",
            "hours",
        ),
        rows,
        (
            f"{INTAKES} of the {CONCURRENT_EXECUTIONS} executions are intakes. The workflow's definition decides on retries.",
            f"By bench/measured.json and bench/assumptions.json, an image takes {modelled_seconds():.2f} Lambda seconds.",
        ),
    )


def starts_per_second(rate: float) -> float:
    """How many images the rate limiter really starts in a second. Slots lie further apart than the rate requires."""
    return 1 / (slot_spacing(rate) * MICROSECOND)


def simulate(images: int, rate: float, lambda_seconds: float, concurrent: int = CONCURRENT_EXECUTIONS, seed: int = 1) -> Outcome:
    """Runs a backlog of `images`, each of which takes `lambda_seconds` of Lambda time in all."""
    return _Account(concurrent - INTAKES, durations(lambda_seconds), random.Random(seed)).run(
        images, slot_spacing(rate) * MICROSECOND
    )


def durations(lambda_seconds: float) -> Mapping[str, float]:
    """Seconds of each task of an image that takes `lambda_seconds` in all, in the proportions of the cost calculation."""
    stretch = lambda_seconds / modelled_seconds()
    return {state: seconds * stretch for state, seconds in {**_modelled(TASKS), **_modelled([FAILURE])}.items()}


def modelled_seconds() -> float:
    """Lambda seconds of a new image in the workflow by the cost calculation."""
    return math.fsum(_modelled(TASKS).values())


def _modelled(states: Iterable[str]) -> Mapping[str, float]:
    facts, cpu = cost.measured()
    memory = cost.memory_by_function()
    each = {}
    for state in states:
        function = state.replace(" ", "")
        calls = facts["new image"].calls.get(function, {"dynamodb:UpdateItem": 1})
        each[state] = cost.seconds(function, calls, cpu[cost._snake(function)], memory[function])
    return each


def retries() -> Mapping[str, Retry]:
    """The Retry block for a refused invocation, by state."""
    definition = json.loads(WORKFLOW.read_text(encoding="utf-8"))
    return {name: _retry(state) for name, state in _states(definition) if state["Type"] == "Task"}


def _states(machine: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    found = list(machine["States"].items())
    return found + [inner for _, state in found for branch in state.get("Branches", []) for inner in _states(branch)]


def _retry(state: Mapping[str, Any]) -> Retry:
    (block,) = [one for one in state["Retry"] if REFUSAL in one["ErrorEquals"]]
    if block["JitterStrategy"] != "FULL":
        raise ValueError(f"The simulation knows only full jitter, not {block['JitterStrategy']}.")
    return Retry(block["IntervalSeconds"], block["BackoffRate"], block["MaxAttempts"], block["MaxDelaySeconds"])


class _Account:
    """The free concurrent executions of an account, and the processes that use them in simulated time."""

    def __init__(self, free: int, seconds: Mapping[str, float], dice: random.Random) -> None:
        self._free = free
        self._seconds = seconds
        self._dice = dice
        self._shape = 1 / cost.assumed("duration_variation") ** 2
        self._retries = retries()
        self._now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._outcome = Outcome()

    def run(self, images: int, spacing: float) -> Outcome:
        """Starts an image every `spacing` seconds, and returns when all have ended."""
        for number in range(images):
            self._after(number * spacing, partial(self._advance, self._image(), None, self._count))
        while self._due:
            self._now, _, resume = heapq.heappop(self._due)
            resume()
        self._outcome.seconds = self._now
        return self._outcome

    def _count(self, ending: str) -> None:
        self._outcome.images[ending] += 1

    def _after(self, pause: float, resume: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self._now + pause, next(self._numbers), resume))

    def _advance(self, steps: Steps, sent: Any, end: Callable[[Any], None]) -> None:
        """Resumes a process with the results that it waited for. `end` receives what the process returns."""
        try:
            wanted = steps.send(sent)
        except StopIteration as ended:
            end(ended.value)
            return
        if isinstance(wanted, float):
            self._after(wanted, partial(self._advance, steps, None, end))
            return
        results: list[Any] = []

        def collect(result: Any) -> None:
            results.append(result)
            if len(results) == len(wanted):
                self._advance(steps, results, end)

        for process in wanted:
            self._advance(process, None, collect)

    def _image(self) -> Steps:
        """One execution of the workflow; returns how the image ends."""
        if (yield from self._task(VALIDATE))[1]:
            found = dict((yield [self._task(LABELS), self._task(MODERATION)]))
            # Store Analysis runs without labels too, and then ends the image as failed.
            stored = (yield from self._task(STORE))[1] and found[LABELS]
            if stored and (yield from self._task(EVALUATE))[1]:
                return "analysed" if found[MODERATION] else "without moderation"
        yield from self._task(FAILURE)
        return "failed"

    def _task(self, state: str) -> Steps:
        """One task with its retries; returns (state, whether it ran)."""
        retry = self._retries[state]
        for number in range(retry.attempts + 1):
            if self._free > 0:
                self._free -= 1
                yield self._seconds[state] * self._dice.gammavariate(self._shape, 1 / self._shape)
                self._free += 1
                return state, True
            self._outcome.throttles += 1
            if number < retry.attempts:
                yield retry.pause(number, self._dice)
        return state, False
