"""What the index counts for one viewer: images by term, and by the day on which they were taken."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TermCount:
    """How many images of the viewer have a term."""

    term: str
    """Typed: "label:traffic light"."""
    name: str
    """The name as it was found: "Traffic Light"."""
    images: int


@dataclass(frozen=True)
class DayCount:
    """How many images of the viewer were taken on a day."""

    day: str
    """ISO date at the place."""
    images: int
