"""Api Uploads: prepares uploads to S3 for people, and shows how they have ended."""

from __future__ import annotations

from typing import Any

from imagewatch.api import uploads as declared
from imagewatch.api.dispatch import Api
from imagewatch.api.request import Request
from imagewatch.observability import logs_invocation
from imagewatch.services import uploads


def create(request: Request) -> dict[str, Any]:
    """One entry for each file: the form that uploads it, or the image that has its content."""
    files = declared.files_of(request.body)
    prepared = uploads.prepare(request.viewer.sub, files)
    return {"Uploads": [_created(file.name, one) for file, one in zip(files, prepared, strict=True)]}


def show(request: Request) -> dict[str, Any]:
    """The status of each of the named uploads."""
    records = uploads.records_of(request.viewer.sub, request.query["id"])
    return {"Uploads": [declared.state(image_id, record) for image_id, record in records.items()]}


API = Api({declared.CREATE_UPLOADS: create, declared.LIST_UPLOADS: show})


@logs_invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes a request of the HTTP API (payload format 2.0); returns its answer."""
    return API.resolve(event, context)


def _created(name: str, prepared: uploads.Prepared) -> dict[str, Any]:
    form = {"Form": {"Url": prepared.form.url, "Fields": dict(prepared.form.fields)}} if prepared.form else {}
    state = declared.state(prepared.image_id, prepared.record)
    return {"Name": name, **state, "Exists": prepared.form is None, **form}
