"""The measurement of rule matching."""

from __future__ import annotations

import pytest

from bench import rules
from bench.rules import measured, table


def test_the_index_and_the_loop_find_the_same_rules() -> None:
    [row] = measured(sites=("combinations",), sizes=(1_000,), images=5)
    assert row.matching > 0
    assert row.rules == 1_000


def test_different_matches_of_index_and_loop_stop_the_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "naive_evaluate", lambda *_: ["another-rule"])
    with pytest.raises(AssertionError, match="different matches"):
        measured(sites=("combinations",), sizes=(10,), images=1)


def test_the_table_has_a_row_for_each_measurement() -> None:
    printed = table(measured(sites=("one camera each", "anything goes"), sizes=(10,), images=2))
    assert [row[0] for row in printed.rows] == ["one camera each", "anything goes"]
    assert {len(row) for row in printed.rows} == {len(printed.columns)}
