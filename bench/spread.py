"""How measurements lie: the middle one with the least and the greatest, and ratios of runs that stood side by side."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def milliseconds(seconds: Sequence[float]) -> str:
    """ "median (least-greatest)" in ms."""
    low, middle, high = (1000 * value for value in (min(seconds), statistics.median(seconds), max(seconds)))
    digits = 0 if middle >= 20 else 2
    return f"{middle:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def paired_ratio(measured: Sequence[float], floor: Sequence[float]) -> float:
    """The middle of the ratios of pairs: what slows the machine down for a while slows both of a pair down."""
    return statistics.median(one / other for one, other in zip(measured, floor, strict=True))
