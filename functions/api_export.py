"""Api Export: exports images as CSV or JSON, page by page."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from imagewatch.api import export as declared
from imagewatch.api import spreadsheet
from imagewatch.api.dispatch import Api, Reply
from imagewatch.api.request import Request
from imagewatch.observability import logs_invocation
from imagewatch.search.find import Search
from imagewatch.services import image_search


def export(request: Request) -> Any:
    """A page of rows."""
    query = request.query
    asked = Search(query["q"], query["min_confidence"], query["limit"], query["cursor"])
    found = image_search.find(request.viewer, asked, query["sort"])
    rows = [declared.row(match.record, query["min_confidence"], request.viewer) for match in found.matches]
    if query["format"] == declared.JSON:
        return {"Images": rows, **({"NextCursor": found.cursor} if found.cursor else {})}
    names = declared.columns(request.viewer)
    text = spreadsheet.to_csv(names, ([row.get(name) for name in names] for row in rows))
    headers = {"Content-Disposition": 'attachment; filename="images.csv"'}
    if found.cursor:
        following = {name: value for name, value in query.items() if value not in ("", None)} | {"cursor": found.cursor}
        headers["Link"] = f'<?{urlencode(following)}>; rel="next"'
    return Reply(text, spreadsheet.MEDIA_TYPE, headers)


API = Api({declared.EXPORT: export})


@logs_invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes a request of the HTTP API (payload format 2.0); returns its answer."""
    return API.resolve(event, context)
