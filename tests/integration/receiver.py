"""A real HTTP server on this machine that takes the place of Slack or of a webhook's server."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Answers each request with the next of `answers` (status, body, headers), repeats the last one, and records requests."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    answers: list[tuple[int, bytes, dict[str, str]]] = field(default_factory=lambda: [(200, b"ok", {})])
    hang: threading.Event = field(default_factory=threading.Event)
    """While it is not set, an answer with status 0 makes the caller wait, and one with status -2 is sent byte by byte. Status -1
    sends bytes that are not HTTP. After status -3 the connection stays open until the caller closes it or sends more, which gets
    no answer."""

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.answers = [(status, body, {name.replace("_", "-"): value for name, value in headers.items()})]

    def next_answer(self) -> tuple[int, bytes, dict[str, str]]:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def listening() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            receiver.received.append(Received(self.path, dict(self.headers), body))
            status, answer, headers = receiver.next_answer()
            if status == 0:
                receiver.hang.wait(30)
                return
            if status == -1:
                self.wfile.write(answer)  # not HTTP
                return
            if status == -2:
                for place in range(len(answer)):
                    self.wfile.write(answer[place : place + 1])
                    receiver.hang.wait(0.005)
                return
            if status == -3:
                self.wfile.write(answer)
                self.rfile.read(1)
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *arguments: Any) -> None:
            """Prints nothing, to keep the test's output readable."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            if not isinstance(sys.exception(), ConnectionError):  # in some tests, the caller closes the connection early
                super().handle_error(request, client_address)

    server = Server(("127.0.0.1", 0), Handler)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.hang.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
