"""Api Labels: lists the labels of a viewer's images, with counts."""

from __future__ import annotations

from typing import Any

from imagewatch.api import labels as declared
from imagewatch.api.dispatch import Api
from imagewatch.api.request import Request
from imagewatch.observability import logs_invocation
from imagewatch.services import image_search


def show_all(request: Request) -> dict[str, Any]:
    """Labels that begin with the prefix."""
    found = image_search.labels(request.viewer, request.query["prefix"], request.query["limit"])
    return {"Labels": [{"Name": label.name, "Images": label.images} for label in found]}


API = Api({declared.LIST_LABELS: show_all})


@logs_invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes a request of the HTTP API (payload format 2.0); returns its answer."""
    return API.resolve(event, context)
