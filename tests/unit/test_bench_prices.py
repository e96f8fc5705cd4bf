"""The price list: tiers, units and assumed prices."""

from __future__ import annotations

import pytest

from bench.prices import cost, price_list, read_price

ENTRY = {"what": "a thing", "unit": 1, "tiers": [[10, 2.0], [30, 1.0], [None, 0.5]], "source": "somewhere", "date": "2026-11"}


@pytest.mark.parametrize(("amount", "dollars"), [(0, 0), (10, 20), (11, 21), (30, 40), (34, 42)])
def test_each_tier_is_charged_at_its_price(amount: float, dollars: float) -> None:
    assert read_price("thing", ENTRY).cost(amount) == pytest.approx(dollars)


def test_a_price_for_a_thousand_is_divided() -> None:
    assert read_price("thing", {**ENTRY, "unit": 1000, "tiers": [[None, 0.025]]}).cost(8) == pytest.approx(0.0002)


@pytest.mark.parametrize("tiers", [[[10, 2.0]], [[30, 2.0], [10, 1.0], [None, 1.0]], [[None, 1.0], [None, 0.5]]])
def test_invalid_tiers_raise_an_error(tiers: list[list[float | None]]) -> None:
    with pytest.raises(ValueError, match="thing: the limits of tiers must rise"):
        read_price("thing", {**ENTRY, "tiers": tiers})


@pytest.mark.parametrize(("calls", "dollars"), [(2_000, 2), (1_000_000, 1_000), (2_500_000, 2_200), (5_000_000, 4_200)])
def test_the_price_of_a_rekognition_call_falls_with_the_monthly_amount(calls: int, dollars: float) -> None:
    assert cost("rekognition_image", calls) == pytest.approx(dollars)


def test_a_price_without_a_source_is_assumed_and_a_price_with_a_source_has_a_date() -> None:
    assert {name for name, price in price_list().items() if price.assumed} == {"dynamodb_backup"}
    assert all(price.date for price in price_list().values() if not price.assumed)
