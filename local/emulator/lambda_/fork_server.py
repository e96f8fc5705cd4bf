"""The fork server: imports what functions need once, then forks one worker for each requested sandbox.

Workers share the imported memory pages (copy on write), and a cold start takes milliseconds. The fork server is a separate
program, `python -m local.emulator.lambda_.fork_server FD [MODULE ...]`, so that it doesn't inherit the server's threads. The
control socket FD carries one JSON object per line. A spawn request carries the file descriptor of the worker's output.
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
from collections.abc import Sequence
from typing import Any

from local.emulator.memory import share_service_models

# Modules that boto3 imports late.
PRELOADED = (
    "boto3.dynamodb.conditions",
    "boto3.dynamodb.types",
    "boto3.s3.transfer",
    "decimal",
    "http.client",
    "concurrent.futures.thread",
)
SERVICES = ("s3", "dynamodb", "sns", "sqs", "stepfunctions", "rekognition", "cloudwatch")


def preload(modules: Sequence[str]) -> None:
    """Import the modules and read the service models, so that all workers share them."""
    for name in (*PRELOADED, *modules):
        importlib.import_module(name)
    import botocore.session

    share_service_models()
    session = botocore.session.Session()
    for service in SERVICES:
        # Creating a client fills the shared loader's cache and runs its late imports.
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
    """Reads spawn requests from the control socket and reports each worker's pid and exit status."""

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
            sources: list[socket.socket | int] = [self.control, wake_read]
            ready, _, _ = select.select(sources, [], [])
            if wake_read in ready:
                os.read(wake_read, 4096)
                self.reap()
            if self.control in ready and not self.read_requests():
                return

    def report(self, message: dict[str, Any]) -> None:
        self.control.sendall(json.dumps(message).encode() + b"\n")

    def read_requests(self) -> bool:
        """Handle the requests that have arrived. Returns False if the server has closed the socket."""
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
    """Turn this process into a sandbox with its own environment and output, and run the runtime client. Never returns."""
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
        # Imported here because the client reads the environment when it is imported.
        from awslambdaric.__main__ import main

        main(["bootstrap", os.environ["_HANDLER"]])
        code = 0
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else 1
    except RuntimeError as error:
        # The runtime client raises this when the server closes the connection.
        code = 0 if "next" in str(error) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C signals the whole process group; only the server reacts
    preload(sys.argv[2:])
    server = ForkServer(control)
    try:
        server.serve()
    except (BrokenPipeError, ConnectionResetError):
        return
    finally:
        server.kill_workers()


if __name__ == "__main__":
    main()
