"""The folder with the installed models. Each file's SHA-256 is written down at installation and checked at each start."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

from local.emulator.rekognition.errors import ModelFileError
from local.emulator.rekognition.models.catalogue import EmbeddedModel

INDEX = "sha256.json"


def default_folder() -> Path:
    """Returns the models folder of this Python environment: models are installed like packages."""
    return Path(sys.prefix) / "share" / "rekognition-models"


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class ModelsFolder:
    """Reads and writes one folder of models."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def has(self, model: EmbeddedModel) -> bool:
        """Returns whether the model was installed here; it doesn't read the file."""
        return (self.path / model.file).is_file() and model.file in self._index()

    def verified(self, model: EmbeddedModel) -> Path:
        """Returns the model's path. Raises ModelFileError when the file isn't the one that was installed."""
        path = self.path / model.file
        if sha256_of(path) != self._index().get(model.file):
            raise ModelFileError(
                f"The model file {path} is damaged or was exchanged: its SHA-256 isn't the one written down at installation. "
                f"Delete it and install it again: python -m local.emulator.rekognition.models"
            )
        return path

    def is_intact(self, model: EmbeddedModel) -> bool:
        """Returns whether the model is installed and undamaged."""
        try:
            return self.has(model) and self.verified(model).is_file()
        except ModelFileError:
            return False

    def add(self, model: EmbeddedModel, content: bytes) -> None:
        """Writes a model; the file appears under its name when it is complete."""
        self.path.mkdir(parents=True, exist_ok=True)
        self._replace(model.file, content)
        index = self._index() | {model.file: hashlib.sha256(content).hexdigest()}
        self._replace(INDEX, json.dumps(index, indent=2, sort_keys=True).encode())

    def _replace(self, name: str, content: bytes) -> None:
        partial = self.path / f"{name}.{os.getpid()}.partial"
        partial.write_bytes(content)
        partial.replace(self.path / name)

    def _index(self) -> dict[str, str]:
        try:
            index: dict[str, str] = json.loads((self.path / INDEX).read_text())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise ModelFileError(f"{self.path / INDEX} can't be read ({error}). Delete the folder and install again.") from error
        return index
