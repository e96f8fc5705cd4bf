"""Events of the HTTP API (payload format 2.0) for tests of its functions.

Source of the form: API Gateway developer guide, "Create AWS Lambda proxy integrations for HTTP APIs".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

STAGE = "v1"
SUB = "5c1c6d2e-7c4b-4d0f-9a53-0d3f2a1b6c7d"
OTHER_SUB = "aaaaaaaa-7c4b-4d0f-9a53-0d3f2a1b6c7d"


def claims(sub: str = SUB, *groups: str, **more: str) -> dict[str, str]:
    """The claims of an access token as API Gateway passes them: all of them text."""
    listed = {"cognito:groups": f"[{' '.join(groups)}]"} if groups else {}
    return {"sub": sub, "token_use": "access", "username": sub, "scope": "aws.cognito.signin.user.admin", **listed, **more}


def api_event(
    method: str,
    path: str,
    query: Mapping[str, Any] | Sequence[tuple[str, Any]] = (),
    body: Any = None,
    user: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A request to a path below the stage. `user` has the claims of the token; the default is a person without a group."""
    raw_query = urlencode(query, doseq=True)
    text = body if body is None or isinstance(body, str) else json.dumps(body)
    sent = {"content-type": "application/json"} if text is not None else {}
    return {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": f"/{STAGE}{path}",
        "rawQueryString": raw_query,
        "headers": {"host": "api.example.com", **sent, **(headers or {})},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api",
            "authorizer": {"jwt": {"claims": dict(claims() if user is None else user), "scopes": None}},
            "domainName": "api.example.com",
            "http": {
                "method": method,
                "path": f"/{STAGE}{path}",
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "test",
            },
            "requestId": "request-1",
            "routeKey": f"{method} {path}",
            "stage": STAGE,
            "time": "20/Nov/2026:09:30:15 +0000",
            "timeEpoch": 1795167015000,
        },
        "body": text,
        "isBase64Encoded": False,
    }


def body_of(answer: Mapping[str, Any]) -> Any:
    """The parsed JSON of an answer."""
    return json.loads(answer["body"])
