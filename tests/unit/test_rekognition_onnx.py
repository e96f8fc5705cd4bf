"""A user's own ONNX model: tiny graphs whose answers depend on the picture in a known way."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save
from PIL import Image

from local.emulator.rekognition import Engine
from local.emulator.rekognition.errors import EngineSetup
from local.emulator.rekognition.onnx_layouts import layout_of
from local.emulator.rekognition.onnx_model import Normalisation, OnnxModel

SIDE = 64
COLOURS = ["red apple", "cell phone", "car"]  # the classes of a model that distinguishes red, green and blue
Save = Callable[..., Path]


@pytest.fixture
def saved(tmp_path: Path) -> Save:
    """Save a graph: nodes from `image` (and `means`, the mean of each channel, [1, 3]) to the outputs."""

    def write(
        outputs: dict[str, list[int] | None],
        nodes: list[Any],
        constants: dict[str, Any] | None = None,
        names: object = COLOURS,
        shape: tuple[Any, ...] = (1, 3, SIDE, SIDE),
    ) -> Path:
        graph = helper.make_graph(
            [helper.make_node("ReduceMean", ["image"], ["means"], axes=[2, 3], keepdims=0), *nodes],
            "tiny",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, sides) for name, sides in outputs.items()],
            [numpy_helper.from_array(np.array(value), name) for name, value in (constants or {}).items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        if names is not None:
            helper.set_model_props(model, {"names": str(names)})
        path = tmp_path / "tiny.onnx"
        save(model, path)
        return path

    return write


def f32(*rows: Any) -> Any:
    return np.array(rows, dtype="float32")


def yolo(saved: Save, **options: Any) -> Path:
    """Two boxes on the same spot; each class scores as the mean of its channel."""
    boxes = f32([[32, 32], [32, 34], [16, 16], [16, 16]])  # cx, cy, w, h of the two
    nodes = [
        helper.make_node("Unsqueeze", ["means", "last"], ["column"]),
        helper.make_node("Expand", ["column", "size"], ["scores"]),
        helper.make_node("Concat", ["boxes", "scores"], ["output0"], axis=1),
    ]
    constants = {"boxes": boxes, "last": np.array([2]), "size": np.array([1, 3, 2])}
    return saved({"output0": [1, 7, 2]}, nodes, constants, **options)


def plain(colour: str, width: int = 200, height: int = 200) -> Image.Image:
    return Image.new("RGB", (width, height), colour)


def test_a_yolo_is_fed_a_grey_letterbox_of_rgb_from_0_to_1(saved: Save) -> None:
    found = OnnxModel(yolo(saved)).see(plain("red", 200, 100))
    assert [each.name for each in found] == ["Red Apple"]
    assert found[0].confidence == pytest.approx(100 * (0.5 + 0.5 * 114 / 255), abs=0.1)


def test_a_yolos_boxes_are_ratios_of_the_picture_without_its_letterbox(saved: Save) -> None:
    (found,) = OnnxModel(yolo(saved)).see(plain("lime", 200, 100))
    assert found.name == "Mobile Phone"
    assert found.box == pytest.approx((24 / 64, (24 - 16) / 32, 16 / 64, 16 / 32))


def test_the_labels_of_a_model_carry_ancestors_and_the_models_own_version(saved: Save) -> None:
    path = yolo(saved)
    buffer = io.BytesIO()
    plain("blue").save(buffer, "PNG")
    request = {"Image": {"S3Object": {"Bucket": "photos", "Name": "a.png"}}}
    _, answer = Engine(model=path).handle("DetectLabels", request, lambda bucket, key, version: buffer.getvalue())
    assert {label["Name"] for label in answer["Labels"]} == {"Car", "Vehicle", "Transportation"}
    assert answer["LabelModelVersion"].startswith("onnx-tiny.onnx-")


def test_a_model_does_not_moderate(saved: Save) -> None:
    buffer = io.BytesIO()
    plain("blue").save(buffer, "PNG")
    request = {"Image": {"S3Object": {"Bucket": "photos", "Name": "a.png"}}}
    engine = Engine(model=yolo(saved))
    _, answer = engine.handle("DetectModerationLabels", request, lambda bucket, key, version: buffer.getvalue())
    assert answer["ModerationModelVersion"] == "none"


def constant(outputs: dict[str, Any]) -> tuple[dict[str, list[int]], list[Any], dict[str, Any]]:
    """Outputs that don't depend on the picture (but on a model that runs)."""
    nodes = [helper.make_node("Identity", [f"{name}_value"], [name]) for name in outputs]
    shapes = {name: list(value.shape) for name, value in outputs.items()}
    return shapes, nodes, {f"{name}_value": value for name, value in outputs.items()}


def test_an_end_to_end_model_gives_corners_score_and_class(saved: Save) -> None:
    rows = f32([[0, 16, 32, 48, 0.9, 2], [8, 20, 24, 30, 0.01, 1]])
    (found,) = OnnxModel(saved(*constant({"output0": rows}))).see(plain("red", 200, 100))
    assert (found.name, found.confidence) == ("Car", pytest.approx(90))
    assert found.box == pytest.approx((0, 0, 0.5, 1))


@pytest.mark.parametrize("nothing", [True, False])
def test_a_detr_gives_logits_and_centred_boxes(saved: Save, nothing: bool) -> None:
    boxes = f32([[0.5, 0.5, 0.2, 0.4], [0.1, 0.1, 0.1, 0.1]])
    logits = f32([[-9, 4, -9, 0][: 3 + nothing], [-9, -9, -9, 9][: 3 + nothing]])
    (found,) = OnnxModel(saved(*constant({"logits": logits, "pred_boxes": boxes}))).see(plain("red"))
    assert found.name == "Mobile Phone"
    assert found.confidence == pytest.approx(98.2, abs=0.1)
    assert found.box == pytest.approx((0.4, 0.3, 0.2, 0.4), abs=1e-6)


@pytest.mark.parametrize(("colour", "label"), [("red", "Red Apple"), ("lime", "Mobile Phone"), ("blue", "Car")])
def test_a_classifier_is_fed_imagenets_mean_and_deviation(saved: Save, colour: str, label: str) -> None:
    path = saved({"logits": [1, 3]}, [helper.make_node("Identity", ["means"], ["logits"])])
    found = OnnxModel(path).see(plain(colour))
    logits = [(value / 255 - mean) / deviation for value, mean, deviation in zip(*RGB[colour], strict=True)]
    powers = np.exp(logits)
    assert (found[0].name, found[0].box) == (label, None)
    assert found[0].confidence == pytest.approx(100 * max(powers) / sum(powers), abs=0.1)


MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RGB = {name: (value, MEAN, DEVIATION) for name, value in {"red": (255, 0, 0), "lime": (0, 255, 0), "blue": (0, 0, 255)}.items()}


def test_probabilities_are_not_squashed_twice(saved: Save) -> None:
    found = OnnxModel(saved(*constant({"probabilities": f32([0.7, 0.3, 0.0])}))).see(plain("red"))
    assert [(each.name, round(each.confidence)) for each in found] == [("Red Apple", 70), ("Mobile Phone", 30)]


def test_a_model_with_open_sides_gets_the_usual_ones(saved: Save) -> None:
    path = saved({"logits": [1, 3]}, [helper.make_node("Identity", ["means"], ["logits"])], shape=("batch", 3, "height", "width"))
    assert OnnxModel(path).see(plain("blue"))[0].name == "Car"


@pytest.mark.parametrize("text", ["person\ndog\ncat\n", '["person", "dog", "cat"]', '{"0": "person", "1": "dog", "2": "cat"}'])
def test_a_labels_file_names_the_classes(saved: Save, tmp_path: Path, text: str) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text(text)
    assert OnnxModel(yolo(saved, names=None), labels).see(plain("lime"))[0].name == "Dog"


def test_a_class_without_a_name_is_never_reported(saved: Save) -> None:
    assert OnnxModel(yolo(saved, names={0: "dog", 2: "cat"})).see(plain("lime")) == []


def test_metadata_is_read_as_data_and_never_run(saved: Save, tmp_path: Path) -> None:
    path = yolo(saved, names=f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(EngineSetup, match="metadata can't be read"):
        OnnxModel(path)
    assert not (tmp_path / "ran").exists()


def test_a_model_without_class_names_asks_for_them(saved: Save) -> None:
    with pytest.raises(EngineSetup, match="--labels"):
        OnnxModel(yolo(saved, names=None))


@pytest.mark.parametrize(
    ("shapes", "reason"),
    [
        ([(1, 300, 8)], "objectness"),
        ([(1, 84, 8400)], "with 3 class names a YOLO has the shape \\[1, 7, N\\]"),
        ([(1, 1000)], "1000 classes, but there are 3 class names"),
        ([(1, 32, 160, 160)], "no detector or classifier"),
        ([(1, 7, 8400), (1, 32, 160, 160)], "several outputs"),
        ([(1, 100, 92), (1, 100, 4)], "3 or 4 logits"),
        ([(1, 100, 4), (1, 100, 4)], "3 or 4 logits"),
        ([(2, 7, 100)], "one image at a time"),
    ],
)
def test_a_layout_that_is_not_known_is_refused_with_a_reason(shapes: list[tuple[int, ...]], reason: str) -> None:
    with pytest.raises(EngineSetup, match=reason):
        layout_of([(f"output{place}", shape) for place, shape in enumerate(shapes)], classes=3)


@pytest.mark.parametrize(
    ("shapes", "layout"),
    [
        ([(1, 84, 8400)], "yolo"),
        ([(1, 300, 6)], "end-to-end"),
        ([(1, 100, 81), (1, 100, 4)], "detr"),
        ([(1, 100, 4), (1, 100, 80)], "detr"),
        ([(1, 80)], "classifier"),
    ],
)
def test_a_known_layout_is_recognised_by_its_shapes(shapes: list[tuple[int, ...]], layout: str) -> None:
    assert layout_of([(f"output{place}", shape) for place, shape in enumerate(shapes)], classes=80) == layout


def test_an_input_that_is_no_image_is_refused(saved: Save) -> None:
    path = saved({"logits": [1]}, [helper.make_node("Identity", ["means"], ["logits"])], shape=(1, 4, SIDE, SIDE))
    with pytest.raises(EngineSetup, match=r"\[1, 3, H, W\]"):
        OnnxModel(path)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_text(json.dumps({"not": "onnx"}))
    with pytest.raises(EngineSetup, match="can't be loaded"):
        OnnxModel(broken)
    with pytest.raises(EngineSetup, match="no model at"):
        OnnxModel(tmp_path / "absent.onnx")


def test_without_onnxruntime_the_cure_is_named(saved: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(EngineSetup, match="pip install onnxruntime"):
        OnnxModel(yolo(saved))


def test_a_classifier_can_have_its_own_mean_and_deviation(saved: Save) -> None:
    path = saved({"logits": [1, 3]}, [helper.make_node("Identity", ["means"], ["logits"])])
    half = Normalisation((0.5, 0.5, 0.5), (0.25, 0.5, 1.0))
    powers = np.exp(np.array([(1 - 0.5) / 0.25, (0 - 0.5) / 0.5, (0 - 0.5) / 1.0]))
    found = OnnxModel(path, normalisation=half).see(plain("red"))
    assert found[0].confidence == pytest.approx(100 * max(powers) / sum(powers), abs=0.1)


def test_an_end_to_end_model_that_repeats_a_thing_is_counted_once(saved: Save) -> None:
    rows = f32([[0, 16, 32, 48, 0.9, 2], [1, 16, 32, 48, 0.8, 2], [40, 16, 60, 48, 0.7, 2], [0, 16, 32, 48, 0.6, 1]])
    found = OnnxModel(saved(*constant({"output0": rows}))).see(plain("red", 200, 100))
    assert [(each.name, round(each.confidence)) for each in found] == [("Car", 90), ("Car", 70), ("Mobile Phone", 60)]


def answer_of(engine: Engine, sample: str) -> dict[str, Any]:
    content = (Path(__file__).parents[2] / "samples" / sample).read_bytes()
    request = {"Image": {"S3Object": {"Bucket": "samples", "Name": sample}}, "MinConfidence": 0}
    status, answer = engine.handle("DetectLabels", request, lambda bucket, key, version: content)
    assert status == 200, answer
    return answer


def test_a_model_joins_the_embedded_detectors_and_does_not_replace_them(saved: Save) -> None:
    rows = f32([[0, 16, 32, 48, 0.9, 2]])
    answer = answer_of(Engine(model=saved(*constant({"output0": rows}))), "qr-code-poster-on-wall.jpg")
    assert {"QR Code", "Car", "Vehicle", "Transportation"} == {label["Name"] for label in answer["Labels"]}
    assert answer["LabelModelVersion"].endswith("+local-opencv-1")


def test_boxes_of_5_percent_are_no_further_people(saved: Save) -> None:
    rows = f32([[x, 16, x + 8, 48, score, 0] for x, score in ((0, 0.998), (20, 0.05), (36, 0.07), (52, 0.3))])
    model = saved(*constant({"output0": rows}), names=["person", "car", "dog"])
    labels = {label["Name"]: label for label in answer_of(Engine(model=model), "goldfish.jpg")["Labels"]}
    assert (len(labels["Person"]["Instances"]), round(labels["Person"]["Confidence"], 1)) == (1, 99.8)
