"""Serves the viewer on its own port, beside the endpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local.emulator.gateway.http_server import HttpServer, Request, Response, wsgi_environ
from local.emulator.mailbox import Mailbox
from local.viewer.app import make_app


class WebServer:
    """Binds at once; OSError when the port is taken."""

    def __init__(self, host: str, port: int, endpoint: str, mailbox: Mailbox) -> None:
        self._app = make_app(endpoint, mailbox=mailbox)
        self._server = HttpServer(host, port, self._handle)
        self.port = self._server.port

    def start(self) -> None:
        self._server.start("viewer")

    def stop(self) -> None:
        self._server.stop()

    def _handle(self, request: Request) -> Response:
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[..., None]:
            started[:] = [int(status.split(" ", 1)[0]), headers]
            return lambda data: None

        body = b"".join(self._app(wsgi_environ(request, self.port), start_response))
        return Response(started[0], started[1], body)
