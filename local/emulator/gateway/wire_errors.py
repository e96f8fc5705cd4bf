"""Writes errors in the protocol of the request, so that AWS SDKs raise them with their code and message."""

from __future__ import annotations

import json
import re
import uuid
from xml.sax.saxutils import escape

from local.emulator.gateway.call import Call
from local.emulator.gateway.http_server import Response

# These services name the member "Message", the others "message". botocore reads both, other SDKs don't.
_CAPITAL_MESSAGE = frozenset({"rekognition", "lambda"})
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(call: Call, code: str, message: str, status: int) -> tuple[int, dict[str, str], bytes]:
    """The error response.

    Responses to HEAD have no body, so SDKs know only the status, as on AWS. Characters that XML doesn't allow become U+FFFD.
    """
    request_id = str(uuid.uuid4())
    if call.protocol == "rest-xml":
        return _s3(call, code, message, status, request_id)
    if call.protocol == "query":
        fault = "Sender" if status < 500 else "Receiver"
        body = (
            f"<ErrorResponse><Error><Type>{fault}</Type><Code>{_text(code)}</Code><Message>{_text(message)}</Message>"
            f"</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        return status, {"Content-Type": "text/xml", "x-amzn-RequestId": request_id}, body.encode()
    name = "Message" if call.service in _CAPITAL_MESSAGE else "message"
    headers = {"x-amzn-RequestId": request_id}
    if call.protocol == "rest-json":
        headers |= {"Content-Type": "application/json", "x-amzn-ErrorType": code}
        fault = "User" if status < 500 else "Service"
        return status, headers, json.dumps({"Type": fault, name: message}).encode()
    headers["Content-Type"] = f"application/x-amz-{call.protocol}"
    return status, headers, json.dumps({"__type": code, name: message}).encode()


def error_response(call: Call, code: str, message: str, status: int) -> Response:
    """The error as an HTTP response."""
    answered, headers, body = render(call, code, message, status)
    return Response(answered, list(headers.items()), body)


def _s3(call: Call, code: str, message: str, status: int, request_id: str) -> tuple[int, dict[str, str], bytes]:
    headers = {"Content-Type": "application/xml", "x-amz-request-id": request_id, "x-amz-id-2": request_id}
    if call.method == "HEAD":
        return status, headers, b""
    return status, headers, s3_error_xml(code, message, request_id)


def s3_error_xml(code: str, message: str, request_id: str, **details: str) -> bytes:
    """S3's error document. `details` become further elements, such as MaxSizeAllowed of EntityTooLarge."""
    further = "".join(f"<{name}>{_text(value)}</{name}>" for name, value in details.items())
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{_text(code)}</Code><Message>{_text(message)}</Message>'
        f"{further}<RequestId>{request_id}</RequestId><HostId>{request_id}</HostId></Error>"
    ).encode()


def _text(value: str) -> str:
    return escape(_NOT_XML.sub("\ufffd", value), {"\r": "&#13;"})
