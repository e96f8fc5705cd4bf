"""The vocabulary of the embedded engine: a table that must hold together."""

from __future__ import annotations

import pytest

from local.emulator.rekognition import taxonomy


@pytest.mark.parametrize("label", sorted(taxonomy._table()))
def test_each_label_names_every_ancestor_once_and_never_itself(label: str) -> None:
    parents = taxonomy.term(label).parents
    assert len(parents) == len(set(parents))
    assert label not in parents


def test_a_cat_is_a_mammal_a_pet_and_an_animal() -> None:
    assert taxonomy.term("Cat").parents == ("Mammal", "Pet", "Animal")
