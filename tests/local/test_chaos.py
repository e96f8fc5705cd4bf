"""A short `make chaos` with a fixed seed: throttles, crashes, repeated and reordered events, a killed intake."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.storm import run

IMAGES, SEED = 80, 9


def test_all_guarantees_hold_under_faults(tmp_path: Path) -> None:
    outcome = run(IMAGES, SEED, tmp_path, lambda stage, done, total: None)
    assert outcome.broken == []
    assert outcome.counts["crashes after at least one call"] > 5
    assert outcome.counts["repeated deliveries"] > IMAGES / 4
    assert outcome.counts["e-mails sent twice, after a crash in the allowed window"] >= 2  # these crashes are placed, not random
    assert outcome.counts["matches in digests"] > 0
