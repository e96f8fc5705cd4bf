"""One POST to a configured address: bounded in time and size, without redirects and repetitions. The workflow does the retries.

Built on http.client: the connection goes to an address that was checked, and the time for an answer is bounded as a whole.
All messages are composed here: those of libraries can hold the address, and Slack's address is a secret.
"""

from __future__ import annotations

import http.client
import io
import math
import re
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from imagewatch.alerts.cooldown import render_duration
from imagewatch.aws.channels.addresses import Target, resolve
from imagewatch.errors import ChannelGone, ChannelRefused, Throttled, Unavailable
from imagewatch.text import one_line

CONNECT_SECONDS = 3.0
READ_SECONDS = 5.0
MAX_ANSWER_BYTES = 4096
MAX_RETRY_AFTER = 3600.0
GONE = (404, 410)
_SHOWN = 200  # characters of an answer that a reason quotes
_BROKEN = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)  # the connection ended; nothing was refused


@dataclass(frozen=True)
class Answer:
    """The answer to a POST: the status, and the beginning of the body as text."""

    status: int
    text: str
    retry_after: float = 0
    """Seconds; 0 when none was given."""
    host: str = ""


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Sends and returns the answer, with any status.

    Raises ChannelRefused for an address that may not be used, and Unavailable when there is no answer in time.
    """
    target = resolve(url)
    connection = _Connection(target)
    try:
        connection.request("POST", target.path, body, {"Content-Type": "application/json", "Connection": "close", **headers})
        response = connection.getresponse()
        retry_after = _retry_after(response.headers.get("Retry-After", ""))
        return Answer(response.status, _beginning(response), retry_after, target.host)
    except TimeoutError as error:
        raise Unavailable(f"{target.host} did not answer within {READ_SECONDS:g} seconds.") from error
    except http.client.InvalidURL as error:
        raise ChannelRefused(f"The address at {target.host} holds characters that an https:// address can't have.") from error
    except (http.client.HTTPException, OSError) as error:
        raise Unavailable(f"{target.host} could not be reached, or broke off ({type(error).__name__}).") from error
    finally:
        connection.hang_up()


def judge(answer: Answer, name: str = "") -> None:
    """Returns for a success; raises the error that any other status means. `name` stands for the receiver in messages."""
    host = name or answer.host
    said = f"HTTP {answer.status}" + (f': "{one_line(answer.text)[:_SHOWN]}"' if answer.text.strip() else "")
    if 200 <= answer.status < 300:
        return
    if answer.status in GONE:
        raise ChannelGone(f"{host} says that the address no longer exists ({said}).")
    if answer.status == 429:
        wait = f" It asked for a pause of {render_duration(math.ceil(answer.retry_after))}." if answer.retry_after else ""
        raise Throttled(f"{host} accepts no more messages for now ({said}).{wait}", answer.retry_after)
    if answer.status >= 500 or answer.status == 408:
        raise Unavailable(f"{host} failed ({said}).")
    if 300 <= answer.status < 400:
        raise ChannelRefused(f"{host} redirects elsewhere ({said}). Redirects are not followed. Configure the final address.")
    raise ChannelRefused(f"{host} refused the message ({said}).")


def _beginning(response: http.client.HTTPResponse) -> str:
    """The beginning of the body. The status has arrived and decides: an incomplete body must not repeat the message."""
    try:
        return response.read(MAX_ANSWER_BYTES).decode("utf-8", "replace")
    except (http.client.HTTPException, OSError):
        return ""


def _retry_after(value: str) -> float:
    """Seconds from either form of Retry-After (RFC 9110, section 10.2.3): digits, or a date. 0 for anything else."""
    text = value.strip(" \t")
    if re.fullmatch("[0-9]+", text):
        return min(float(text[:9]), MAX_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(text)
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - time.time()
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)


class _Connection(http.client.HTTPConnection):
    """A connection to the addresses of a target, without a second look-up of its name."""

    def __init__(self, target: Target) -> None:
        super().__init__(target.host, target.port)
        self.default_port = 443 if target.is_encrypted else 80  # which the Host header leaves out
        self._target = target
        self._socket: socket.socket | None = None

    def hang_up(self) -> None:
        """Closes the socket. `close` leaves it open, because http.client calls it before the body is read."""
        if self._socket:
            self._socket.close()

    def connect(self) -> None:
        """Raises ChannelRefused when the host's certificate can't be trusted, Unavailable when it can't be reached in time."""
        target = self._target
        self._socket = self._first_connection(time.monotonic() + CONNECT_SECONDS)
        self._socket.settimeout(READ_SECONDS)
        try:
            if target.is_encrypted:
                self._socket = ssl.create_default_context().wrap_socket(self._socket, server_hostname=target.host)
            self.sock: Any = _InTime(self._socket)
        except _BROKEN:
            raise
        except ssl.SSLError as error:
            raise ChannelRefused(f"{target.host} can't be trusted: its TLS certificate or version was refused.") from error

    def _first_connection(self, until: float) -> socket.socket:
        failure: OSError | None = None
        for address in self._target.addresses:
            left = until - time.monotonic()
            if left <= 0:
                break
            try:
                return socket.create_connection((address, self._target.port), left)
            except OSError as error:
                failure = error
        if failure is None or isinstance(failure, TimeoutError):
            raise Unavailable(f"{self._target.host} could not be reached within {CONNECT_SECONDS:g} seconds.")
        raise failure


class _InTime:
    """A socket whose whole conversation takes READ_SECONDS at most: a socket's own timeout starts again with each byte."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket, self._until = sock, time.monotonic() + READ_SECONDS

    def sendall(self, data: bytes) -> None:
        self._socket.settimeout(self._left())
        self._socket.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self))

    def receive_into(self, buffer: Any) -> int:
        self._socket.settimeout(self._left())
        return self._socket.recv_into(buffer)

    def close(self) -> None:
        """Leaves the socket open: see `_Connection.hang_up`."""

    def _left(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Reader(io.RawIOBase):
    def __init__(self, conversation: _InTime) -> None:
        self._conversation = conversation

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._conversation.receive_into(buffer)
