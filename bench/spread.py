"""Statistics of repeated measurements: median, minimum and maximum, and ratios of neighbouring runs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def milliseconds(seconds: Sequence[float]) -> str:
    """ "median (minimum-maximum)" in milliseconds."""
    low, middle, high = (1000 * value for value in (min(seconds), statistics.median(seconds), max(seconds)))
    digits = 0 if middle >= 20 else 2
    return f"{middle:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def paired_ratio(measured: Sequence[float], floor: Sequence[float]) -> float:
    """The median of the ratios of pairs. A busy moment of the machine slows both of a pair."""
    return statistics.median(one / other for one, other in zip(measured, floor, strict=True))
