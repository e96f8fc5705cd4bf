"""The viewer's HTTP server."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from local.emulator.gateway.http_server import HttpServer, Request, Response, run_wsgi
from local.emulator.mailbox import Mailbox
from local.viewer.api import ApiProxy
from local.viewer.app import make_app


class WebServer:
    """Binds the port on construction. Raises OSError if the port is taken. `api` serves /v1."""

    def __init__(
        self,
        host: str,
        port: int,
        endpoint: str,
        mailbox: Mailbox,
        problems: Callable[[], Sequence[str]],
        api: ApiProxy | None = None,
    ) -> None:
        self._api = api
        self._app = make_app(endpoint, mailbox=mailbox, problems=problems)
        self._server = HttpServer(host, port, self._handle)
        self.address = f"http://localhost:{self._server.port}"

    def start(self) -> None:
        self._server.start("viewer")

    def stop(self) -> None:
        self._server.stop()

    def _handle(self, request: Request) -> Response:
        if self._api and self._api.serves(request):
            return self._api(request)
        return run_wsgi(self._app, request, self._server.port)
