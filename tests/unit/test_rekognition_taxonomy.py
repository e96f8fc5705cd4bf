"""The vocabulary of the embedded engine: a table that must hold together."""

from __future__ import annotations

import pytest

from local.emulator.rekognition import classifier, object_detector, taxonomy, verification


@pytest.mark.parametrize("label", sorted(taxonomy._table()))
def test_each_label_names_every_ancestor_once_and_never_itself(label: str) -> None:
    parents = taxonomy.term(label).parents
    assert len(parents) == len(set(parents))
    assert label not in parents


def test_a_cat_is_a_mammal_a_pet_and_an_animal() -> None:
    assert taxonomy.term("Cat").parents == ("Mammal", "Pet", "Animal")


# Labels at the top of their branch: everything else belongs to one of them, or to a label below it.
TOP_LABELS = {
    "Accessories", "Animal", "Architecture", "Armor", "Barcode", "Clothing", "Cosmetics", "Electronics", "Fitness",
    "Food", "Furniture", "Game", "Home Decor", "Household Object", "Indoors", "Kitchenware",
    "Laboratory Equipment", "Leisure Activities", "Machine", "Medical Equipment", "Office Supplies", "Outdoors",
    "Person", "Personal Care", "Plant", "Publication", "QR Code", "Sport", "Symbol", "Text", "Tool", "Toy",
    "Transportation", "Weapon",
}  # fmt: skip
# Rekognition's own names for its categories (developer guide, "Label categories").
CATEGORIES = {
    "Animals and Pets", "Apparel and Accessories", "Beauty and Personal Care", "Buildings and Architecture", "Education",
    "Everyday Objects", "Food and Beverage", "Furniture and Furnishings", "Health and Fitness", "Hobbies and Interests",
    "Home Appliances", "Home and Indoors", "Kitchen and Dining", "Nature and Outdoors", "Offices and Workspaces",
    "Person Description", "Plants and Flowers", "Public Safety", "Sports", "Symbols and Flags", "Technology and Computing",
    "Text and Documents", "Tools and Machinery", "Toys and Gaming", "Transport and Logistics", "Travel and Adventure",
    "Vehicles and Automotive", "Weapons and Military",
}  # fmt: skip


def test_every_label_has_a_known_category_and_a_parent_unless_it_is_at_the_top() -> None:
    table = taxonomy._table()
    assert {entry["category"] for entry in table.values()} <= CATEGORIES
    assert {label for label, entry in table.items() if not entry.get("parents")} <= TOP_LABELS
    assert {parent for entry in table.values() for parent in entry.get("parents", ())} <= table.keys()


def test_every_class_of_every_embedded_model_has_a_label_in_the_table() -> None:
    coco = object_detector.LABELS_FILE.read_text().splitlines()
    assert (len(coco), len(classifier.class_labels())) == (80, 1000)
    assert {*coco, *classifier.class_labels()} <= taxonomy._table().keys()


def test_a_name_of_a_model_means_one_label() -> None:
    labels_of: dict[str, set[str]] = {}
    for label, entry in taxonomy._table().items():
        for name in (label, *entry.get("aliases", ()), *entry.get("also", ())):
            labels_of.setdefault(name.lower(), set()).add(label)
    assert {name: labels for name, labels in labels_of.items() if len(labels) > 1} == {}


@pytest.mark.parametrize(
    ("index", "label", "ancestor"),
    [
        (21, "Kite Bird", "Bird"),  # not the toy
        (134, "Crane Bird", "Bird"),
        (517, "Construction Crane", "Architecture"),
        (282, "Tabby", "Cat"),
        (263, "Pembroke Welsh Corgi", "Dog"),
        (504, "Coffee Cup", "Tableware"),
        (657, "Missile", "Weapon"),
        (817, "Sports Car", "Transportation"),
        (950, "Orange", "Fruit"),
    ],
)
def test_a_class_of_imagenet_is_mapped_by_its_index(index: int, label: str, ancestor: str) -> None:
    assert classifier.class_labels()[index] == label
    assert taxonomy.is_a(label, ancestor)


def test_every_lookalike_is_a_class_that_does_not_belong_to_the_label() -> None:
    for label, names in verification.LOOKALIKES.items():
        assert label in object_detector.LABELS_FILE.read_text().splitlines()
        assert all(classifier.classes_of(name) and not taxonomy.is_a(name, label) for name in names)
