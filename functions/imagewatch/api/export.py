"""Export: the operations of /export, and an image's row in a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagewatch.api import parameters
from imagewatch.api.images import QUERY, SORT
from imagewatch.api.operation import Answer, Operation, Parameter
from imagewatch.api.parameters import CURSOR, MIN_CONFIDENCE
from imagewatch.api.schemas import COUNT, STRING, page
from imagewatch.api.schemas import mapping as an_object
from imagewatch.api.viewer import Viewer
from imagewatch.images.upload import name_of

CSV, JSON = "csv", "json"
MAX_ROWS = 500
_COLUMNS = (
    "ImageId", "Key", "Name", "Source", "Status", "Reason", "UploadedAt", "TakenAt", "AnalyzedAt", "Format", "Width", "Height",
    "Size", "Sha256", "Labels", "ModerationStatus", "Moderation", "Text",
)  # fmt: skip
_FOR_OPERATORS = ("MatchedRules",)
_NUMBERS = ("Width", "Height", "Size")
_ROW = an_object({}, {name: COUNT if name in _NUMBERS else STRING for name in (*_COLUMNS, *_FOR_OPERATORS)})

EXPORT = Operation(
    "GET",
    "/export",
    "exportImages",
    "Exports images as CSV or JSON",
    Answer(
        "A page of rows. In CSV, the header Link has the address of the next page (RFC 8288).",
        page("Images", _ROW),
        media_types=("application/json", "text/csv"),
    ),
    "The rows are those that GET /images finds with the same parameters. A cell of the CSV that a spreadsheet could read as a"
    " formula begins with an apostrophe.",
    query=(
        QUERY,
        SORT,
        MIN_CONFIDENCE,
        Parameter("format", parameters.choice(CSV, JSON), "The format.", CSV),
        parameters.limit(MAX_ROWS, MAX_ROWS),
        CURSOR,
    ),
)
OPERATIONS = (EXPORT,)


def columns(viewer: Viewer) -> tuple[str, ...]:
    """The names of the columns."""
    return (*_COLUMNS, *(_FOR_OPERATORS if viewer.is_operator else ()))


def row(record: Mapping[str, Any], min_confidence: float, viewer: Viewer) -> dict[str, Any]:
    """An image's record as one row. Findings below the confidence are left out."""
    moderation = record.get("Moderation", {})
    values = {
        **record,
        "Name": name_of(record["Key"]),
        "Labels": _findings(record.get("Labels", ()), "Name", min_confidence),
        "ModerationStatus": moderation.get("Status"),
        "Moderation": _findings(moderation.get("Labels", ()), "Name", min_confidence),
        "Text": _findings([one for one in record.get("Text", ()) if one["Type"] == "LINE"], "Text", min_confidence),
        "MatchedRules": "; ".join(rule["RuleId"] for rule in record.get("MatchedRules", ())),
    }
    return {name: values[name] for name in columns(viewer) if values.get(name) not in (None, "")}


def _findings(findings: Any, name: str, min_confidence: float) -> str:
    shown = (f"{one[name]} {one['Confidence']:g}" for one in findings if one["Confidence"] >= min_confidence)
    return "; ".join(shown)
