"""The fork server: imports what every function needs once, then forks one worker for each sandbox asked for.

Forking shares the imported pages between the workers (copy on write) and makes a cold start a matter of milliseconds.
It runs as a separate program, `python -m local.emulator.lambda_.fork_server FD`, and so does not inherit the server's threads.
The control socket carries one JSON object per line; a spawn request comes with the descriptor of the worker's output.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
from typing import Any

from local.emulator.memory import share_service_models

PRELOADED = (
    "boto3.dynamodb.conditions",
    "boto3.dynamodb.types",
    "boto3.s3.transfer",
    "aws_lambda_powertools",
    "aws_lambda_powertools.metrics",
    "aws_lambda_powertools.utilities.batch",
    "PIL.Image",
    "PIL.ImageOps",
    "PIL.JpegImagePlugin",
    "PIL.PngImagePlugin",
    "pi_heif",
    "decimal",
    "http.client",
    "concurrent.futures.thread",
)
SERVICES = ("s3", "dynamodb", "sns", "sqs", "stepfunctions", "rekognition", "cloudwatch")


def preload() -> None:
    """Import the shared modules and read the service models, so that every worker finds them in memory."""
    for name in PRELOADED:
        importlib.import_module(name)
    import botocore.session

    share_service_models()
    session = botocore.session.Session()
    for service in SERVICES:
        # A throw-away client fills the shared loader's cache and imports what clients import late.
        session.create_client(
            service,
            region_name="us-east-1",
            endpoint_url="http://localhost",
            aws_access_key_id="preload",
            aws_secret_access_key="preload",  # noqa: S106 - never leaves this process
        )
    gc.collect()
    gc.freeze()


class ForkServer:
    """Reads spawn requests from the control socket and reports each worker's pid and, later, its exit status."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.workers: set[int] = set()
        self.pending = b""
        self.descriptors: list[int] = []

    def serve(self) -> None:
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.report({"ready": os.getpid()})
        while True:
            ready, _, _ = select.select([self.control, wake_read], [], [])
            if wake_read in ready:
                os.read(wake_read, 4096)
                self.reap()
            if self.control in ready and not self.read_requests():
                return

    def report(self, message: dict[str, Any]) -> None:
        self.control.sendall(json.dumps(message).encode() + b"\n")

    def read_requests(self) -> bool:
        """Handle what has arrived; False when the server has gone."""
        data, descriptors, _, _ = socket.recv_fds(self.control, 65536, 16)
        if not data:
            return False
        self.descriptors += descriptors
        self.pending += data
        while b"\n" in self.pending:
            line, self.pending = self.pending.split(b"\n", 1)
            self.spawn(json.loads(line))
        return True

    def spawn(self, request: dict[str, Any]) -> None:
        output = self.descriptors.pop(0)
        pid = os.fork()
        if pid == 0:
            self.control.close()
            run_worker(request, output)
        os.close(output)
        self.workers.add(pid)
        self.report({"spawned": request["id"], "pid": pid})

    def reap(self) -> None:
        while self.workers:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.workers.discard(pid)
            self.report({"exited": pid, "status": os.waitstatus_to_exitcode(status)})

    def kill_workers(self) -> None:
        for pid in self.workers:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                continue


def run_worker(request: dict[str, Any], output: int) -> None:
    """Become one sandbox: its own environment, its own output, then the official runtime client. Never returns."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        os.environ.clear()
        os.environ.update(request["environment"])
        time.tzset()
        root = os.environ["LAMBDA_TASK_ROOT"]
        os.chdir(root)
        sys.path.insert(0, root)
        # Imported only now: the client reads its environment when it is imported.
        from awslambdaric.__main__ import main

        main(["bootstrap", os.environ["_HANDLER"]])
        code = 0
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else 1
    except RuntimeError as error:
        # The runtime client's way of saying that the server has closed its side: nothing is left to do.
        code = 0 if "next" in str(error) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the server decides.
    preload()
    server = ForkServer(control)
    try:
        server.serve()
    except (BrokenPipeError, ConnectionResetError):
        return
    finally:
        server.kill_workers()


if __name__ == "__main__":
    main()
