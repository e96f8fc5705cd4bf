"""Api Labels: completes labels with counts of the images that a viewer may see."""

from __future__ import annotations

import pytest

from tests.api_events import OTHER_SUB, SUB, claims

from .api import OPERATORS, call
from .api_images import add_count
from .conftest import Stack


@pytest.fixture(autouse=True)
def counts(stack: Stack) -> None:
    for viewer, name, images in (
        (SUB, "Train", 2), (SUB, "Traffic Light", 7), (SUB, "Car", 1), (SUB, "Tram", 0),
        (OTHER_SUB, "Trampoline", 3), ("operators", "Train", 5), ("operators", "Trampoline", 3),
    ):  # fmt: skip
        add_count(stack, viewer, f"label:{name.lower()}", name, images)
    add_count(stack, SUB, "source:train", "train", 2)


def test_labels_are_those_of_the_viewers_images(stack: Stack) -> None:
    mine = [{"Name": "Traffic Light", "Images": 7}, {"Name": "Train", "Images": 2}]
    assert call(stack, "GET", "/labels", {"prefix": "Tra"}).body == {"Labels": mine}
    assert call(stack, "GET", "/labels", {"prefix": "tra"}, user=claims(OTHER_SUB)).body == {
        "Labels": [{"Name": "Trampoline", "Images": 3}]
    }
    operators = [{"Name": "Train", "Images": 5}, {"Name": "Trampoline", "Images": 3}]
    assert call(stack, "GET", "/labels", {"prefix": "tr"}, user=OPERATORS).body == {"Labels": operators}


def test_without_a_prefix_all_labels_are_listed_up_to_the_limit(stack: Stack) -> None:
    assert [one["Name"] for one in call(stack, "GET", "/labels").body["Labels"]] == ["Car", "Traffic Light", "Train"]
    assert [one["Name"] for one in call(stack, "GET", "/labels", {"limit": 1}).body["Labels"]] == ["Car"]


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 1001}, {"prefix": "x" * 101}, {"prefix": "\x00"}, {"q": "car"}])
def test_other_parameters_are_refused(stack: Stack, query: dict[str, str]) -> None:
    assert call(stack, "GET", "/labels", query).status == 400
