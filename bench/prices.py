"""The price list, and what an amount costs. No free tier is subtracted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

PRICES = Path(__file__).parent / "prices.json"


@dataclass(frozen=True)
class Price:
    """The price of `unit` pieces in US dollars, in tiers of (limit of a month's amount or None, price)."""

    what: str
    unit: int
    tiers: Sequence[tuple[float | None, float]]
    source: str | None
    date: str | None

    @property
    def assumed(self) -> bool:
        """Whether no source was found for the price."""
        return self.source is None

    def cost(self, amount: float) -> float:
        """US dollars for one month's amount, each tier at its price."""
        total, reached = 0.0, 0.0
        for limit, price in self.tiers:
            upto = amount if limit is None else min(amount, limit)
            total += max(0.0, upto - reached) * price / self.unit
            reached = upto
        return total

    def first(self) -> float:
        """US dollars for one piece in the first tier."""
        return self.tiers[0][1] / self.unit


@cache
def price_list() -> Mapping[str, Price]:
    """All prices by name. Raises ValueError when limits do not rise or the last tier has a limit."""
    items = json.loads(PRICES.read_text(encoding="utf-8"))["items"]
    return {name: read_price(name, entry) for name, entry in items.items()}


def read_price(name: str, entry: Mapping[str, Any]) -> Price:
    tiers = [(limit, float(price)) for limit, price in entry["tiers"]]
    limits = [limit for limit, _ in tiers]
    if limits[-1] is not None or None in limits[:-1] or limits[:-1] != sorted(limits[:-1]):
        raise ValueError(f"{name}: the limits of tiers must rise, and the last tier must have none.")
    return Price(entry["what"], int(entry["unit"]), tiers, entry["source"], entry["date"])


def cost(name: str, amount: float) -> float:
    """US dollars for one month's amount of a named item."""
    return price_list()[name].cost(amount)
