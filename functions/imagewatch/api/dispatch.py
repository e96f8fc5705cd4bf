"""Serves the operations of one resource: routes an event to its operation, and turns every error into a problem document."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler.api_gateway import APIGatewayHttpResolver, Response

from imagewatch.api import problems, request
from imagewatch.api.operation import Operation
from imagewatch.api.problems import RequestRefused
from imagewatch.api.request import Request
from imagewatch.observability import logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

JSON = "application/json"
PRIVATE = "no-store"
"""Cache-Control of every answer that depends on the viewer."""


@dataclass(frozen=True)
class Reply:
    """An answer that is not plain JSON with the operation's status."""

    body: Any
    """Values for JSON, or text of another media type."""
    media_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


Serve = Callable[[Request], Any]


class Api:
    """The operations of one function, and what serves each of them."""

    def __init__(self, operations: Mapping[Operation, Serve]) -> None:
        self._resolver = APIGatewayHttpResolver(serializer=_to_json)
        for operation, serve in operations.items():
            rule = operation.path.replace("{", "<").replace("}", ">")
            self._resolver.route(rule, method=operation.method)(self._route(operation, serve))
        self._resolver.not_found(lambda _: self._refused(problems.not_found("such resource")))
        self._resolver.exception_handler(Exception)(self._failed)

    def resolve(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        """The gateway's answer (payload 2.0) to its event."""
        logger.append_keys(route=event.get("routeKey"))
        return self._resolver.resolve(event, context)

    def _route(self, operation: Operation, serve: Serve) -> Callable[..., Response[Any]]:
        def route(**ids: str) -> Response[Any]:
            event = self._resolver.current_event.raw_event
            seconds = self._resolver.lambda_context.get_remaining_time_in_millis() / 1000
            answer = serve(request.read(event, operation, ids, seconds))
            reply = answer if isinstance(answer, Reply) else Reply(answer)
            headers = {"Cache-Control": PRIVATE, **reply.headers}
            return Response(operation.answer.status.value, reply.media_type, reply.body, headers)

        return route

    def _failed(self, error: Exception) -> Response[Any]:
        refused = problems.refusal(error)
        if refused is None:
            logger.exception("The request failed.", error=type(error).__name__)
            refused = RequestRefused(HTTPStatus.INTERNAL_SERVER_ERROR, problems.UNEXPECTED)
        elif refused.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            logger.warning("The request failed because of another service.", reason=str(error), error=type(error).__name__)
        return self._refused(refused)

    def _refused(self, refused: RequestRefused) -> Response[Any]:
        answer = problems.answer(refused, self._resolver.lambda_context.aws_request_id)
        return Response(answer["statusCode"], problems.MEDIA_TYPE, answer["body"], answer["headers"])


def _to_json(values: Any) -> str:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))
