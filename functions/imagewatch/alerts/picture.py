"""The annotated picture of an alert: the thumbnail with a box and a name around everything that a rule matched.

This module imports Pillow, which takes longer than most alerts. Import it only where a picture is drawn.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from imagewatch.rules.matched_rule import Match
from imagewatch.text import one_line

MAX_BYTES = 150_000  # so that a webhook's base64 stays within 200,000 characters
MAX_BOXES = 20
LEAST_SIDE = 320  # longest side, pixels: smaller pictures are enlarged, or the names would cover them
_FONT_SIZE = 14
_MAX_NAME = 40
_MAX_NOTES = 3  # lines below the picture
_COLOURS = ("#ffd60a", "#64d2ff", "#30d158", "#ff9f0a", "#bf9bff")  # each readable under black text
_INK = "#101010"

Area = tuple[float, float, float, float]


@dataclass(frozen=True)
class Finding:
    """One finding to show: its name, and its box in ratios 0-1 of the image, if it has one."""

    name: str
    confidence: float
    box: Mapping[str, float] | None


def findings_of(matches: Sequence[Match], labels: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """What a rule's matches refer to: as many instances of each matched label as were counted, the highest confidence first.

    `labels` are those of the image's record; without them (or for text) a match's own Box is shown.
    """
    by_name = {str(label["Name"]).casefold(): label for label in labels}
    found: dict[str, list[Finding]] = {}
    for match in matches:
        name = one_line(match.label)
        if name.casefold() not in found:
            found[name.casefold()] = list(_places(name, match, by_name.get(name.casefold(), {})))
    return [finding for group in found.values() for finding in group]


def annotate(thumbnail: bytes, findings: Sequence[Finding]) -> bytes:
    """The thumbnail (JPEG) with its findings, as a JPEG of at most MAX_BYTES without metadata."""
    with Image.open(io.BytesIO(thumbnail)) as opened:
        image = _large_enough(opened.convert("RGB"))
    placed = [finding for finding in findings if finding.box][:MAX_BOXES]
    colours = {name: _COLOURS[n % len(_COLOURS)] for n, name in enumerate(dict.fromkeys(f.name for f in placed))}
    draw = ImageDraw.Draw(image)
    for finding in placed:
        _frame(draw, _area(finding.box or {}, image.size), colours[finding.name])
    taken: list[Area] = []
    for finding in placed:
        _write_name(draw, image.size, _area(finding.box or {}, image.size), finding, colours[finding.name], taken)
    notes = [finding for finding in findings if not finding.box][:_MAX_NOTES]
    return _jpeg(_with_notes(image, notes) if notes else image)


def _places(name: str, match: Match, label: Mapping[str, Any]) -> Iterator[Finding]:
    instances = sorted(label.get("Instances", []), key=lambda instance: -instance["Confidence"])
    own = match.box
    if own and own not in (instance["BoundingBox"] for instance in instances):
        yield Finding(name, match.confidence, own)
    elif instances:
        # The match's own box first: where the rule has a least area, another instance can have a higher confidence.
        instances.sort(key=lambda instance: instance["BoundingBox"] != own)
        for instance in instances[: max(1, match.count)]:
            yield Finding(name, instance["Confidence"], instance["BoundingBox"])
    else:
        yield Finding(name, match.confidence, None)


def _large_enough(image: Image.Image) -> Image.Image:
    scale = LEAST_SIDE / max(image.size)
    if scale <= 1:
        return image
    return image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))


def _area(box: Mapping[str, float], size: tuple[int, int]) -> Area:
    """Pixels, clamped to the image: boxes can begin before it and end beyond it."""
    width, height = size
    left, top = _within(box.get("Left", 0)) * (width - 1), _within(box.get("Top", 0)) * (height - 1)
    right = _within(box.get("Left", 0) + box.get("Width", 0)) * (width - 1)
    bottom = _within(box.get("Top", 0) + box.get("Height", 0)) * (height - 1)
    return round(left), round(top), round(max(right, left)), round(max(bottom, top))


def _within(ratio: float) -> float:
    return min(max(float(ratio), 0.0), 1.0)


def _frame(draw: ImageDraw.ImageDraw, area: Area, colour: str) -> None:
    left, top, right, bottom = area
    draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline=_INK, width=4)  # so that it shows on any ground
    draw.rectangle(area, outline=colour, width=2)


def _write_name(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], area: Area, finding: Finding, colour: str, taken: list[Area]
) -> None:
    """The name on a plate above the frame, or where there is room; not at all when every place covers another name."""
    text = _caption(finding)
    width, height = draw.textlength(text, font=_font()) + 6, _FONT_SIZE + 5
    for place in _plates(area, width, height):
        left = min(max(place[0], 0), max(size[0] - width, 0))
        plate = (left, place[1], left + width, place[1] + height)
        if plate[1] >= 0 and plate[3] <= size[1] and not any(_overlap(plate, other) for other in taken):
            draw.rectangle(plate, fill=colour)
            draw.text((left + 3, plate[1] + 1), text, fill=_INK, font=_font())
            taken.append(plate)
            return


def _plates(area: Area, width: float, height: float) -> Iterator[tuple[float, float]]:
    left, top, right, bottom = area
    for x in (left, right - width):
        yield from ((x, top - height), (x, bottom), (x, top), (x, bottom - height))


def _overlap(one: Area, other: Area) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _with_notes(image: Image.Image, notes: Sequence[Finding]) -> Image.Image:
    """Adds a strip below the picture with the findings that have no box."""
    line = _FONT_SIZE + 6
    taller = Image.new("RGB", (image.width, image.height + line * len(notes) + 4), _INK)
    taller.paste(image)
    draw = ImageDraw.Draw(taller)
    for number, note in enumerate(notes):
        draw.text((5, image.height + 3 + number * line), _caption(note), fill="white", font=_font())
    return taller


def _caption(finding: Finding) -> str:
    name = one_line(finding.name)
    name = name if len(name) <= _MAX_NAME else name[: _MAX_NAME - 1] + "…"
    return f"{name} {int(finding.confidence)} %"  # never rounded up, as in the alert's text


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(_FONT_SIZE)


def _jpeg(image: Image.Image) -> bytes:
    """The first quality that fits. A thumbnail of 512 pixels fits at once unless it is noise."""
    data = b""
    for quality in (85, 70, 50, 25):
        buffer = io.BytesIO()
        # Full colour resolution: thin coloured lines would run together.
        image.save(buffer, "JPEG", quality=quality, subsampling=0, exif=b"", icc_profile=None, comment=b"", xmp=b"")
        data = buffer.getvalue()
        if len(data) <= MAX_BYTES:
            break
    return data
