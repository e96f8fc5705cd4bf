"""Image properties: dominant colours by their CSS names, brightness, sharpness and contrast.

Colours are clustered and named in CIE Lab, where distances agree with human vision: in RGB, beige becomes pink. As in
Rekognition's own answers, a dominant colour is the CSS colour itself, so clusters with the same name are one colour.
"""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from local.emulator.rekognition.cascades import load_opencv

if TYPE_CHECKING:
    from PIL.Image import Image

CLUSTERS = 12
SAMPLE_SIDE = 96  # pixels of the copy that colours are counted on
SHARPNESS_SIDE = 640  # sharpness depends on the scale, so it is always measured on this one
DEFAULT_COLOURS = 10
FAMILIES = Path(__file__).with_name("colour_families.json")


class Palette(NamedTuple):
    """The CSS colours: their names, simplified names, RGB triples, and an [n, 3] array of Lab values."""

    names: list[str]
    families: list[str]
    rgb: list[tuple[int, int, int]]
    lab: Any


def image_properties(image: Image, max_colours: int = DEFAULT_COLOURS) -> dict[str, Any]:
    """Rekognition's ImageProperties of an upright RGB image, without foreground and background (no model segments it)."""
    return {
        "Quality": quality(image, contrast=True),
        "DominantColors": dominant_colours(image, max_colours),
    }


def quality(image: Image, *, contrast: bool = False) -> dict[str, float]:
    """Brightness (mean lightness), Sharpness (energy of the Laplacian) and Contrast (spread of lightness), each 0-100."""
    import numpy as np

    cv2 = load_opencv()
    copy = image.copy()
    copy.thumbnail((SHARPNESS_SIDE, SHARPNESS_SIDE))
    gray = cv2.cvtColor(np.asarray(copy), cv2.COLOR_RGB2GRAY)
    edges = float(cv2.Laplacian(gray, cv2.CV_64F).var())
    answer = {
        "Brightness": round(float(gray.mean()) / 255 * 100, 2),
        "Sharpness": round(100 * (1 - math.exp(-math.sqrt(edges) / 16)), 2),
    }
    if contrast:
        answer["Contrast"] = round(min(100.0, float(gray.std()) / 127.5 * 100), 2)
    return answer


def dominant_colours(image: Image, limit: int = DEFAULT_COLOURS) -> list[dict[str, Any]]:
    """The dominant colours, the most frequent first; `PixelPercent` is 0-100 of the image."""
    if limit == 0:
        return []
    shares: dict[int, float] = {}
    for centre, share in _clusters(image):
        index = _nearest(centre)
        shares[index] = shares.get(index, 0.0) + share
    return [_colour(index, share) for index, share in sorted(shares.items(), key=lambda each: -each[1])[:limit]]


def _clusters(image: Image) -> list[tuple[Any, float]]:
    """Cluster centres in Lab with the share (0-100) of the pixels in each."""
    import numpy as np
    from PIL.Image import Resampling

    cv2 = load_opencv()
    copy = image.copy()
    copy.thumbnail((SAMPLE_SIDE, SAMPLE_SIDE), Resampling.BOX)  # averages only: no ringing, which invents colours
    pixels = _lab(np.asarray(copy)).reshape(-1, 3)
    count = min(CLUSTERS, len(np.unique(pixels, axis=0)))
    cv2.setRNGSeed(1)  # the same picture gets the same answer
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 12, 1.0)
    _, labels, centres = cv2.kmeans(pixels, count, None, stop, 1, cv2.KMEANS_PP_CENTERS)
    sizes = np.bincount(labels.ravel(), minlength=count) * 100 / len(pixels)
    return list(zip(centres, (float(size) for size in sizes), strict=True))


def _lab(rgb: Any) -> Any:
    cv2 = load_opencv()
    return cv2.cvtColor(rgb.astype("float32") / 255, cv2.COLOR_RGB2LAB)


def _nearest(lab: Any) -> int:
    return int((((palette().lab - lab) ** 2).sum(axis=1)).argmin())


def name_colour(rgb: tuple[int, int, int]) -> tuple[str, str]:
    """The CSS name nearest to an RGB colour, and its simplified name."""
    import numpy as np

    index = _nearest(_lab(np.array([[rgb]], dtype="uint8")).reshape(3))
    return palette().names[index], palette().families[index]


def _colour(index: int, share: float) -> dict[str, Any]:
    red, green, blue = palette().rgb[index]
    return {
        "Red": red,
        "Green": green,
        "Blue": blue,
        "HexCode": f"#{red:02x}{green:02x}{blue:02x}",
        "CSSColor": palette().names[index],
        "SimplifiedColor": palette().families[index],
        "PixelPercent": round(share, 2),
    }


@cache
def palette() -> Palette:
    """The CSS colours with the family each belongs to."""
    import numpy as np
    from PIL import ImageColor

    families: dict[str, list[str]] = json.loads(FAMILIES.read_text())
    pairs = [(name, family) for family, names in families.items() for name in names]
    rgb = [ImageColor.getrgb(name)[:3] for name, _ in pairs]
    lab = _lab(np.array([rgb], dtype="uint8")).reshape(-1, 3)
    return Palette([name for name, _ in pairs], [family for _, family in pairs], rgb, lab)
