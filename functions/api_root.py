"""Api Root: returns the OpenAPI document, and answers requests that no route matches."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from imagewatch.api import problems
from imagewatch.api.catalogue import OPERATIONS, PUBLIC_OPERATIONS
from imagewatch.api.dispatch import JSON
from imagewatch.api.root import GET_OPENAPI, unmatched
from imagewatch.observability import logs_invocation

DOCUMENT = "openapi.json"
NO_CONTENT = 204


@logs_invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes a request of the HTTP API (payload format 2.0) without an access token; returns its answer.

    API Gateway adds the CORS headers to the answer of a preflight request that arrives here.
    """
    http = event["requestContext"]["http"]
    method, path = http["method"], event["rawPath"].removeprefix(f"/{event['requestContext']['stage']}") or "/"
    if method == "OPTIONS":
        return {"statusCode": NO_CONTENT}
    if (method, path) == (GET_OPENAPI.method, GET_OPENAPI.path):
        text = files("imagewatch.api").joinpath(DOCUMENT).read_text(encoding="utf-8")
        return {"statusCode": 200, "headers": {"Content-Type": JSON, "Cache-Control": "max-age=300"}, "body": text}
    return problems.answer(unmatched(method, path, (*OPERATIONS, *PUBLIC_OPERATIONS)), context.aws_request_id)
