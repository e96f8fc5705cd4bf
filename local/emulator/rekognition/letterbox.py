"""Fits a picture into a detector's input, and brings the detector's boxes back to the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from local.emulator.rekognition.detections import Box

if TYPE_CHECKING:
    from PIL.Image import Image

GREY = (114, 114, 114)  # what YOLO models and NanoDet are trained to see around a picture

Corners = tuple[float, float, float, float]


class Frame(NamedTuple):
    """The place of the picture in the input: width, height, left and top, in the unit of the detector's boxes."""

    width: float
    height: float
    left: float
    top: float

    def box(self, corners: Corners) -> Box:
        """Returns a box (x1, y1, x2, y2 in the input) as ratios of the picture, cut at its edges."""
        x1, y1, x2, y2 = corners
        box = Box(
            (x1 - self.left) / self.width,
            (y1 - self.top) / self.height,
            (x2 - x1) / self.width,
            (y2 - y1) / self.height,
        )
        return box.within_picture()


def letterboxed(image: Image, height: int, width: int) -> tuple[Any, Frame]:
    """Returns the pixels (float32, 0-255, [height, width, 3], RGB) with the picture's proportions kept, and the frame."""
    import numpy as np
    from PIL import Image as Pillow

    scale = min(width / image.width, height / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    left, top = (width - size[0]) // 2, (height - size[1]) // 2
    canvas = Pillow.new("RGB", (width, height), GREY)
    canvas.paste(image.resize(size, Pillow.Resampling.BILINEAR), (left, top))
    return np.asarray(canvas, dtype="float32"), Frame(*size, left, top)


def stretched(image: Image, height: int, width: int) -> tuple[Any, Frame]:
    """Returns the pixels (float32, 0-255, [height, width, 3], RGB) with the whole input filled, and the frame."""
    import numpy as np
    from PIL import Image as Pillow

    resized = image.resize((width, height), Pillow.Resampling.BILINEAR)
    return np.asarray(resized, dtype="float32"), Frame(width, height, 0, 0)
