"""Recognition through the running stack with the embedded models. Without them these tests are skipped, and say so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.emulator.rekognition.models.catalogue import EMBEDDED
from local.emulator.rekognition.models.folder import ModelsFolder, default_folder

from .pipeline import Pipeline
from .running_stack import started

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    absent = [model.name for model in EMBEDDED if not ModelsFolder(default_folder()).has(model)]
    if absent:
        pytest.skip(f"not installed in {default_folder()}: {', '.join(absent)}. Run make eyes")
    with started(tmp_path_factory.mktemp("seeing"), "--eyes", "full") as stack:
        yield Pipeline(stack)


def test_a_thing_is_recorded_with_its_box_and_moderation_with_its_scope(seeing: Pipeline) -> None:
    record = seeing.ended(seeing.upload((SAMPLES / "coffee-cup.webp").read_bytes(), "coffee.webp"), seconds=180)
    labels = {label["Name"]: label for label in record["Labels"]}
    assert len(labels["Cup"]["Instances"]) == 1
    assert record["Moderation"] == {
        "Status": "CHECKED",
        "Scope": "explicit content only",
        "Labels": [],
        "ModelVersion": "local-open-nsfw-1.0 (explicit content only)",
    }
    assert record["ModelVersions"]["Labels"].startswith("local-opencv-1+nanodet")


def test_a_damaged_model_stops_the_start_with_one_sentence(tmp_path: Path) -> None:
    models = tmp_path / "models"
    folder = ModelsFolder(models)
    folder.add(EMBEDDED[0], b"weights")
    (models / EMBEDDED[0].file).write_bytes(b"other weights")
    state = tmp_path / "state"
    state.mkdir()
    sentence = r"Imagewatch can't start: The model file .* is damaged or was exchanged"
    with pytest.raises(AssertionError, match=sentence), started(state, "--eyes", "full", "--models", str(models)):
        pytest.fail("the stack started with a damaged model")
