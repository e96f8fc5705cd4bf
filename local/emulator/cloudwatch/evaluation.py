"""Evaluates an alarm: compares the values of its periods with the threshold.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
"""

from __future__ import annotations

import operator
from collections.abc import Sequence

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"
COMPARISONS = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}


def evaluate(
    values: Sequence[float | None], *, comparison: str, threshold: float, datapoints_to_alarm: int, missing: str
) -> tuple[str, str] | None:
    """The state and its reason, or None if the state stays. `values` has one entry for each period, None without data.

    `missing` is TreatMissingData: breaching, notBreaching, ignore or missing.
    """
    breaches, words = COMPARISONS[comparison]
    present = [value for value in values if value is not None]
    breaching = [value for value in present if breaches(value, threshold)]
    absent = len(values) - len(present)
    count = len(breaching) + (absent if missing == "breaching" else 0)
    if count >= datapoints_to_alarm:
        return ALARM, _crossed(breaching, absent if missing == "breaching" else 0, words, threshold)
    if present or missing in ("breaching", "notBreaching"):
        if absent and missing == "ignore":
            return None
        least = "no datapoints were received" if not present else f"{len(breaching)} of {len(values)} datapoints crossed it"
        return OK, f"Threshold not crossed: {least} (threshold {threshold:g}, {datapoints_to_alarm} needed for ALARM)."
    if missing == "ignore":
        return None
    return INSUFFICIENT_DATA, f"Insufficient data: no datapoints were received for {len(values)} periods."


def _crossed(breaching: Sequence[float], absent: int, words: str, threshold: float) -> str:
    shown = [f"{value:g}" for value in breaching] + ["missing"] * absent
    many = "datapoint was" if len(shown) == 1 else "datapoints were"
    return f"Threshold crossed: {len(shown)} {many} {words} the threshold ({threshold:g}): [{', '.join(shown)}]."
