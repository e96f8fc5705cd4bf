"""The engine's options, the same for the separate server and for every program that runs the emulator."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

from local.emulator.rekognition.engine import Engine
from local.emulator.rekognition.errors import EngineSetup
from local.emulator.rekognition.models.folder import default_folder
from local.emulator.rekognition.onnx_model import Colour, Normalisation

SMALL, FULL = "small", "full"
EYES_VARIABLE = "EYES"


@dataclass(frozen=True)
class EngineOptions:
    """What an engine is made from. `models` is the folder with the embedded models, None for OpenCV's cascades alone."""

    recorded: Path | None = None
    model: Path | None = None
    labels: Path | None = None
    normalisation: Normalisation | None = None
    models: Path | None = None

    def engine(self) -> Engine:
        """Returns the engine. Raises EngineSetup, with what to do, when it can't be made."""
        if self.labels and not self.model:
            raise EngineSetup("--labels names the classes of a --model. Pass both.")
        if self.normalisation and not self.model:
            raise EngineSetup("--mean and --deviation describe the input of a --model. Pass both.")
        return Engine(self.recorded, self.model, self.labels, normalisation=self.normalisation, models=self.models)


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Adds the engine's options. EYES in the environment is the default of --eyes."""
    add = parser.add_argument_group("recognition").add_argument
    add(
        "--recorded", type=Path, metavar="FOLDER", help="A folder with recorded Rekognition answers, <SHA-256 of the image>.json."
    )
    add(
        "--model",
        type=Path,
        metavar="FILE",
        help="An ONNX detector or classifier whose labels join those of the embedded models.",
    )
    add("--labels", type=Path, metavar="FILE", help="The class names of --model, one a line or as JSON.")
    add("--mean", type=_colour, metavar="R,G,B", help="The mean that a --model classifier subtracts (0-1). Default: ImageNet's.")
    add("--deviation", type=_colour, metavar="R,G,B", help="The deviation that it divides by (0-1). Default: ImageNet's.")
    eyes = os.environ.get(EYES_VARIABLE) or FULL
    help_text = f"{SMALL}: OpenCV's cascades alone. {FULL}: the embedded models too, where they are installed. Default: {eyes}."
    add("--eyes", choices=(SMALL, FULL), default=eyes, help=help_text)
    add("--models", type=Path, default=default_folder(), metavar="FOLDER", help="The folder with the embedded models.")


def engine_options(options: argparse.Namespace) -> EngineOptions:
    """Returns the engine's options from a parsed command line. Raises EngineSetup for an unknown value of EYES."""
    if options.eyes not in (SMALL, FULL):
        raise EngineSetup(f"{EYES_VARIABLE} is {options.eyes!r}. It must be {SMALL} or {FULL}.")
    usual = Normalisation()
    own = Normalisation(options.mean or usual.mean, options.deviation or usual.deviation)
    return EngineOptions(
        recorded=options.recorded,
        model=options.model,
        labels=options.labels,
        normalisation=own if options.mean or options.deviation else None,
        models=None if options.eyes == SMALL else options.models,
    )


def _colour(text: str) -> Colour:
    try:
        red, green, blue = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} isn't three numbers, such as 0.5,0.5,0.5") from None
    return red, green, blue
