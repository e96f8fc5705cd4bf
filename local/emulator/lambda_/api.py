"""Lambda's Invoke over HTTP, answered by our own runner ahead of moto (which would start a container)."""

from __future__ import annotations

import uuid

from local.emulator.gateway.calls import Call
from local.emulator.gateway.http_server import Request, Response
from local.emulator.gateway.wire_errors import render
from local.emulator.lambda_.runner import FunctionNotFound, InvokeFault, LambdaRunner

LARGEST_SYNCHRONOUS = 6 * 1024 * 1024  # bytes, as on AWS
LARGEST_ASYNCHRONOUS = 1024 * 1024


def invoke(request: Request, call: Call, runner: LambdaRunner, name: str) -> Response:
    """X-Amz-Invocation-Type is RequestResponse, Event or DryRun."""
    kind = request.headers.get("x-amz-invocation-type", "RequestResponse")
    limit = LARGEST_ASYNCHRONOUS if kind == "Event" else LARGEST_SYNCHRONOUS
    if len(request.body) > limit:
        message = f"{len(request.body)} byte payload is too large for the {kind} invocation type (limit {limit} bytes)"
        return error(call, "RequestTooLargeException", message, 413)
    event = request.body or b"{}"
    try:
        if kind == "DryRun":
            runner.pool(name)
            return Response(204, [])
        if kind == "Event":
            runner.invoke_async(name, event)
            return Response(202, [("x-amzn-RequestId", str(uuid.uuid4()))])
        result = runner.invoke(name, event, request.headers.get("x-amzn-trace-id", ""))
    except FunctionNotFound:
        return error(call, "ResourceNotFoundException", f"Function not found: {name}", 404)
    except InvokeFault as refused:
        return error(call, refused.fault.code, refused.fault.message, refused.fault.status)
    except TimeoutError as busy:
        return error(call, "TooManyRequestsException", str(busy), 429)
    headers = [
        ("Content-Type", "application/json"),
        ("x-amzn-RequestId", result.request_id),
        ("X-Amz-Executed-Version", "$LATEST"),
    ]
    if result.error:
        headers.append(("X-Amz-Function-Error", result.error))
    return Response(200, headers, result.payload)


def error(call: Call, code: str, message: str, status: int) -> Response:
    answered, headers, body = render(call, code, message, status)
    return Response(answered, list(headers.items()), body)
