"""Joins what several detectors say of one picture: each thing is reported once, and an animal's face isn't a person."""

from __future__ import annotations

from local.emulator.rekognition import taxonomy
from local.emulator.rekognition.detections import Box, Detection, strongest

OVERLAP = 0.45  # from here on two boxes of one label are one thing
FACE_INSIDE = 0.7  # the share of a face inside the box of the person, or of the animal, that it belongs to
CERTAIN_ANIMAL = 50.0  # the confidence from which the faces in an animal's box belong to the animal
CERTAIN_FACE = 90.0  # the confidence from which a face counts although NanoDet saw no person there


def merge(cascades: list[Detection], models: list[Detection], *, objects: bool) -> list[Detection]:
    """Joins the cascades' faces, cats and QR codes with what the models found; `objects`: NanoDet is one of them.

    A face on an animal is dropped. A face in a person's box makes that person at least as certain as the face is; a face
    outside each of them is another person.
    """
    faces = people_faces([each for each in cascades if each.name == "Face"], models, objects=objects)
    others = [each for each in cascades if each.name != "Face"]
    people = [each for each in models if each.name == "Person"]
    rest = [each for each in models if each.name != "Person"]
    for face in faces:
        people = _with_face(people, face)
    heads = [face._replace(name="Head") for face in faces]
    return strongest([*faces, *heads, *people, *rest, *others], OVERLAP)


def people_faces(faces: list[Detection], models: list[Detection], *, objects: bool) -> list[Detection]:
    """Returns the faces of people: not those on animals and, where NanoDet looked too, no uncertain one without a person."""
    people = [each for each in models if each.name == "Person"]
    certain = [face for face in faces if not objects or face.confidence >= CERTAIN_FACE or _held(face, people)]
    return [face for face in certain if not is_on_animal(face, models)]


def is_on_animal(face: Detection, models: list[Detection]) -> bool:
    """Returns whether a face belongs to an animal that a model found, and to no person."""
    if _held(face, [each for each in models if each.name == "Person"]):
        return False
    animals = [each for each in models if each.confidence >= CERTAIN_ANIMAL and taxonomy.is_a(each.name, "Animal")]
    # Without a box the classifier speaks of the whole picture.
    return any(each.box is None or _holds(each.box, face.box) for each in animals)


def _with_face(people: list[Detection], face: Detection) -> list[Detection]:
    holders = [each for each in people if _holds(each.box, face.box)]
    if not holders:
        return [*people, face._replace(name="Person")]
    owner = min(holders, key=lambda each: _area(each.box))
    raised = owner._replace(confidence=max(owner.confidence, face.confidence))
    return [raised if each is owner else each for each in people]


def _held(face: Detection, people: list[Detection]) -> bool:
    return any(_holds(person.box, face.box) for person in people)


def _holds(outer: Box | None, inner: Box | None) -> bool:
    return outer is not None and inner is not None and inner.share_inside(outer) >= FACE_INSIDE


def _area(box: Box | None) -> float:
    return box.width * box.height if box else 1.0
