"""Runs the engine's parts over the labelled photos: what they find, how long they take, and how much memory they need."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.eyes.photos import Photo, available, labelled
from bench.eyes.scores import score
from bench.tables import Table
from local.emulator.rekognition.detectors import Detectors
from local.emulator.rekognition.eyes import Eyes
from local.emulator.rekognition.labels import labels_from
from local.emulator.rekognition.models.catalogue import EMBEDDED
from local.emulator.rekognition.models.folder import ModelsFolder, default_folder

if TYPE_CHECKING:
    from PIL.Image import Image

FLOORS = (50.0, 60.0, 70.0, 80.0, 90.0)
MISTAKES_FLOOR = 60.0
TIMED_PHOTOS = 12
ROOT = Path(__file__).resolve().parents[2]
# Prints the memory (resident, MB) before and after a part of the engine has analysed one picture.
MEMORY = """
import re, sys
from pathlib import Path
from PIL import Image
from local.emulator.rekognition.cascades import load_opencv
from local.emulator.rekognition.detectors import Detectors
from local.emulator.rekognition.eyes import Eyes
from local.emulator.rekognition.models.folder import ModelsFolder, default_folder
def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
load_opencv()
image = Image.effect_noise((1280, 960), 80).convert("RGB")
cascades = Detectors()
cascades.see(image, cats=True)
before = resident()
if sys.argv[1] == "full":
    eyes = Eyes(ModelsFolder(default_folder()), None)
    eyes.see(image, cascades)
    eyes.moderation_labels(image)
print(before, resident())
"""


@dataclass(frozen=True)
class Analysed:
    """The labels of each photo, from all of the embedded models together."""

    answers: list[tuple[Photo, list[dict[str, Any]]]]
    missing: int


def analyse() -> Analysed:
    """Analyses every photo that can be fetched."""
    photos = labelled()
    eyes, cascades = Eyes(ModelsFolder(default_folder()), None), Detectors()
    answers = [(photo, labels_from(eyes.see(image, cascades))) for photo, image in available(photos)]
    return Analysed(answers, len(photos) - len(answers))


def tables() -> Sequence[Table]:
    """Returns the tables of precision and recall, of mistakes, and of time and memory."""
    folder = ModelsFolder(default_folder())
    if absent := [model.name for model in EMBEDDED if not folder.has(model)]:
        note = f"{', '.join(absent)}: not installed. Run make eyes, then this again."
        return [Table("What the local engine recognises", ["Models"], [], [note])]
    analysed = analyse()
    return [_precision(analysed), _mistakes(analysed), _time_and_memory()]


def _precision(analysed: Analysed) -> Table:
    rows = []
    for half, is_for_fitting in (("reported half", False), ("half that the confidences were fitted on", True)):
        answers = [pair for pair in analysed.answers if pair[0].is_for_fitting == is_for_fitting]
        for floor in FLOORS:
            result = score(answers, floor)
            rows.append(
                [
                    f"{half}, {result.photos} photos, at {floor:.0f}",
                    f"{result.precision:.2f}",
                    f"{result.recall:.2f}",
                    f"{result.right} of {result.reported}",
                    f"{result.found} of {result.needed}",
                    str(result.without_label),
                ]
            )
    columns = ["Photos and confidence", "Precision", "Recall", "Right labels", "Needed labels found", "Photos without a label"]
    notes = [
        "Precision: the share of reported labels that are right. Recall: the share of needed labels that were reported.",
        "Only the most specific labels count: Dog, and not Pet, Mammal and Animal beside it.",
        f"{analysed.missing} photos of the list could not be fetched here.",
    ]
    return Table("What the local engine recognises", columns, rows, notes)


def _mistakes(analysed: Analysed) -> Table:
    result = score(analysed.answers, MISTAKES_FLOOR)
    rows = [[name, said.strip()] for name, _, said in (line.partition(":") for line in result.mistakes)]
    return Table(f"Mistakes at a confidence of {MISTAKES_FLOOR:.0f}", ["Photo", "Mistakes"], rows)


def _time_and_memory() -> Table:
    images = [image for _, image in _some_photos()]
    small, full = Eyes(None, None), Eyes(ModelsFolder(default_folder()), None)
    full.load()
    cascades = Detectors()
    unit = _seconds(lambda image: small.see(image, cascades), images)
    parts: dict[str, Callable[[Image], object]] = {
        "cascades (faces, cats, QR codes)": lambda image: small.see(image, cascades),
        "all labels, with NanoDet and EfficientNet-Lite2": lambda image: full.see(image, cascades),
        "moderation (open_nsfw)": full.moderation_labels,
    }
    rows = []
    for name, look in parts.items():
        seconds = _seconds(look, images)
        rows.append([name, f"{1000 * seconds:.0f} ms", f"{seconds / unit:.2f}"])
    memory = {mode: _memory(mode) for mode in ("small", "full")}
    rows.append(["memory with the cascades alone", f"{memory['small']:.0f} MB", "1.00"])
    rows.append(["memory with all models", f"{memory['full']:.0f} MB", f"{memory['full'] / memory['small']:.2f}"])
    notes = [f"CPU time for an image, the mean of {len(images)} photos. The last column is the ratio to the cascades."]
    return Table("Time and memory of the local engine", ["Part", "Measured", "Ratio"], rows, notes)


def _some_photos() -> list[tuple[Photo, Image]]:
    photos = labelled()
    return list(available(photos[:: max(1, len(photos) // TIMED_PHOTOS)]))


def _seconds(look: Callable[[Image], object], images: list[Image]) -> float:
    look(images[0])  # loads what is loaded once
    start = time.process_time()
    for image in images:
        look(image)
    return (time.process_time() - start) / len(images)


def _memory(mode: str) -> float:
    done = subprocess.run([sys.executable, "-c", MEMORY, mode], cwd=ROOT, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[1])
