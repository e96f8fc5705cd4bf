"""Api Images: searches, shows, deletes and re-analyses images, and shows how an image was analysed."""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from imagewatch.api import image_documents
from imagewatch.api import images as declared
from imagewatch.api.dispatch import Api
from imagewatch.api.problems import RequestRefused, not_found
from imagewatch.api.request import Request
from imagewatch.observability import logs_invocation
from imagewatch.search.find import Match, Search
from imagewatch.services import image_access, image_deletion, image_links, image_search, reanalysis, traces

BUSY = "The image is being analysed now, or its file has changed since. Show the image, and repeat the request when it has ended."
EXPIRED = "Step Functions has no history of this analysis any more. It keeps a history for 90 days."


def search(request: Request) -> dict[str, Any]:
    """A page of images that match a query."""
    query = request.query
    asked = Search(query["q"], query["min_confidence"], query["limit"], query["cursor"])
    found = image_search.find(request.viewer, asked, query["sort"])
    return {
        "Images": [_card(match, query["min_confidence"]) for match in found.matches],
        "Query": found.query,
        "Hidden": found.hidden,
        "HiddenIsExact": found.hidden_exact,
        "CutShort": found.cut_short,
        "Unknown": [{"Term": one.term, "Suggestions": list(one.suggestions)} for one in found.unknown],
        **({"NextCursor": found.cursor} if found.cursor else {}),
        **({"Reached": found.reached} if found.reached else {}),
    }


def days(request: Request) -> dict[str, Any]:
    """How many images each day has."""
    found = image_search.days(request.viewer, request.query["since"], request.query["until"])
    return {"Days": [{"Day": day.day, "Images": day.images} for day in found]}


def show(request: Request) -> dict[str, Any]:
    """One image with its findings."""
    record = _record(request)
    links = image_links.all_links(record, request.viewer)
    return image_documents.document(record, links, request.query["min_confidence"], request.viewer, may_delete=True)


def trace(request: Request) -> dict[str, Any]:
    """The execution that analysed the image last."""
    found = traces.trace(_record(request).get("ExecutionArn", ""), with_values=request.viewer.is_operator)
    if found is None:
        raise RequestRefused(HTTPStatus.NOT_FOUND, EXPIRED)
    return found


def delete_one(request: Request) -> dict[str, Any]:
    """What was deleted of one image."""
    return _deleted(image_deletion.delete(_record(request)))


def delete_several(request: Request) -> dict[str, Any]:
    """What was deleted of each image."""
    image_ids = request.query["id"]
    records = image_access.records(request.viewer, image_ids)
    deleted, left = image_deletion.delete_several(list(records.values()), image_deletion.Time(request.remaining_seconds))
    missing = [image_id for image_id in image_ids if image_id not in records]
    return {"Deleted": [_deleted(one) for one in deleted], "NotFound": missing, "NotDeleted": left}


def reanalyze(request: Request) -> dict[str, Any]:
    """Starts another analysis, or returns only its price."""
    started = reanalysis.start(_record(request), request.remaining_seconds, dry_run=request.query["dry_run"])
    if started is None:
        raise RequestRefused(HTTPStatus.CONFLICT, BUSY)
    return started


API = Api(
    {
        declared.LIST_IMAGES: search,
        declared.LIST_DAYS: days,
        declared.GET_IMAGE: show,
        declared.GET_TRACE: trace,
        declared.DELETE_IMAGE: delete_one,
        declared.DELETE_IMAGES: delete_several,
        declared.REANALYZE: reanalyze,
    }
)


@logs_invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes a request of the HTTP API (payload format 2.0); returns its answer."""
    return API.resolve(event, context)


def _record(request: Request) -> dict[str, Any]:
    image_id = request.ids["image_id"]
    record = image_access.records(request.viewer, [image_id]).get(image_id)
    if record is None:
        raise not_found(f"image {image_id}")
    return record


def _card(match: Match, min_confidence: float) -> dict[str, Any]:
    links = image_links.thumbnail_link(match.record)
    found = [
        {"Field": term.field, "Name": term.name, **({} if term.confidence is None else {"Confidence": term.confidence})}
        for term in match.found
    ]
    return {**image_documents.card(match.record, links, min_confidence), "Found": found}


def _deleted(deleted: image_deletion.Deleted) -> dict[str, Any]:
    words = {"".join(word.capitalize() for word in name.split("_")): value for name, value in asdict(deleted).items()}
    return {**words, "Renditions": list(deleted.renditions)}
