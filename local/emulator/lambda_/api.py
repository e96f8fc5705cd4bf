"""Lambda's Invoke API, served by the runner. moto would start a container."""

from __future__ import annotations

import uuid

from local.emulator.gateway.call import Call
from local.emulator.gateway.http_server import Request, Response
from local.emulator.gateway.wire_errors import error_response
from local.emulator.lambda_.runner import FunctionNotFound, InvokeFault, LambdaRunner

MAX_SYNCHRONOUS_PAYLOAD = 6 * 1024 * 1024  # bytes, as on AWS
MAX_ASYNCHRONOUS_PAYLOAD = 1024 * 1024


def invoke(request: Request, call: Call, runner: LambdaRunner, name: str) -> Response:
    """Serve one Invoke request. X-Amz-Invocation-Type is RequestResponse, Event or DryRun."""
    kind = request.headers.get("x-amz-invocation-type", "RequestResponse")
    limit = MAX_ASYNCHRONOUS_PAYLOAD if kind == "Event" else MAX_SYNCHRONOUS_PAYLOAD
    if len(request.body) > limit:
        message = f"{len(request.body)} byte payload is too large for the {kind} invocation type (limit {limit} bytes)"
        return error_response(call, "RequestTooLargeException", message, 413)
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
        return error_response(call, "ResourceNotFoundException", f"Function not found: {name}", 404)
    except InvokeFault as error:
        return error_response(call, error.fault.code, error.fault.message, error.fault.status)
    except TimeoutError as error:
        return error_response(call, "TooManyRequestsException", str(error), 429)
    headers = [
        ("Content-Type", "application/json"),
        ("x-amzn-RequestId", result.request_id),
        ("X-Amz-Executed-Version", "$LATEST"),
    ]
    if result.error:
        headers.append(("X-Amz-Function-Error", result.error))
    return Response(200, headers, result.payload)
