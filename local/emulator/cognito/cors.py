"""The CORS headers of user pools: browsers call Cognito directly, from any origin.

Source: what cognito-idp.us-east-1.amazonaws.com answers to a browser; amazon-cognito-identity-js relies on it.
"""

from __future__ import annotations

from collections.abc import Mapping

EXPOSED = "x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,Date"
Headers = list[tuple[str, str]]


def headers(request: Mapping[str, str]) -> Headers:
    """The CORS headers of a response; none without an origin. `request` has the headers with lower-case names."""
    if "origin" not in request:
        return []
    return [("Access-Control-Allow-Origin", "*"), ("Access-Control-Expose-Headers", EXPOSED)]


def preflight_headers(request: Mapping[str, str]) -> Headers:
    """The headers of the answer to a preflight."""
    if "origin" not in request or "access-control-request-method" not in request:
        return []
    answer = [
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Allow-Methods", request["access-control-request-method"]),
        ("Access-Control-Max-Age", "172800"),
    ]
    if wanted := request.get("access-control-request-headers"):
        answer.append(("Access-Control-Allow-Headers", wanted))
    return answer
