"""The Lambda Runtime API for one worker: a single persistent HTTP connection that the invoking thread serves.

A worker requests `/runtime/invocation/next` and waits. The invoking thread answers that request on the worker's socket and
reads the next request, which carries the result. No further thread or queue is involved.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass

VERSION = "/2018-06-01/runtime"
ACCEPTED = b'HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"status":"OK"}'


class WorkerGone(Exception):
    """The worker closed its connection: it exited or was killed."""


class DeadlinePassed(Exception):
    """The worker did not answer before the deadline."""


@dataclass(frozen=True)
class RuntimeRequest:
    """A request of the worker. `path` has no version prefix; `headers` has lower-case names."""

    path: str
    headers: dict[str, str]
    body: bytes


class Connection:
    """The server's side of a worker's connection. Not thread-safe: a worker runs one invocation at a time."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.peer: socket.socket | None = None
        self.buffer = b""

    @property
    def address(self) -> str:
        host, port = self.listener.getsockname()
        return f"{host}:{port}"

    def close(self) -> None:
        self.listener.close()
        if self.peer is not None:
            self.peer.close()

    def read(self, deadline: float) -> RuntimeRequest:
        """The worker's next request. Raises DeadlinePassed at `deadline`, in seconds of time.monotonic."""
        while b"\r\n\r\n" not in self.buffer:
            self._receive(deadline)
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        request_line, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if "expect" in headers:
            self._send(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = self._read_body(headers, deadline)
        path = request_line.split(" ")[1]
        return RuntimeRequest(path.split(VERSION, 1)[-1], headers, body)

    def _read_body(self, headers: dict[str, str], deadline: float) -> bytes:
        length = int(headers.get("content-length", "0"))
        chunks = [self.buffer]
        have = len(self.buffer)
        while have < length:
            chunk = self._chunk(deadline)
            chunks.append(chunk)
            have += len(chunk)
        data = b"".join(chunks)
        self.buffer = data[length:]
        return data[:length]

    def answer_next(self, headers: dict[str, str], event: bytes) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{lines}Content-Length: {len(event)}\r\n\r\n"
        self._send(head.encode("latin-1") + event)

    def check_open(self) -> None:
        """Raises WorkerGone when the worker has closed the connection, although its last request can still be read."""
        if self.peer is None:
            raise WorkerGone
        try:
            self.peer.setblocking(False)
            if not self.peer.recv(1, socket.MSG_PEEK):
                raise WorkerGone
        except BlockingIOError:
            return  # open, and nothing to read
        except OSError as error:
            raise WorkerGone from error

    def accept_response(self) -> None:
        self._send(ACCEPTED)

    def _send(self, data: bytes) -> None:
        if self.peer is None:
            raise WorkerGone
        try:
            self.peer.settimeout(30)
            self.peer.sendall(data)
        except OSError as error:
            raise WorkerGone from error

    def _receive(self, deadline: float) -> None:
        self.buffer += self._chunk(deadline)

    def _chunk(self, deadline: float) -> bytes:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise DeadlinePassed
        try:
            if self.peer is None:
                self.listener.settimeout(remaining)
                self.peer, _ = self.listener.accept()
                self.peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.peer.settimeout(max(deadline - time.monotonic(), 0.001))
            data = self.peer.recv(262144)
        except TimeoutError as error:
            raise DeadlinePassed from error
        except OSError as error:
            raise WorkerGone from error
        if not data:
            raise WorkerGone
        return data
