"""Api Me: shows who is signed in, and deletes a person's images and account."""

from __future__ import annotations

from typing import Any

from imagewatch.api import account as declared
from imagewatch.api.dispatch import Api
from imagewatch.api.request import Request
from imagewatch.images.upload import prefix_of
from imagewatch.observability import logs_invocation
from imagewatch.services import account_deletion


def show(request: Request) -> dict[str, Any]:
    """The person who is signed in."""
    viewer = request.viewer
    prefix = prefix_of(viewer.sub)
    return {"Sub": viewer.sub, "Groups": sorted(viewer.groups), "IsOperator": viewer.is_operator, "Prefix": prefix}


def delete(request: Request) -> dict[str, Any]:
    """How far the deletion is."""
    deletion = account_deletion.delete(request.viewer.sub, request.token, request.remaining_seconds)
    return {"Deleted": deletion.images, "Done": deletion.done}


API = Api({declared.GET_ME: show, declared.DELETE_ME: delete})


@logs_invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes a request of the HTTP API (payload format 2.0); returns its answer."""
    return API.resolve(event, context)
