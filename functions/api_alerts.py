"""Api Alerts: lists alerts, acknowledges them and marks wrong ones, for operators."""

from __future__ import annotations

from typing import Any

from imagewatch.api import alerts as declared
from imagewatch.api.dispatch import Api
from imagewatch.api.pages import read_cursor, write_cursor
from imagewatch.api.problems import not_found
from imagewatch.api.request import Request
from imagewatch.aws.tables.alert_list import AlertPlace
from imagewatch.observability import logs_invocation
from imagewatch.services import alert_inbox


def show_all(request: Request) -> dict[str, Any]:
    """A page of alerts, the newest first."""
    query = request.query
    place = read_cursor(query["cursor"], 2)
    page = alert_inbox.page(query["rule_id"], query["since"], AlertPlace(*place) if place else None, query["limit"])
    following = {"NextCursor": write_cursor((page.place.created_at, page.place.alert_id))} if page.place else {}
    return {"Alerts": [declared.document(record) for record in page.records], **following}


def acknowledge(request: Request) -> dict[str, Any]:
    """The acknowledged alert."""
    return _shown(request, alert_inbox.acknowledge(request.ids["alert_id"], request.viewer.sub))


def mark_wrong(request: Request) -> dict[str, Any]:
    """The alert with its mark."""
    note = declared.note_of(request.body)
    return _shown(request, alert_inbox.mark_wrong(request.ids["alert_id"], request.viewer.sub, note))


def unmark(request: Request) -> dict[str, Any]:
    """The alert without its mark."""
    return _shown(request, alert_inbox.unmark(request.ids["alert_id"]))


API = Api(
    {
        declared.LIST_ALERTS: show_all,
        declared.ACKNOWLEDGE: acknowledge,
        declared.MARK_WRONG: mark_wrong,
        declared.UNMARK: unmark,
    }
)


@logs_invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes a request of the HTTP API (payload format 2.0); returns its answer."""
    return API.resolve(event, context)


def _shown(request: Request, record: dict[str, Any] | None) -> dict[str, Any]:
    if record is None:
        raise not_found(f"alert {request.ids['alert_id']}")
    return declared.document(record)
