"""Account: serves /account, the user who is signed in."""

from __future__ import annotations

import json
from typing import Any

from imagewatch.observability import logs_invocation

JSON = {"content-type": "application/json"}


@logs_invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes a request of the HTTP API (payload format 2.0); returns the user's id, the `sub` of the access token."""
    claims = event["requestContext"]["authorizer"]["jwt"]["claims"]
    return {"statusCode": 200, "headers": JSON, "body": json.dumps({"id": claims["sub"]})}
