"""A small HTTP/1.1 server with persistent connections and one thread for each connection.

werkzeug's server closes the connection after each response and parses headers with the e-mail parser, which is slow. A bounded
thread pool could deadlock: an invocation holds its thread while the function calls this server.
"""

from __future__ import annotations

import io
import logging
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes
from wsgiref.types import WSGIApplication

log = logging.getLogger(__name__)

LONGEST_HEAD = 65536
PHRASES = {status.value: status.phrase for status in HTTPStatus}


@dataclass(frozen=True)
class Request:
    """A request. `target` is the request target as sent. Names are lower case in `headers`, as sent in `header_list`."""

    method: str
    target: str
    headers: dict[str, str]
    header_list: list[tuple[str, str]]
    body: bytes
    client: str

    @property
    def path(self) -> str:
        return self.target.split("?", 1)[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]


@dataclass(frozen=True)
class Response:
    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""


Handler = Callable[[Request], Response]


class BadRequest(Exception):
    """The connection's bytes aren't a valid HTTP request."""


class Connection(socketserver.StreamRequestHandler):
    """Reads requests and writes responses until the client closes the connection."""

    rbufsize = 65536
    disable_nagle_algorithm = True
    server: HttpServer

    def handle(self) -> None:
        try:
            while self._exchange():
                pass
        except (ConnectionError, TimeoutError):
            return
        except BadRequest as error:
            self._write(Response(400, [("Content-Type", "text/plain")], str(error).encode()), "GET", close=True)

    def _exchange(self) -> bool:
        request = self._read()
        if request is None:
            return False
        try:
            response = self.server.application(request)
        except Exception as error:
            log.exception("%s %s failed", request.method, request.target)
            response = Response(500, [("Content-Type", "text/plain")], f"{type(error).__name__}: {error}".encode())
        close = request.headers.get("connection", "").lower() == "close"
        self._write(response, request.method, close=close)
        return not close

    def _read(self) -> Request | None:
        line = self.rfile.readline(LONGEST_HEAD)
        while line in (b"\r\n", b"\n"):
            line = self.rfile.readline(LONGEST_HEAD)
        if not line:
            return None
        parts = line.decode("latin-1").split()
        if len(parts) != 3:
            raise BadRequest("not an HTTP request line")
        header_list = self._headers()
        headers: dict[str, str] = {}
        for name, value in header_list:
            key = name.lower()
            headers[key] = f"{headers[key]},{value}" if key in headers else value
        if headers.get("expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        target = parts[1]
        if "://" in target.split("?")[0]:
            target = "/" + target.split("://", 1)[1].partition("/")[2]
        return Request(parts[0], target, headers, header_list, self._body(headers), self.client_address[0])

    def _headers(self) -> list[tuple[str, str]]:
        found = []
        while (line := self.rfile.readline(LONGEST_HEAD)) not in (b"\r\n", b"\n", b""):
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon:
                raise BadRequest("not an HTTP header")
            found.append((name, value.strip()))
        return found

    def _body(self, headers: dict[str, str]) -> bytes:
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return self._chunked_body()
        length = headers.get("content-length", "0")
        if not length.isdigit():
            raise BadRequest("Content-Length isn't a number")
        return self.rfile.read(int(length)) if length != "0" else b""

    def _chunked_body(self) -> bytes:
        body = io.BytesIO()
        while True:
            try:
                size = int(self.rfile.readline(LONGEST_HEAD).split(b";")[0], 16)
            except ValueError as error:
                raise BadRequest("not a chunk size") from error
            if size == 0:
                self._headers()
                return body.getvalue()
            body.write(self.rfile.read(size))
            self.rfile.readline(LONGEST_HEAD)

    def _write(self, response: Response, method: str, *, close: bool) -> None:
        lines = [f"HTTP/1.1 {response.status} {PHRASES.get(response.status, 'Unknown')}\r\n"]
        has_length = False
        for name, value in response.headers:
            lower = name.lower()
            if lower == "transfer-encoding" or lower == "connection":
                continue
            has_length = has_length or lower == "content-length"
            lines.append(f"{name}: {value}\r\n")
        if not has_length and response.status not in (204, 304):
            lines.append(f"Content-Length: {len(response.body)}\r\n")
        lines.append("Connection: close\r\n\r\n" if close else "\r\n")
        head = "".join(lines).encode("latin-1", "replace")
        body = b"" if method == "HEAD" or response.status in (204, 304) else response.body
        self.connection.sendall(head + body)


class HttpServer(socketserver.ThreadingTCPServer):
    """Binds the port on construction; raises OSError if it is taken. An exception in `application` becomes a 500 response."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, host: str, port: int, application: Handler) -> None:
        self.application = application
        super().__init__((host, port), Connection)

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def start(self, name: str) -> None:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.2}, name=name, daemon=True).start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        log.debug("a connection failed", exc_info=True)


def run_wsgi(application: WSGIApplication, request: Request, port: int) -> Response:
    """Pass the request to a WSGI application and collect its response."""
    return collect_wsgi(application, wsgi_environ(request, port))


def collect_wsgi(application: WSGIApplication, environ: dict[str, Any]) -> Response:
    """Call a WSGI application and collect its response."""
    status, headers = 500, [("Content-Type", "text/plain")]

    def start_response(
        status_line: str, header_list: list[tuple[str, str]], exc_info: object = None
    ) -> Callable[[bytes], object]:
        nonlocal status, headers
        status, headers = int(status_line.split(" ", 1)[0]), header_list
        return lambda data: None

    body = b"".join(application(environ, start_response))
    return Response(status, headers, body)


def wsgi_environ(request: Request, port: int) -> dict[str, Any]:
    """The request as a WSGI environ with RAW_URI, which moto reads."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.path).decode("latin-1"),
        "QUERY_STRING": request.query,
        "REQUEST_URI": request.target,
        "RAW_URI": request.target,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": request.client,
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    for name, value in request.headers.items():
        if name == "content-type":
            environ["CONTENT_TYPE"] = value
        elif name not in ("content-length", "transfer-encoding"):
            environ["HTTP_" + name.upper().replace("-", "_")] = value
    return environ
