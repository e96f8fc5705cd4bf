"""What an analysis costs."""

from __future__ import annotations

CALL_USD = 0.001
"""One call of Rekognition for an image (group 2), in the first tier.

Source: Amazon Rekognition pricing. bench/prices.json has the other tiers."""
_ALWAYS_CALLED = 2  # DetectLabels and DetectModerationLabels


def calls(*, detects_text: bool) -> int:
    """Calls of Rekognition that one analysis makes, retries not counted."""
    return _ALWAYS_CALLED + detects_text


def usd(number_of_calls: int) -> float:
    """The price of these calls in US dollars."""
    return round(number_of_calls * CALL_USD, 6)
