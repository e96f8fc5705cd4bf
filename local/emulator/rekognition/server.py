"""An HTTP server for the engine alone, for `aws rekognition --endpoint-url http://localhost:4577`."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from local.emulator.rekognition.engine import Engine
from local.emulator.rekognition.errors import ObjectNotReadable
from local.emulator.rekognition.requests import Fetch
from local.emulator.rekognition.wire import CONTENT_TYPE, respond

LARGEST_BODY = (
    64 * 1024 * 1024
)  # bytes; well above Rekognition's limit, so that a request above that limit gets Rekognition's own error


def no_objects(bucket: str, key: str, version: str | None) -> bytes:
    """The `fetch` of a server without S3."""
    raise ObjectNotReadable(
        f"This server reads no S3 (asked for s3://{bucket}/{key}): send Image.Bytes, or start it with --s3-endpoint."
    )


def s3_objects(endpoint: str) -> Fetch:
    """A `fetch` that reads from an S3-compatible endpoint, with boto3's usual credentials."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    client = boto3.client("s3", endpoint_url=endpoint)

    def fetch(bucket: str, key: str, version: str | None) -> bytes:
        try:
            if version:
                return client.get_object(Bucket=bucket, Key=key, VersionId=version)["Body"].read()
            return client.get_object(Bucket=bucket, Key=key)["Body"].read()
        except (ClientError, BotoCoreError) as error:
            raise ObjectNotReadable(str(error)) from error

    return fetch


def make_server(engine: Engine, port: int, *, host: str = "127.0.0.1", fetch: Fetch = no_objects) -> ThreadingHTTPServer:
    """A server that isn't serving yet; port 0 takes a free one (`server_address[1]`)."""
    server = ThreadingHTTPServer((host, port), _handler(engine, fetch))
    server.daemon_threads = True
    return server


def _handler(engine: Engine, fetch: Fetch) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # headers and body in one packet

        def do_GET(self) -> None:
            health = {"status": "ok", "labels": engine.label_version}
            self._send(200, {"Content-Type": "application/json"}, json.dumps(health).encode())

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isdigit() or int(length) > LARGEST_BODY:
                self.close_connection = True
                self._send(413, {"Content-Type": CONTENT_TYPE}, b'{"__type": "RequestEntityTooLargeException"}')
                return
            status, headers, content = respond(engine, self.headers.get("X-Amz-Target"), self.rfile.read(int(length)), fetch)
            self._send(status, headers, content)

        def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(content))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """One line for each request, with the operation."""
            self.log_message("%s %s", self.headers.get("X-Amz-Target", self.path), code)

    return Handler
