"""Uploads: what the operations of /uploads take and return."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from imagewatch.api.operation import Answer, Operation
from imagewatch.api.parameters import IMAGE_IDS
from imagewatch.images.file_formats import MAX_FILE_BYTES
from imagewatch.images.upload import MEDIA_TYPES, Upload
from imagewatch.rules.fields import Declaration, Field, FieldReader, Place, choice, entries, line, scalar, whole

MAX_FILES = 100
WAITING = "WAITING"
"""The status of an upload that has no record yet: the file has not arrived, or its analysis has not begun."""


def _sha256(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9a-f]{64}", value):
        raise ValueError
    return value


SHA256 = scalar(_sha256, "64 digits of 0-9 and a-f", {"type": "string", "pattern": "^[0-9a-f]{64}$"})


class FileFields:
    """The fields of a file."""

    NAME = Field("Name", line(255), "The file's name. Only its last part is kept, as the end of the object's key.", required=True)
    SIZE = Field("Size", whole(1, MAX_FILE_BYTES), "The file's size in bytes.", required=True)
    MEDIA_TYPE = Field("ContentType", choice(*MEDIA_TYPES), "The file's media type.", required=True)
    SHA256 = Field("Sha256", SHA256, "The SHA-256 of the file's content, in hexadecimal digits.", required=True)


FILE = Declaration(
    "a file such as {Name: gate.jpg, Size: 48120, ContentType: image/jpeg, Sha256: ...}",
    (FileFields.NAME, FileFields.SIZE, FileFields.MEDIA_TYPE, FileFields.SHA256),
)


def _file(item: Any, place: Place) -> Upload:
    fields = FieldReader(place, item, FILE)
    upload = Upload(
        fields.take(FileFields.NAME),
        fields.take(FileFields.SIZE),
        fields.take(FileFields.MEDIA_TYPE),
        fields.take(FileFields.SHA256),
    )
    fields.finish()
    return upload


FILES = Field("Files", entries(_file, "file", FILE, MAX_FILES, 1), "The files, at most 100.", required=True)
CREATE = Declaration("a mapping with Files", (FILES,))


def files_of(body: Any) -> tuple[Upload, ...]:
    """The files of a request. Raises InvalidRule with every mistake."""
    fields = FieldReader(Place(label="The body"), body, CREATE)
    files = fields.take(FILES)
    if files == ():
        fields.note("Files must have at least one entry.", FILES.name)
    fields.finish()
    return files


_STATUS = {"type": "string", "enum": [WAITING, "ANALYZING", "ANALYZED", "REJECTED", "FAILED"]}
_STATE = {
    "ImageId": {"type": "string", "description": "The id that the image has, or will have."},
    "Status": _STATUS,
    "Reason": {"type": "string", "description": "Why the image was rejected, or its analysis failed."},
}
_FORM = {
    "type": "object",
    "description": "Send these fields, and then the file as the field `file`, as multipart/form-data to the URL.",
    "required": ["Url", "Fields"],
    "additionalProperties": False,
    "properties": {
        "Url": {"type": "string"},
        "Fields": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
_CREATED = {
    "type": "object",
    "required": ["Name", "ImageId", "Status", "Exists"],
    "additionalProperties": False,
    "properties": {
        "Name": {"type": "string"},
        **_STATE,
        "Exists": {"type": "boolean", "description": "Whether you have uploaded this content before. Then there is no form."},
        "Form": _FORM,
    },
}
_UPLOAD = {"type": "object", "required": ["ImageId", "Status"], "additionalProperties": False, "properties": _STATE}


def _listed(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["Uploads"],
        "additionalProperties": False,
        "properties": {"Uploads": {"type": "array", "items": entry}},
    }


CREATE_UPLOADS = Operation(
    "POST",
    "/uploads",
    "createUploads",
    "Prepares the upload of up to 100 files",
    Answer("What to do with each file, in the order of the request.", _listed(_CREATED)),
    "Each file gets a form that uploads exactly this content to S3 within an hour, or the image that has this content already.",
    body=CREATE,
)
LIST_UPLOADS = Operation(
    "GET",
    "/uploads",
    "listUploads",
    "Shows how uploads have ended",
    Answer("The status of each image, in the order of the request.", _listed(_UPLOAD)),
    "An id that is not yours has the status WAITING, like one whose file has not arrived.",
    query=(IMAGE_IDS,),
)
OPERATIONS = (CREATE_UPLOADS, LIST_UPLOADS)


def state(image_id: str, record: Mapping[str, Any] | None) -> dict[str, Any]:
    """An upload's id, status and reason."""
    record = record or {}
    reason = {"Reason": record["Reason"]} if record.get("Reason") else {}
    return {"ImageId": image_id, "Status": record.get("Status", WAITING), **reason}
