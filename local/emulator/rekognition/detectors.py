"""What OpenCV's cascades and its QR decoder find: faces (from the front and in profile), cats, and QR codes that decode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.emulator.rekognition.cascades import Cascade, Window, confidence, load_opencv
from local.emulator.rekognition.detections import Box, Detection, strongest

if TYPE_CHECKING:
    from PIL.Image import Image

FRONTAL_SIDE = 640  # pixels of the long side that each cascade works on
PROFILE_SIDE = 480
CAT_SIDE = 220
SMALLEST_FACE = 24
CAT_ANGLES = (-16, -8, 0, 8, 16)  # degrees
CAT_MARGIN = 2.3  # margin that both cat cascades need over the last threshold; without it they find cats in brick walls


class Detectors:
    """One set of detectors. Not thread-safe: the engine lends a set to one analysis at a time."""

    def __init__(self) -> None:
        self._cv2 = load_opencv()
        self._frontal = Cascade("frontalface_alt2")
        self._profile = Cascade("profileface")
        self._cat = Cascade("frontalcatface")
        self._cat_extended = Cascade("frontalcatface_extended")
        self._qr = self._cv2.QRCodeDetectorAruco()

    def see(self, image: Image, *, cats: bool) -> list[Detection]:
        """Returns faces, QR codes and, where no better detector finds them, cats in an upright RGB image."""
        gray = self._gray(image)
        return [*self._faces(gray), *(self._cats(gray) if cats else []), *self._qr_codes(gray)]

    def faces(self, image: Image) -> list[Detection]:
        """Returns faces, the largest first, in an upright RGB image."""
        found = self._faces(self._gray(image))
        return sorted(found, key=lambda face: -(face.box.width * face.box.height if face.box else 0))

    def _gray(self, image: Image) -> Any:
        import numpy as np

        return self._cv2.cvtColor(np.asarray(image), self._cv2.COLOR_RGB2GRAY)

    def _fit(self, gray: Any, side: int) -> Any:
        scale = side / max(gray.shape)
        if scale >= 1:
            return gray
        return self._cv2.resize(gray, None, fx=scale, fy=scale, interpolation=self._cv2.INTER_AREA)

    def _faces(self, gray: Any) -> list[Detection]:
        front, side = self._fit(gray, FRONTAL_SIDE), self._fit(gray, PROFILE_SIDE)
        boxes = [(window, front.shape) for window in self._frontal.windows(front, scale=1.1, smallest=SMALLEST_FACE, agreeing=5)]
        boxes += [(window, side.shape) for window in self._profiles(side)]
        boxes += [
            (window._replace(x=side.shape[1] - window.x - window.width), side.shape)
            for window in self._profiles(self._cv2.flip(side, 1))
        ]
        found = [Detection("Face", confidence(window.evidence), window.box(shape[1], shape[0])) for window, shape in boxes]
        return strongest(found, overlap=0.2)

    def _profiles(self, gray: Any) -> list[Window]:
        return self._profile.windows(gray, scale=1.1, smallest=SMALLEST_FACE, agreeing=6)

    def _cats(self, gray: Any) -> list[Detection]:
        """Cat faces that fill much of the picture: padded by a third, turned a little each way, both cascades agreeing."""
        cv2 = self._cv2
        pad_y, pad_x = gray.shape[0] // 3, gray.shape[1] // 3
        padded = self._fit(cv2.copyMakeBorder(gray, pad_y, pad_y, pad_x, pad_x, cv2.BORDER_REPLICATE), CAT_SIDE)
        height, width = padded.shape
        scale = width / (gray.shape[1] + 2 * pad_x)
        found: list[tuple[Box, float]] = []
        for angle in CAT_ANGLES:
            turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1)
            turned = cv2.warpAffine(padded, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
            back = cv2.invertAffineTransform(turn)
            for window in self._cat_windows(turned):
                middle = (window.x + window.width / 2, window.y + window.height / 2, 1)
                x, y = (float(sum(row[i] * middle[i] for i in range(3))) / scale for row in back)
                side = window.width / scale
                place = window._replace(x=x - pad_x - side / 2, y=y - pad_y - side / 2, width=side, height=side)
                found.append((place.box(gray.shape[1], gray.shape[0]).within_picture(), window.evidence))
        return _agreeing_angles(found)

    def _cat_windows(self, gray: Any) -> list[Window]:
        settings: dict[str, Any] = {"scale": 1.05, "smallest": SMALLEST_FACE, "agreeing": 3}
        first = [window for window in self._cat.windows(gray, **settings) if window.margin >= CAT_MARGIN]
        if not first:
            return []
        second = [window for window in self._cat_extended.windows(gray, **settings) if window.margin >= CAT_MARGIN]
        return [
            one._replace(evidence=min(one.evidence, other.evidence))
            for one in first
            for other in second
            if one.box(1, 1).overlap(other.box(1, 1)) > 0.4
        ]

    def _qr_codes(self, gray: Any) -> list[Detection]:
        """QR codes whose content decodes: the error correction confirms the detection."""
        _, contents, corners, _ = self._qr.detectAndDecodeMulti(gray)
        if corners is None:
            return []
        return [
            _qr_detection([(float(x), float(y)) for x, y in quad], gray.shape[1], gray.shape[0])
            for content, quad in zip(contents, corners, strict=True)
            if content
        ]


def _agreeing_angles(found: list[tuple[Box, float]]) -> list[Detection]:
    """One detection for each cat: the evidence of overlapping boxes at different angles adds up."""
    detections: list[Detection] = []
    remaining = sorted(found, key=lambda each: -each[1])
    while remaining:
        box = remaining[0][0]
        same = [each for each in remaining if each[0].overlap(box) > 0.3]
        remaining = [each for each in remaining if each not in same]
        detections.append(Detection("Cat", confidence(sum(evidence for _, evidence in same)), box))
    return detections


def _qr_detection(corners: list[tuple[float, float]], width: int, height: int) -> Detection:
    """The upright box around the four corners; the confidence is 95 to 100 and grows with the evenness of the sides."""
    across, down = [x for x, _ in corners], [y for _, y in corners]
    sides = [
        ((x - next_x) ** 2 + (y - next_y) ** 2) ** 0.5
        for (x, y), (next_x, next_y) in zip(corners, corners[1:] + corners[:1], strict=True)
    ]
    evenness = min(sides) / max(sides) if max(sides) else 0.0
    box = Box(
        min(across) / width,
        min(down) / height,
        (max(across) - min(across)) / width,
        (max(down) - min(down)) / height,
    )
    return Detection("QR Code", 95 + 5 * evenness, box)
