"""docs/cost.md agrees with what the code calculates, and its input agrees with the workflow and the template."""

from __future__ import annotations

import pytest

from bench import cost, months
from bench.prices import price_list

from .conftest import State, all_states


def test_the_tables_in_the_document_are_those_that_the_code_prints() -> None:
    text = months.DOCUMENT.read_text(encoding="utf-8")
    assert months.in_document(text) == months.printed(), "run: python -m bench cost --months --write"


def test_the_kept_measurement_is_of_states_and_functions_that_exist(workflow: State) -> None:
    facts, cpu = cost.measured()
    assert {state for fact in facts.values() for state in fact.states} <= set(all_states(workflow))
    functions = {function for fact in facts.values() for function in fact.invocations}
    assert functions <= set(cost.memory_by_function())
    assert {cost._snake(function) for function in functions} <= set(cpu)


def test_every_case_of_the_mix_was_measured() -> None:
    assert set(months.MIX) <= set(cost.measured()[0])


def test_a_duplicated_event_costs_nothing_at_rekognition_and_starts_nothing() -> None:
    duplicate = cost.measured()[0]["duplicate event"]
    assert (duplicate.total("rekognition"), duplicate.states) == (0, [])


def test_our_functions_read_an_object_once() -> None:
    facts, _ = cost.measured()
    assert {name: fact.total("s3", "GetObject") for name, fact in facts.items() if fact.states} == {
        name: 1 for name, fact in facts.items() if fact.states
    }


@pytest.mark.parametrize("line", cost.LINES)
def test_every_line_has_its_prices(line: str) -> None:
    assert set(cost.LINES[line]) <= set(price_list())


def test_every_custom_metric_is_found() -> None:
    assert {"ImagesAnalyzed", "AlertsSent", "ImagesFailed"} <= months.metrics()
