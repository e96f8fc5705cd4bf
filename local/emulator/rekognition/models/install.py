"""Installs the embedded models: fetches each from its package, verifies it, and converts it to ONNX.

One model's failure doesn't stop the others: without NanoDet, for instance, the classifier still works.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from local.emulator.rekognition.errors import ModelFileError
from local.emulator.rekognition.models import npm_package
from local.emulator.rekognition.models.catalogue import EFFICIENTNET, EMBEDDED, NANODET, OPENNSFW, EmbeddedModel
from local.emulator.rekognition.models.folder import ModelsFolder

Maker = Callable[[EmbeddedModel], bytes]


def install(folder: ModelsFolder) -> list[str]:
    """Installs each model that is missing or damaged. Returns one sentence for each that couldn't be installed."""
    makers: dict[EmbeddedModel, Maker] = {NANODET: _nanodet, EFFICIENTNET: _efficientnet, OPENNSFW: _opennsfw}
    problems = []
    for model in EMBEDDED:
        if folder.is_intact(model):
            continue
        try:
            folder.add(model, makers[model](model))
        except (npm_package.NpmRefused, ModelFileError, ImportError, OSError) as error:
            problems.append(f"{model.name} is not installed: {' '.join(str(error).split())}")
    return problems


def _nanodet(model: EmbeddedModel) -> bytes:
    from local.emulator.rekognition.models import tfjs_graph

    with tempfile.TemporaryDirectory(prefix="rekognition-models-") as name:
        scratch = Path(name)
        tarball = _fetch_with_bar(model, scratch)
        weights, graph = npm_package.unpack(tarball, model.sources, scratch)
        return bytes(tfjs_graph.convert(graph, weights).SerializeToString())


def _fetch_with_bar(model: EmbeddedModel, scratch: Path) -> Path:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(f"Fetching {model.name} (once)", total=npm_package.TARBALL_BYTES)
        tarball = npm_package.fetch(npm_package.PACKAGE, scratch, lambda count: progress.update(task, completed=count))
        progress.update(task, completed=npm_package.TARBALL_BYTES)
    return tarball


def _efficientnet(model: EmbeddedModel) -> bytes:
    from local.emulator.rekognition.models import efficientnet_lite

    return bytes(efficientnet_lite.build(_installed_file(model)).SerializeToString())


def _opennsfw(model: EmbeddedModel) -> bytes:
    return _installed_file(model).read_bytes()


def _installed_file(model: EmbeddedModel) -> Path:
    """Returns the weights inside an installed Python package, without importing it. Raises ModelFileError."""
    (source,) = model.sources
    package, _, inside = source.path.partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModelFileError(f"The package is missing ({model.package}). Install it with: pip install -r requirements/eyes.txt")
    path = Path(spec.submodule_search_locations[0]) / inside
    npm_package.check(path, source)
    return path
