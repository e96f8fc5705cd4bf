"""The embedded models on the samples: names, places and order. Without the models these tests are skipped, and say so."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from local.emulator.rekognition import Engine, ObjectNotReadable
from local.emulator.rekognition.detections import Box
from local.emulator.rekognition.face_vectors import FaceVectors, similarity
from local.emulator.rekognition.models.catalogue import EMBEDDED
from local.emulator.rekognition.models.folder import ModelsFolder, default_folder
from local.emulator.rekognition.text_reader import TextReader, is_readable

pytestmark = pytest.mark.slow

SAMPLES = Path(__file__).parents[2] / "samples"


def no_objects(bucket: str, key: str, version: str | None) -> bytes:
    raise ObjectNotReadable("these tests send bytes")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    absent = [model.name for model in EMBEDDED if not ModelsFolder(default_folder()).has(model)]
    if absent:
        pytest.skip(f"not installed in {default_folder()}: {', '.join(absent)}. Run make eyes")
    yield Engine(models=default_folder())


@pytest.fixture(scope="module")
def text_engine(engine: Engine) -> Engine:
    if TextReader.if_installed() is None:
        pytest.skip("RapidOCR is not installed. Run make eyes-extras")
    return engine


@pytest.fixture(scope="module")
def face_engine(engine: Engine) -> Engine:
    if FaceVectors.if_installed() is None:
        pytest.skip("dlib and its models are not installed. Run make eyes-extras")
    return engine


def sent(image: Image.Image | str) -> dict[str, str]:
    """An image as a request carries it: a sample by its name, or a picture."""
    buffer = io.BytesIO()
    picture = Image.open(SAMPLES / image) if isinstance(image, str) else image
    picture.save(buffer, "PNG", exif=picture.getexif())
    return {"Bytes": base64.b64encode(buffer.getvalue()).decode()}


def ask(engine: Engine, operation: str, **request: Any) -> dict[str, Any]:
    status, answer = engine.handle(operation, request, no_objects)
    assert status == 200, answer
    return answer


@pytest.mark.parametrize(
    ("sample", "label", "parent", "place"),
    [
        ("astronaut-portrait.jpg", "Person", None, Box(0.03, 0.03, 0.68, 0.97)),
        ("cat-phone-held-sideways.jpg", "Cat", "Animal", Box(0.0, 0.0, 0.97, 1.0)),
        ("coffee-cup.webp", "Cup", "Tableware", Box(0.23, 0.03, 0.48, 0.97)),
        ("photographer-in-park.png", "Person", None, Box(0.0, 0.13, 0.62, 0.87)),
        ("boats-in-harbour.jpg", "Boat", "Vehicle", Box(0.41, 0.17, 0.30, 0.61)),
        ("sheep-on-pasture.jpg", "Sheep", "Livestock", Box(0.3, 0.12, 0.145, 0.25)),
        ("officer-in-uniform.jpg", "Person", None, Box(0.0, 0.03, 0.98, 0.97)),
    ],
)
def test_a_thing_in_a_sample_is_named_and_boxed(engine: Engine, sample: str, label: str, parent: str | None, place: Box) -> None:
    labels = {each["Name"]: each for each in ask(engine, "DetectLabels", Image=sent(sample))["Labels"]}
    boxes = [each["BoundingBox"] for each in labels[label]["Instances"]]
    overlaps = [Box(each["Left"], each["Top"], each["Width"], each["Height"]).overlap(place) for each in boxes]
    assert max(overlaps) > 0.6, boxes
    assert parent is None or parent in labels


@pytest.mark.parametrize(
    ("sample", "label", "ancestors"),
    [
        ("goldfish.jpg", "Goldfish", {"Fish", "Animal"}),
        ("coffee-cup.webp", "Espresso", {"Coffee", "Beverage", "Food"}),
        ("frying-pan-in-kitchen.jpg", "Cookware", {"Kitchenware"}),
        ("volleyball.tiff", "Ball", {"Sports Equipment", "Sport"}),
        ("qr-code-poster-on-wall.jpg", "QR Code", set()),
    ],
)
def test_a_kind_of_thing_is_named_with_its_ancestors(engine: Engine, sample: str, label: str, ancestors: set[str]) -> None:
    labels = ask(engine, "DetectLabels", Image=sent(sample))["Labels"]
    assert {label, *ancestors} <= {each["Name"] for each in labels}
    assert [each["Confidence"] for each in labels] == sorted((each["Confidence"] for each in labels), reverse=True)


def test_people_are_counted_and_each_one_once(engine: Engine) -> None:
    for sample, count in (("portraits-on-pinboard.jpg", 3), ("astronaut-portrait.jpg", 1), ("photographer-in-park.png", 1)):
        labels = {each["Name"]: each for each in ask(engine, "DetectLabels", Image=sent(sample))["Labels"]}
        assert len(labels["Person"]["Instances"]) == count, sample


RIGHT = {
    "astronaut-portrait.jpg": {"Person", "Face", "Head"},
    "boats-in-harbour.jpg": {"Person", "Boat", "Watercraft", "Vehicle", "Transportation"},
    "cat-phone-held-sideways.jpg": {"Cat", "Tabby", "Pet", "Mammal", "Animal"},
    "coffee-cup.webp": {"Cup", "Tableware", "Kitchenware", "Espresso", "Coffee", "Beverage", "Food", "Spoon", "Cutlery"},
    "frying-pan-in-kitchen.jpg": {"Cookware", "Kitchenware", "Frying Pan"},
    "goldfish.jpg": {"Goldfish", "Fish", "Animal"},
    "officer-in-uniform.jpg": {"Person", "Face", "Head", "Tie", "Formal Wear", "Clothing", "Accessories", "Glasses"},
    "photographer-in-park.png": {"Person", "Face", "Head", "Tripod", "Tool", "Camera"},
    "portraits-on-pinboard.jpg": {"Person", "Face", "Head"},
    "qr-code-poster-on-wall.jpg": {"QR Code"},
    "rocket-on-launch-pad.jpg": set(),
    "sheep-on-pasture.jpg": {"Sheep", "Livestock", "Mammal", "Animal"},
    "volleyball.tiff": {"Ball", "Volleyball Ball", "Sport", "Sports Equipment"},
}


@pytest.mark.parametrize("sample", RIGHT)
def test_nothing_false_is_said_of_a_sample_with_confidence(engine: Engine, sample: str) -> None:
    labels = ask(engine, "DetectLabels", Image=sent(sample), MinConfidence=80)["Labels"]
    assert {each["Name"] for each in labels} <= RIGHT[sample]


def test_each_photo_among_the_samples_has_its_right_labels_written_down() -> None:
    rejected = {"tiny-icon.png", "shopping-list.jpg"}
    photos = {path.name for path in SAMPLES.iterdir() if path.suffix not in (".md", ".yaml")}
    assert photos - rejected == RIGHT.keys()


def test_versions_say_what_answered_and_never_rekognitions(engine: Engine) -> None:
    assert ask(engine, "DetectLabels", Image=sent("goldfish.jpg"))["LabelModelVersion"] == engine.label_version
    assert all(model.version in engine.label_version for model in EMBEDDED[:2])
    moderation = ask(engine, "DetectModerationLabels", Image=sent("goldfish.jpg"))
    assert moderation == {"ModerationLabels": [], "ModerationModelVersion": "local-open-nsfw-1.0 (explicit content only)"}


def test_an_explicit_picture_gets_both_levels_of_the_label(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    model = engine._eyes._explicit
    assert model is not None
    monkeypatch.setattr(model, "probability", lambda image: 0.91)
    labels = ask(engine, "DetectModerationLabels", Image=sent("goldfish.jpg"))["ModerationLabels"]
    assert [(each["Name"], each["ParentName"], each["TaxonomyLevel"], each["Confidence"]) for each in labels] == [
        ("Explicit", "", 1, 91.0),
        ("Explicit Nudity", "Explicit", 2, 91.0),
    ]
    assert ask(engine, "DetectModerationLabels", Image=sent("goldfish.jpg"), MinConfidence=95)["ModerationLabels"] == []


def test_a_plain_picture_shows_nothing(engine: Engine) -> None:
    for colour in ("white", "black", "gray"):
        labels = ask(engine, "DetectLabels", Image=sent(Image.new("RGB", (400, 300), colour)), MinConfidence=80)["Labels"]
        assert labels == []


def test_text_is_read_in_lines_and_words(text_engine: Engine) -> None:
    image = Image.new("RGB", (700, 220), "white")
    ImageDraw.Draw(image).text((30, 60), "ENTRANCE 27", fill="black", font_size=80)
    answer = ask(text_engine, "DetectText", Image=sent(image))
    lines = [each for each in answer["TextDetections"] if each["Type"] == "LINE"]
    words = [each for each in answer["TextDetections"] if each["Type"] == "WORD"]
    assert [each["DetectedText"].replace(" ", "") for each in lines] == ["ENTRANCE27"]
    assert words and {each["ParentId"] for each in words} == {lines[0]["Id"]}
    box = lines[0]["Geometry"]["BoundingBox"]
    assert Box(box["Left"], box["Top"], box["Width"], box["Height"]).overlap(Box(0.04, 0.33, 0.75, 0.3)) > 0.5
    assert answer["TextModelVersion"].startswith("local-rapidocr-")


def test_the_poster_of_the_samples_says_visitors(text_engine: Engine) -> None:
    found = ask(text_engine, "DetectText", Image=sent("qr-code-poster-on-wall.jpg"))["TextDetections"]
    assert "VISITORS" in {each["DetectedText"] for each in found}


@pytest.mark.parametrize(
    ("text", "score", "kept"),
    [("A", 0.96, True), ("A", 0.94, False), ("AB", 0.91, True), ("--", 0.91, False), ("AB", 0.89, False)],
)
def test_short_or_uncertain_text_is_left_out(text: str, score: float, kept: bool) -> None:
    assert is_readable(text, score) == kept


def test_a_face_is_found_again_in_another_photo(face_engine: Engine) -> None:
    officer, board = sent("officer-in-uniform.jpg"), sent("portraits-on-pinboard.jpg")
    answer = ask(face_engine, "CompareFaces", SourceImage=officer, TargetImage=board)
    assert (len(answer["FaceMatches"]), len(answer["UnmatchedFaces"])) == (1, 2)
    (match,) = answer["FaceMatches"]
    assert match["Similarity"] > 80
    box = match["Face"]["BoundingBox"]
    assert 0.4 < box["Left"] + box["Width"] / 2 < 0.6  # the portrait in the middle


def test_another_persons_face_does_not_match(face_engine: Engine) -> None:
    one, other = sent("officer-in-uniform.jpg"), sent("astronaut-portrait.jpg")
    assert ask(face_engine, "CompareFaces", SourceImage=one, TargetImage=other)["FaceMatches"] == []
    (unmatched,) = ask(face_engine, "CompareFaces", SourceImage=one, TargetImage=other, SimilarityThreshold=99)["UnmatchedFaces"]
    assert unmatched["Confidence"] > 90


def test_a_source_without_a_face_is_an_invalid_parameter(face_engine: Engine) -> None:
    request = {"SourceImage": sent("goldfish.jpg"), "TargetImage": sent("astronaut-portrait.jpg")}
    status, answer = face_engine.handle("CompareFaces", request, no_objects)
    assert (status, answer["__type"]) == (400, "InvalidParameterException")


def test_the_similarity_falls_with_the_distance_and_is_80_where_one_person_ends() -> None:
    values = [similarity(each) for each in (0.0, 0.3, 0.55, 0.62, 0.9)]
    assert values == sorted(values, reverse=True)
    assert (values[0] > 99, round(values[2]), round(values[3])) == (True, 80, 50)


def test_without_the_extra_comparing_faces_says_what_to_install() -> None:
    request = {"SourceImage": sent("goldfish.jpg"), "TargetImage": sent("goldfish.jpg")}
    _, answer = Engine().handle("CompareFaces", request, no_objects)
    assert answer["__type"] == "UnknownOperationException"
    assert "requirements/eyes-extras.txt" in answer["Message"]
