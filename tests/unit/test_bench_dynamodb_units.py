"""Sizes and rounding of DynamoDB request units, as in its developer guide."""

from __future__ import annotations

import pytest

from bench.dynamodb_units import index_write_units, item_size, read_units, write_units


def test_the_size_of_an_item_is_the_sum_of_its_names_and_values() -> None:
    # The developer guide counts the UTF-8 bytes of names and strings.
    assert item_size({"Label": {"S": "person"}}) == len("Label") + len("person")
    assert item_size({"Größe": {"S": "é"}}) == 7 + 2


@pytest.mark.parametrize(("number", "size"), [("0", 1), ("7", 2), ("99.12", 3), ("-1.5", 3), ("1200", 2), ("0.001", 2)])
def test_a_number_takes_one_byte_for_two_significant_digits_plus_one(number: str, size: int) -> None:
    assert item_size({"N": {"N": number}}) == 1 + size


def test_lists_and_maps_take_three_bytes_plus_one_for_each_element() -> None:
    assert item_size({"L": {"L": [{"S": "ab"}, {"BOOL": True}]}}) == 1 + 3 + (1 + 2) + (1 + 1)
    assert item_size({"M": {"M": {"Left": {"N": "0.5"}}}}) == 1 + 3 + (1 + 4 + 2)


def test_binary_values_count_their_bytes_and_not_their_base64_text() -> None:
    assert item_size({"Photo": {"B": "aGVsbG8="}}) == 5 + len(b"hello")
    assert item_size({"Photo": {"B": b"hello, as boto3 has it"}}) == 5 + len(b"hello, as boto3 has it")
    assert item_size({"Tokens": {"BS": ["aGVsbG8=", "aGk="]}}) == 6 + len(b"hello") + len(b"hi")


def test_an_unknown_type_raises_an_error() -> None:
    with pytest.raises(ValueError, match="type X"):
        item_size({"Photo": {"X": "aGVsbG8="}})


@pytest.mark.parametrize(
    ("before", "after", "units"), [(0, 1, 1), (0, 1024, 1), (0, 1025, 2), (5000, 100, 5), (100, 5000, 5), (3000, 0, 3), (0, 0, 1)]
)
def test_a_write_is_charged_for_the_larger_item_in_whole_kilobytes(before: int, after: int, units: int) -> None:
    assert write_units(before, after) == units


def test_a_read_is_charged_for_the_sum_in_steps_of_four_kilobytes() -> None:
    assert read_units([4096], consistent=True) == 1
    assert read_units([4097], consistent=True) == 2
    assert read_units([2000, 2000], consistent=False) == 0.5
    assert read_units([], consistent=False) == 0.5
    assert read_units([9000], consistent=False) == 1.5


def test_an_index_is_charged_only_when_its_projection_changes() -> None:
    entry, later = {"Owner": {"S": "a"}, "At": {"S": "1"}}, {"Owner": {"S": "a"}, "At": {"S": "2"}}
    keys = ("Owner", "At")
    assert index_write_units(entry, entry, keys) == 0
    assert index_write_units(None, entry, keys) == 1
    assert index_write_units(entry, None, keys) == 1
    assert index_write_units(entry, later, keys) == 2  # a deletion and a put
    assert index_write_units({**entry, "Note": {"S": "x"}}, {**entry, "Note": {"S": "y"}}, keys) == 1
