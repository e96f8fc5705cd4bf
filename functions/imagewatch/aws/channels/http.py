"""One POST to an address that people have configured: bounded in time and size, never redirected, never repeated in here.

The workflow does the repeating. Messages are our own, because urllib3's can hold the address, and Slack's address is a secret.
"""

from __future__ import annotations

import http.client
import io
import math
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, SSLError, TimeoutError

from imagewatch.alerts.cooldown import render_duration
from imagewatch.errors import ChannelGone, ChannelRefused, Throttled, Unavailable
from imagewatch.text import one_line

CONNECT_SECONDS = 3.0
READ_SECONDS = 5.0
MAX_ANSWER_BYTES = 4096
MAX_RETRY_AFTER = 3600.0
GONE = (404, 410)
_SHOWN = 200  # characters of an answer that a reason quotes


@dataclass(frozen=True)
class Answer:
    """What came back: the status, and the beginning of the body as text."""

    status: int
    text: str
    retry_after: float = 0
    """Seconds; 0 when none was named."""


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Sends and returns the answer, whatever its status. Raises ChannelRefused for an address that may not be used, Unavailable
    when there is no answer in time."""
    host = refuse_unsafe(url)
    try:
        with _connections() as connections:  # for this post alone: one that is kept may be closed at the other end by the next
            response = connections.request(
                "POST", url, body=body, headers={"Content-Type": "application/json", "Connection": "close", **headers},
                redirect=False, preload_content=False,
            )  # fmt: skip
            text = _beginning(response)
    except SSLError as error:
        raise ChannelRefused(f"{host} could not be trusted: its TLS certificate or version was refused.") from error
    except ConnectTimeoutError as error:
        raise Unavailable(f"{host} could not be reached within {CONNECT_SECONDS:g} seconds.") from error
    except TimeoutError as error:
        raise Unavailable(f"{host} did not answer within {READ_SECONDS:g} seconds.") from error
    except (HTTPError, OSError) as error:
        raise Unavailable(f"{host} could not be reached, or broke off ({type(error).__name__}).") from error
    return Answer(response.status, text, _retry_after(response.headers.get("Retry-After", "")))


def judge(answer: Answer, host: str) -> None:
    """Returns for a success; raises what the status means otherwise."""
    said = f"HTTP {answer.status}" + (f': "{one_line(answer.text)[:_SHOWN]}"' if answer.text.strip() else "")
    if 200 <= answer.status < 300:
        return
    if answer.status in GONE:
        raise ChannelGone(f"{host} says that the address no longer exists ({said}).")
    if answer.status == 429:
        wait = f" It asked for a pause of {render_duration(math.ceil(answer.retry_after))}." if answer.retry_after else ""
        raise Throttled(f"{host} takes no more messages for now ({said}).{wait}", answer.retry_after)
    if answer.status >= 500 or answer.status == 408:
        raise Unavailable(f"{host} failed ({said}).")
    if 300 <= answer.status < 400:
        raise ChannelRefused(f"{host} redirects elsewhere ({said}), which is never followed. Configure the final address.")
    raise ChannelRefused(f"{host} refused the message ({said}).")


def refuse_unsafe(url: str) -> str:
    """The address's host. Raises ChannelRefused unless it is https, or http to this very machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    if not host or parts.username is not None or parts.scheme not in ("http", "https"):
        raise ChannelRefused("The channel's address is not an https:// address. Configure it with `imagewatch channels add`.")
    if parts.scheme == "http" and not _is_this_machine(host):
        raise ChannelRefused(f"The address at {host} begins with http://, which can be read on the way. Use https://.")
    return host


def _beginning(response: urllib3.BaseHTTPResponse) -> str:
    """The status has come and decides; a body that breaks off must not have the message sent again."""
    try:
        return response.read(MAX_ANSWER_BYTES).decode("utf-8", "replace")
    except (HTTPError, OSError):
        return ""
    finally:
        response.close()


def _is_this_machine(host: str) -> bool:
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        return False
    return bool(found) and all(ip_address(address).is_loopback for address in found)


def _retry_after(value: str) -> float:
    """Seconds from either form of Retry-After (RFC 9110): a number, or a date."""
    if value.strip().isdigit():
        return min(float(value), MAX_RETRY_AFTER)
    try:
        seconds = parsedate_to_datetime(value).timestamp() - time.time()
    except ValueError:
        return 0
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)


class _InTime(io.RawIOBase):
    """What arrives from a socket within READ_SECONDS. The socket's timeout alone would start again with each byte."""

    def __init__(self, stream: io.RawIOBase, sock: socket.socket) -> None:
        self._stream, self._socket, self._until = stream, sock, time.monotonic() + READ_SECONDS

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        return self._stream.readinto(buffer)

    def close(self) -> None:
        self._stream.close()
        super().close()


class _ResponseInTime(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **named: Any) -> None:
        super().__init__(sock, *arguments, **named)
        self.fp = io.BufferedReader(_InTime(self.fp.detach(), sock))


class _HttpPool(urllib3.HTTPConnectionPool):
    class ConnectionCls(HTTPConnection):
        response_class = _ResponseInTime


class _HttpsPool(urllib3.HTTPSConnectionPool):
    class ConnectionCls(HTTPSConnection):
        response_class = _ResponseInTime


def _connections() -> urllib3.PoolManager:
    """Closes its connections on leaving the `with`. urllib3 would keep those whose server doesn't repeat "Connection: close"."""
    connections = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS))
    connections.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
    return connections
