"""Reads the weights of a PyTorch file (the format before 1.6) without PyTorch, and without running code from it.

A pickle can name any function of any module. This unpickler knows the four names that plain weights need and refuses
every other one.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from local.emulator.rekognition.errors import ModelFileError

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
STORAGES: dict[str, type[np.generic]] = {"FloatStorage": np.float32, "LongStorage": np.int64}

Array = np.ndarray[Any, Any]


class _Storage(NamedTuple):
    """A block of values that follows the pickles: its key, type and number of values."""

    key: str
    kind: type[np.generic]
    values: int


class _Tensor(NamedTuple):
    """A view into a storage; offset and strides count values, not bytes."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _ClosedUnpickler(pickle.Unpickler):
    """Resolves the four names of a plain state dictionary, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: _Tensor(storage, offset, tuple(shape), tuple(strides))
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise ModelFileError(f"The weights file names {module}.{name}, which plain weights don't need. It was not run.")

    def persistent_load(self, reference: Any) -> _Storage:
        _, kind, key, _, count, _ = reference
        return _Storage(str(key), kind, int(count))


def read_weights(path: Path) -> dict[str, Array]:
    """Returns every tensor by name. Raises ModelFileError for a damaged file and for one that names other functions."""
    with path.open("rb") as file:
        try:
            return _read(file)
        except (pickle.UnpicklingError, EOFError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise ModelFileError(f"{path.name} can't be read as PyTorch weights: {error}") from error


def _read(file: BinaryIO) -> dict[str, Array]:
    if _ClosedUnpickler(file).load() != MAGIC_NUMBER:
        raise ValueError("the magic number is missing")
    for _ in ("protocol version", "sizes of integers"):
        _ClosedUnpickler(file).load()
    tensors: dict[str, _Tensor] = _ClosedUnpickler(file).load()
    kinds = {tensor.storage.key: tensor.storage.kind for tensor in tensors.values()}
    storages: dict[str, Array] = {}
    for key in _ClosedUnpickler(file).load():
        count = int.from_bytes(file.read(8), "little")
        size = count * np.dtype(kinds[key]).itemsize
        content = file.read(size)
        if len(content) != size:
            raise EOFError("the file ends inside the values")
        storages[key] = np.frombuffer(content, kinds[key])
    return {name: _view(tensor, storages[tensor.storage.key]) for name, tensor in tensors.items()}


def _view(tensor: _Tensor, values: Array) -> Array:
    last = tensor.offset + sum((side - 1) * step for side, step in zip(tensor.shape, tensor.strides, strict=True))
    if tensor.offset < 0 or not 0 <= last < len(values):
        raise ValueError("a tensor lies outside its values")
    steps = tuple(step * values.itemsize for step in tensor.strides)
    return np.ascontiguousarray(np.lib.stride_tricks.as_strided(values[tensor.offset :], tensor.shape, steps))
