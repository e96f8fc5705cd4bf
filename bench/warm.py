"""Warm CPU: what a warm function costs without waiting and without AWS, compared with the same calls by bare clients."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from bench.in_process import LABELS, ONE_IMAGE, ORDER, recorded
from bench.spread import milliseconds, paired_ratio
from bench.tables import Table

ROUNDS = 40


@dataclass(frozen=True)
class Warm:
    """CPU seconds of each run of one function, and of its AWS calls alone, measured alternately."""

    handler: list[float]
    calls: list[float]
    number_of_calls: int


def measure(rounds: int = ROUNDS) -> dict[str, Warm]:
    """Runs every function and its calls alternately; results by function."""
    with recorded() as bench:
        taken = {name: Warm([], [], len(bench.recordings[name].calls)) for name in ORDER}
        for number in range(rounds + 3):
            for name, warm in taken.items():
                handler, calls = bench.handler_seconds(name), bench.calls_seconds(name)
                if number >= 3:  # the first runs fill botocore's caches
                    warm.handler.append(handler)
                    warm.calls.append(calls)
    return taken


def table(taken: dict[str, Warm]) -> Table:
    rows = [_row(name, warm.number_of_calls, warm.handler, warm.calls) for name, warm in taken.items()]
    together = [taken[name] for name in ONE_IMAGE]
    handler = [sum(run) for run in zip(*(warm.handler for warm in together), strict=True)]
    calls = [sum(run) for run in zip(*(warm.calls for warm in together), strict=True)]
    rows.append(_row("one image, no match", sum(warm.number_of_calls for warm in together), handler, calls))
    return Table(
        f"Warm CPU: milliseconds for each function's sample event, {len(handler)} alternating runs, median (minimum-maximum)",
        ("function", "AWS calls", "AWS calls by bare clients", "function", "ratio"),
        rows,
        (f"AWS's answers are replayed, without network or moto. Findings have {LABELS} labels; the photo has 512 x 512 pixels.",
         "Ratio: the function divided by its AWS calls. A function that does nothing but call AWS has the ratio 1.",
         "Evaluate Watchlist has the watchlist in memory. Its call reads the watchlist once in WatchlistMaxAgeSeconds."),
    )  # fmt: skip


def milliseconds_by_function(taken: dict[str, Warm]) -> dict[str, float]:
    """Medians by function, from which the price of Lambda is calculated."""
    return {name: round(1000 * statistics.median(warm.handler), 1) for name, warm in taken.items()}


def _row(name: str, number: int, handler: list[float], calls: list[float]) -> tuple[str, ...]:
    return name, str(number), milliseconds(calls), milliseconds(handler), f"{paired_ratio(handler, calls):.2f}"
