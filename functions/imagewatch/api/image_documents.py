"""An image's record as the API shows it. Findings below the viewer's confidence are hidden and counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagewatch.api import schemas
from imagewatch.api.schemas import CONFIDENCE, COUNT, FLAG, IMAGE_ID, STRING, STRINGS, TIME, URL, a_list, described, mapping
from imagewatch.api.viewer import Viewer
from imagewatch.images.upload import name_of

CARD_LABELS = 5
"""Labels of an image in a list: those of highest confidence."""

_ALWAYS = ("ImageId", "Key", "Source", "Status", "UploadedAt", "Size")
_SOMETIMES = ("Reason", "TakenAt", "AnalyzedAt", "Format", "Width", "Height", "Coverage", "Conversion")
_WHOLE = ("Sha256", "ModelVersions", "LabelsOmitted", "TextOmitted", "TextUnavailable")
_FOR_OPERATORS = ("MatchedRules", "RulesOmitted", "ExecutionArn")

_BOX = mapping({name: {"type": "number", "minimum": 0, "maximum": 1} for name in ("Left", "Top", "Width", "Height")})
_LABEL = mapping(
    {
        "Name": STRING,
        "Confidence": CONFIDENCE,
        "Parents": STRINGS,
        "Aliases": STRINGS,
        "Categories": STRINGS,
        "Instances": a_list(mapping({"Confidence": CONFIDENCE, "BoundingBox": _BOX})),
    }
)
_MODERATION_LABEL = mapping(
    {"Name": STRING, "Confidence": CONFIDENCE, "Parents": STRINGS, "TaxonomyLevel": {"type": "integer"}},
)
_MODERATION = mapping(
    {"Status": {"type": "string", "enum": ["CHECKED", "NOT_CHECKED"]}, "Labels": a_list(_MODERATION_LABEL)},
    {"Reason": STRING, "Scope": STRING, "ModelVersion": STRING, "Omitted": COUNT},
    "NOT_CHECKED means that no moderation model examined the image; Reason says why.",
)
_TEXT = mapping({"Text": STRING, "Type": STRING, "Confidence": CONFIDENCE, "BoundingBox": _BOX})
_ABOUT = {
    "ImageId": IMAGE_ID,
    "Key": described(STRING, "The object's key in the images bucket."),
    "Name": described(STRING, "The file's name: the last part of the key."),
    "Source": described(STRING, "The camera, host or person that the image comes from."),
    "Status": {"type": "string", "enum": ["ANALYZING", "ANALYZED", "REJECTED", "FAILED"]},
    "UploadedAt": TIME,
    "Size": described(COUNT, "Bytes."),
}
_MORE = {
    "Reason": described(STRING, "Why the image was rejected, or its analysis failed."),
    "TakenAt": described(STRING, "When the picture was taken: ISO 8601."),
    "AnalyzedAt": TIME,
    "Format": STRING,
    "Width": described(COUNT, "Pixels."),
    "Height": described(COUNT, "Pixels."),
    "Coverage": STRING,
    "Conversion": STRING,
}
_LINKS = mapping(
    {},
    {
        "Original": described(URL, "The uploaded file. Expires within two hours, like the others."),
        "Thumbnail": described(
            URL, "At most 512 pixels wide and high. The same link for an hour, so that browsers keep the file."
        ),
        "Annotated": a_list(mapping({"RuleId": STRING, "Url": URL}, description="The thumbnail with the boxes of an alert.")),
    },
)
CARD = mapping(
    {**_ABOUT, "Links": _LINKS, "Labels": a_list(mapping({"Name": STRING, "Confidence": CONFIDENCE}))},
    {**_MORE, "Moderation": mapping({"Status": STRING, "Labels": STRINGS}, {"Scope": STRING})},
)
_FOUND = mapping({"Field": STRING, "Name": STRING}, {"Confidence": CONFIDENCE})
FOUND_CARD = {
    **CARD,
    "required": [*CARD["required"], "Found"],
    "properties": {
        **CARD["properties"],
        "Found": described(a_list(_FOUND), "The terms of the query that the image has, the most confident first."),
    },
}
DOCUMENT = mapping(
    {**_ABOUT, "Links": _LINKS, "MayDelete": FLAG},
    {
        **_MORE,
        "Labels": a_list(_LABEL),
        "Moderation": _MODERATION,
        "Text": a_list(_TEXT),
        "Hidden": mapping(
            {"Labels": COUNT, "Moderation": COUNT, "Text": COUNT},
            description="How many findings min_confidence hides.",
        ),
        "Sha256": STRING,
        "ModelVersions": {"type": "object", "additionalProperties": STRING},
        "LabelsOmitted": COUNT,
        "TextOmitted": COUNT,
        "TextUnavailable": STRING,
        "MatchedRules": described(a_list(schemas.ANYTHING), "The rules that match the image. For operators only."),
        "RulesOmitted": COUNT,
        "ExecutionArn": described(STRING, "For operators only."),
    },
)


@dataclass(frozen=True)
class Links:
    """Presigned links to the files of an image; empty for a file that does not exist."""

    original: str = ""
    thumbnail: str = ""
    annotated: Mapping[str, str] | None = None
    """Rule id -> link."""

    def to_document(self) -> dict[str, Any]:
        annotated = [{"RuleId": rule_id, "Url": url} for rule_id, url in (self.annotated or {}).items()]
        values = {"Original": self.original, "Thumbnail": self.thumbnail, "Annotated": annotated}
        return {name: value for name, value in values.items() if value}


def card(record: Mapping[str, Any], links: Links, min_confidence: float) -> dict[str, Any]:
    """An image in a list."""
    labels = sorted(_from(record.get("Labels", ()), min_confidence), key=lambda label: -label["Confidence"])
    shown = {
        **_about(record),
        "Links": links.to_document(),
        "Labels": [{"Name": label["Name"], "Confidence": label["Confidence"]} for label in labels[:CARD_LABELS]],
    }
    if moderation := record.get("Moderation"):
        names = [label["Name"] for label in _from(moderation["Labels"], min_confidence)]
        scope = {"Scope": moderation["Scope"]} if "Scope" in moderation else {}
        shown["Moderation"] = {"Status": moderation["Status"], "Labels": names, **scope}
    return shown


def document(record: Mapping[str, Any], links: Links, min_confidence: float, viewer: Viewer, may_delete: bool) -> dict[str, Any]:
    """An image with its findings."""
    names = (*_WHOLE, *(_FOR_OPERATORS if viewer.is_operator else ()))
    shown = {**_about(record), **_present(record, names), "Links": links.to_document(), "MayDelete": may_delete}
    hidden = {"Labels": 0, "Moderation": 0, "Text": 0}
    for name in ("Labels", "Text"):
        if name in record:
            shown[name] = list(_from(record[name], min_confidence))
            hidden[name] = len(record[name]) - len(shown[name])
    if moderation := record.get("Moderation"):
        labels = list(_from(moderation["Labels"], min_confidence))
        shown["Moderation"] = {**moderation, "Labels": labels}
        hidden["Moderation"] = len(moderation["Labels"]) - len(labels)
    return {**shown, "Hidden": hidden} if "Labels" in record else shown


def _about(record: Mapping[str, Any]) -> dict[str, Any]:
    present = _present(record, (*_ALWAYS, *_SOMETIMES))
    return {**present, "Name": name_of(record["Key"])}


def _present(record: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: record[name] for name in names if record.get(name) not in (None, "")}


def _from(findings: Sequence[Mapping[str, Any]], min_confidence: float) -> Iterator[Mapping[str, Any]]:
    return (finding for finding in findings if finding["Confidence"] >= min_confidence)
