"""Presigned addresses: S3 answers them until they expire.

Amazon S3 API reference, "Authenticating requests: using query parameters" (signature version 4).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

MAX_SECONDS = 604_800  # seven days


def refusal(query: str, now: datetime) -> tuple[str, str, int] | None:
    """(code, message, status) for a request whose presigned query has expired or is malformed; None for every other request."""
    fields = dict(parse_qsl(query, keep_blank_values=True))
    try:
        if "X-Amz-Credential" in fields:
            seconds = int(fields["X-Amz-Expires"])
            signed = datetime.strptime(fields["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            if not 0 < seconds <= MAX_SECONDS:
                message = f"X-Amz-Expires must be between 1 and {MAX_SECONDS} seconds"
                return "AuthorizationQueryParametersError", message, 400
            expires = signed + timedelta(seconds=seconds)
        elif "AWSAccessKeyId" in fields:
            expires = datetime.fromtimestamp(int(fields["Expires"]), UTC)
        else:
            return None
    except (KeyError, ValueError, OverflowError, OSError):
        return "AuthorizationQueryParametersError", "The query parameters of the signature are missing or malformed", 400
    return ("AccessDenied", "Request has expired", 403) if now >= expires else None
