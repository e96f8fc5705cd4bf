"""The labelled photos of the benchmark, and how its right and wrong labels are counted."""

from __future__ import annotations

import re
import struct
from typing import Any

import pytest

from bench.eyes.fit import Box, fit
from bench.eyes.photos import Photo, _qt_resources, labelled
from bench.eyes.scores import right_labels, score
from local.emulator.rekognition import taxonomy


def test_the_list_has_at_least_100_photos_with_known_labels_in_both_halves() -> None:
    photos = labelled()
    assert len(photos) >= 100
    assert 0.4 < sum(photo.is_for_fitting for photo in photos) / len(photos) < 0.6
    assert {name for photo in photos for name in (*photo.needed, *photo.accepted)} <= taxonomy._table().keys()
    assert len({photo.sha256 for photo in photos}) == len(photos)
    assert all(re.fullmatch(r"(pypi \S+==\S+|npm \S+@\S+|apt \S+)", photo.package) for photo in photos)


def photo(name: str, needed: tuple[str, ...], accepted: tuple[str, ...] = ()) -> Photo:
    return Photo(name, "pypi package==1", "photo.jpg", "0" * 64, needed, accepted)


def labels(**confidences: float) -> list[dict[str, Any]]:
    return [{"Name": name, "Confidence": confidence} for name, confidence in confidences.items()]


def test_the_ancestors_of_a_right_label_are_right() -> None:
    assert {"Dog", "Pet", "Canine", "Mammal", "Animal", "Person"} <= right_labels(photo("one", ("Dog",), ("Person",)))


def test_only_the_most_specific_labels_count_and_each_mistake_is_listed() -> None:
    answers = [
        (photo("good", ("Dog",)), labels(Dog=90, Canine=90, Pet=90, Mammal=90, Animal=90)),
        (photo("bad", ("Cat", "Person")), labels(Horse=70, Mammal=70, Animal=70, Person=40)),
        (photo("empty", ()), []),
    ]
    result = score(answers, 50)
    assert (result.reported, result.right, result.needed, result.found) == (2, 1, 3, 1)
    assert (result.precision, result.recall, result.without_label) == (0.5, pytest.approx(1 / 3), 1)
    assert result.mistakes == ["bad: wrong: Horse 70, missed: Cat, missed: Person"]


def test_the_fit_finds_that_higher_scores_and_more_evidence_are_more_often_right() -> None:
    boxes = [Box(score / 100, None, score > 60) for score in range(30, 90)]
    boxes += [Box(0.5, evidence / 100, evidence > 20) for evidence in range(0, 100, 2)]
    coefficients = fit(boxes)
    assert coefficients["score_alone"][1] > 0
    assert coefficients["with_evidence"][2] > 0


def test_a_file_is_read_out_of_a_qt_resource_archive() -> None:
    names = b"".join(struct.pack(">HI", len(name), 0) + name.encode("utf-16-be") for name in ("folder", "a.webp"))
    folder_name, file_name = 0, 2 + 4 + 2 * len("folder")
    payload = struct.pack(">I", 5) + b"photo"
    header = 24
    data, names_at, tree = header, header + len(payload), header + len(payload) + len(names)

    def node(name: int, flags: int, first: int, second: int) -> bytes:
        return struct.pack(">IHIIQ", name, flags, first, second, 0)

    nodes = node(0, 2, 1, 1) + node(folder_name, 2, 1, 2) + node(file_name, 0, 0, 0)
    archive = b"qres" + struct.pack(">5I", 3, tree, data, names_at, 0) + payload + names + nodes
    assert _qt_resources(archive) == {"/folder/a.webp": b"photo"}
