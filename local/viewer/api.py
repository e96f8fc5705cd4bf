"""Passes requests for /v1 on to the stack's HTTP API, so that a page and the API have the same origin."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from urllib.parse import urlsplit

from local.emulator.gateway.http_server import Handler, Request, Response

PREFIX = "/v1"


class ApiProxy:
    """Serves /v1 with the endpoint's own application. `api_url` returns the output ApiUrl, which ends with /v1, or None."""

    def __init__(self, application: Handler, api_url: Callable[[], str | None]) -> None:
        self._application = application
        self._api_url = api_url

    @staticmethod
    def serves(request: Request) -> bool:
        return request.path == PREFIX or request.path.startswith(f"{PREFIX}/")

    def __call__(self, request: Request) -> Response:
        url = self._api_url()
        if url is None:
            return Response(404, [("Content-Type", "application/json")], b'{"message":"Not Found"}')
        base = urlsplit(url).path.removesuffix(PREFIX)
        return self._application(dataclasses.replace(request, target=base + request.target))
