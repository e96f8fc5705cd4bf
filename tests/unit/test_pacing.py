"""The pace: whatever happens between taking a slot and starting, no second holds more starts than the rate."""

from __future__ import annotations

import math
from bisect import bisect_left
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewatch.aws.rate_limiter import JOURNEY_MICROSECONDS, LATENESS_MICROSECONDS, is_too_late, slot_spacing

SECOND = 1_000_000
LATEST = LATENESS_MICROSECONDS + JOURNEY_MICROSECONDS
RATES = [0.1, 0.5, 1, 1.5, 2.5, 5, 7, 15, 33.3, 50, 1000]


def busiest_second(starts: list[int]) -> int:
    """The most starts in any window [t, t + 1 s); the busiest one begins at a start."""
    starts = sorted(starts)
    return max(bisect_left(starts, start + SECOND) - n for n, start in enumerate(starts))


@pytest.mark.parametrize("rate", RATES)
@given(data=st.data())
def test_no_second_holds_more_starts_than_the_rate(rate: float, data: st.DataObject) -> None:
    # Slots are at least the spacing apart (further, when the queue was idle); each start comes up to LATENESS after its slot, and
    # is on its way for up to JOURNEY.
    idle = st.one_of(st.just(0), st.integers(0, 3), st.integers(0, 2 * SECOND))
    lateness = st.one_of(st.just(0), st.just(LATENESS_MICROSECONDS), st.integers(0, LATENESS_MICROSECONDS))
    journey = st.one_of(st.just(0), st.just(JOURNEY_MICROSECONDS), st.integers(0, JOURNEY_MICROSECONDS))
    waits = data.draw(st.lists(st.tuples(idle, lateness, journey), min_size=2, max_size=40))
    slot, starts = 0, []
    for pause, late, travelling in waits * math.ceil(2 * rate / len(waits)):
        slot += slot_spacing(rate) + pause
        assert not is_too_late(slot, slot + late)
        starts.append(slot + late + travelling)
    assert busiest_second(starts) <= math.ceil(rate)


@pytest.mark.parametrize("rate", RATES)
def test_the_worst_case_is_reached_but_not_exceeded(rate: float) -> None:
    # A stall of all that is allowed, after which every start that is due comes at once, and the following ones are punctual.
    starts = [max(n * slot_spacing(rate), LATEST) for n in range(math.ceil(rate) + 2)]
    assert busiest_second(starts) == math.ceil(rate)


@given(st.fractions(min_value=Fraction(1, 100), max_value=5000))
def test_slots_are_never_closer_than_the_rate_allows(rate: Fraction) -> None:
    assert slot_spacing(float(rate)) * rate >= Fraction(SECOND + LATEST) * Fraction(999_999_999, 1_000_000_000)


@pytest.mark.parametrize("rate", RATES)
def test_the_pace_costs_at_most_a_tenth_of_the_rate(rate: float) -> None:
    assert SECOND / slot_spacing(rate) >= 0.9 * rate


@pytest.mark.parametrize("rate", [0, -1, -0.5, float("nan"), float("inf"), float("-inf")])
def test_an_impossible_rate_is_refused_by_name(rate: float) -> None:
    with pytest.raises(ValueError, match=r"^MaxImagesPerSecond must be a number above 0, not "):
        slot_spacing(rate)


@pytest.mark.parametrize(
    ("lateness", "too_late"),
    [(-SECOND, False), (0, False), (LATENESS_MICROSECONDS, False), (LATENESS_MICROSECONDS + 1, True), (SECOND, True)],
)
def test_a_slot_expires_after_the_lateness(lateness: int, too_late: bool) -> None:
    assert is_too_late(SECOND, SECOND + lateness) is too_late
