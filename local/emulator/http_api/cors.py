"""The CORS headers that API Gateway adds, and its answer to preflights.

Source: Amazon API Gateway developer guide, "Configure CORS for HTTP APIs": the gateway answers preflights itself, adds its
headers to an integration's response, and ignores the integration's CORS headers.
"""

from __future__ import annotations

from collections.abc import Mapping

from local.emulator.gateway.http_server import Response
from local.emulator.http_api.definition import Cors

Headers = list[tuple[str, str]]


def preflight(cors: Cors, headers: Mapping[str, str]) -> Response:
    """The answer to an OPTIONS request. A foreign origin gets no CORS headers, so the browser refuses the request."""
    origin = allowed_origin(cors, headers)
    if origin is None or "access-control-request-method" not in headers:
        return Response(204, [])
    answer: Headers = [("access-control-allow-origin", origin)]
    if cors.methods:
        answer.append(("access-control-allow-methods", ",".join(cors.methods)))
    if cors.headers:
        answer.append(("access-control-allow-headers", ",".join(cors.headers)))
    if cors.max_age is not None:
        answer.append(("access-control-max-age", str(cors.max_age)))
    if cors.credentials:
        answer.append(("access-control-allow-credentials", "true"))
    return Response(204, answer)


def with_cors(cors: Cors | None, headers: Mapping[str, str], response: Response) -> Response:
    """An integration's response, with the CORS headers of the gateway only."""
    if cors is None:
        return response
    kept = [(name, value) for name, value in response.headers if not name.lower().startswith("access-control-")]
    origin = allowed_origin(cors, headers)
    if origin is not None:
        kept.append(("access-control-allow-origin", origin))
        if cors.exposed:
            kept.append(("access-control-expose-headers", ",".join(cors.exposed)))
        if cors.credentials:
            kept.append(("access-control-allow-credentials", "true"))
    return Response(response.status, kept, response.body)


def allowed_origin(cors: Cors, headers: Mapping[str, str]) -> str | None:
    """The value of Access-Control-Allow-Origin for this request, or None."""
    origin = headers.get("origin")
    if not origin:
        return None
    if "*" in cors.origins:
        return origin if cors.credentials else "*"
    schemes = [pattern for pattern in cors.origins if pattern.endswith("://*") and origin.startswith(pattern[:-1])]
    return origin if origin in cors.origins or schemes else None
