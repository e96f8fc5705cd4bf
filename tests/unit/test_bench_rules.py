"""The measurement of rule evaluation measures what it says, and what it says holds by a wide margin."""

from __future__ import annotations

from bench.rules import measured, table


def test_a_thousand_rules_cost_an_image_a_small_part_of_what_a_loop_costs() -> None:
    [row] = measured(sites=("combinations",), sizes=(1_000,), images=5)
    assert row.ratio > 20  # some 400 where nothing else runs
    assert row.matching > 0


def test_the_table_has_a_line_for_each_measurement() -> None:
    rows = measured(sites=("one camera each", "anything goes"), sizes=(10,), images=2)
    head, rule, *lines = table(rows).splitlines()
    assert {line.count("|") for line in (head, rule, *lines)} == {9}
    assert [line.split("|")[1].strip() for line in lines] == ["one camera each", "anything goes"]
