"""The workers of a function: reuses idle ones, starts new ones up to a limit, kills those that time out."""

from __future__ import annotations

import datetime
import functools
import json
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local.emulator.lambda_.crashes import Crash, new_trace_id
from local.emulator.lambda_.fork_client import ForkServerClient
from local.emulator.lambda_.functions import Credentials, Function, worker_environment
from local.emulator.lambda_.log_collector import LogCollector
from local.emulator.lambda_.platform_log import report_lines, start_lines
from local.emulator.lambda_.runtime_api import Connection, DeadlinePassed, RuntimeRequest, WorkerGone

INIT_SECONDS = 10.0  # Lambda's own limit for the init phase
FREE_WORKER_SECONDS = 300.0


@dataclass(frozen=True)
class Result:
    """The result of an invocation: the payload as JSON bytes. `error` is "Unhandled" if the function failed."""

    payload: bytes
    request_id: str
    error: str | None = None


def failure(request_id: str, error_type: str, message: str) -> Result:
    """The result of an invocation that failed outside the handler, in Lambda's format."""
    payload = {"errorType": error_type, "errorMessage": f"RequestId: {request_id} Error: {message}"}
    return Result(json.dumps(payload).encode(), request_id, "Unhandled")


class Worker:
    """A sandbox: a process, its connection and its log stream. It runs one invocation at a time."""

    def __init__(self, function: Function, host: Host) -> None:
        self.function = function
        self.connection = Connection()
        today = datetime.datetime.now(datetime.UTC)
        self.log_stream = f"{today:%Y/%m/%d}/[$LATEST]{uuid.uuid4().hex}"
        output = host.logs.attach(function.log_group, self.log_stream)
        environment = worker_environment(
            function,
            region=host.region,
            endpoint=host.endpoint,
            runtime_api=self.connection.address,
            log_stream=self.log_stream,
            credentials=host.credentials(function),
        )
        environment = {**host.environment, **environment}
        self.ticket = host.forks.spawn(environment, output)
        self.invocations = 0
        self.asked_next = False
        self.idle_since = time.monotonic()

    def await_next(self, deadline: float) -> RuntimeRequest | None:
        """Wait until the worker requests an invocation. Returns the worker's report if its initialization failed."""
        if not self.asked_next:
            request = self.connection.read(deadline)
            if request.path != "/invocation/next":
                self.connection.accept_response()
                return request
            self.asked_next = True
        self.connection.check_open()  # one that has ended meanwhile has asked before
        return None

    def run(self, request_id: str, event: bytes, deadline: float, trace_id: str) -> RuntimeRequest:
        """Send one event and read the response. The deadline is in seconds of time.monotonic."""
        left = deadline - time.monotonic()
        self.asked_next = False
        self.invocations += 1
        headers = {
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + left) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": self.function.arn,
            "Lambda-Runtime-Trace-Id": trace_id,
        }
        self.connection.answer_next(headers, event)
        answer = self.connection.read(deadline)
        self.connection.accept_response()
        return answer


@dataclass
class Host:
    """The parts of the emulator that workers need."""

    forks: ForkServerClient
    logs: LogCollector
    credentials: Callable[[Function], Credentials]
    region: str
    endpoint: str
    environment: Mapping[str, str]
    """Further variables of every function; the function's own have precedence."""


class FunctionPool:
    """The workers of one function, at most `limit`. Further invocations wait for a free worker."""

    def __init__(self, function: Function, host: Host, limit: int) -> None:
        self.function = function
        self._host = host
        self._limit = limit
        self._idle: list[Worker] = []
        self._count = 0
        self._free = threading.Condition()

    def warm(self) -> None:
        """Start one worker before the first invocation."""
        with self._free:
            if self._count == 0:
                self._count += 1
                self._idle.append(Worker(self.function, self._host))

    def invoke(self, event: bytes, trace_id: str = "", crash: Crash | None = None) -> Result:
        """Run the handler once. Raises TimeoutError if no worker becomes free. A function's error is a result.

        `crash` is an injected fault that kills the worker during the invocation.
        """
        request_id = str(uuid.uuid4())
        while True:
            worker = self._take()
            fresh = worker.invocations == 0
            try:
                init_error = worker.await_next(time.monotonic() + INIT_SECONDS)
            except (WorkerGone, DeadlinePassed) as ending:
                self._discard(worker)
                if not fresh:
                    continue  # it ended while idle and hasn't received the event
                return self._init_failed(worker, request_id, ending)
            if init_error is not None:
                self._discard(worker)
                return Result(init_error.body, request_id, "Unhandled")
            if crash:
                crash.arm(functools.partial(self._host.forks.kill, worker.ticket))
            return self._run(worker, request_id, event, trace_id or new_trace_id(), crash)

    def _run(self, worker: Worker, request_id: str, event: bytes, trace_id: str, crash: Crash | None) -> Result:
        started = time.monotonic()
        for line in start_lines(self.function, request_id):
            self._log(worker, line)
        try:
            answer = worker.run(request_id, event, started + self.function.timeout, trace_id)
            if crash:  # the handler made too few calls: the worker is killed after its response, which is lost
                crash.strike()
                raise WorkerGone
        except (DeadlinePassed, WorkerGone) as ending:
            self._discard(worker)
            return self._sandbox_failed(worker, request_id, started, ending)
        error = "Unhandled" if answer.path.endswith("/error") else None
        self._report(worker, request_id, started, "error" if error else "success", "")
        self._give_back(worker)
        return Result(answer.body, request_id, error)

    def _sandbox_failed(self, worker: Worker, request_id: str, started: float, ending: Exception) -> Result:
        if isinstance(ending, DeadlinePassed):
            status, error_type = "timeout", "Sandbox.Timedout"
            message = f"Task timed out after {self.function.timeout:.2f} seconds"
        else:
            status, error_type = "error", "Runtime.ExitError"
            message = f"Runtime exited with error: {self._exit_description(worker)}"
        self._report(worker, request_id, started, status, message)
        return failure(request_id, error_type, message)

    def _init_failed(self, worker: Worker, request_id: str, ending: Exception) -> Result:
        if isinstance(ending, DeadlinePassed):
            return failure(request_id, "Sandbox.Timedout", f"Init timed out after {INIT_SECONDS:.2f} seconds")
        return failure(request_id, "Runtime.ExitError", f"Runtime exited with error: {self._exit_description(worker)}")

    def _exit_description(self, worker: Worker) -> str:
        status = self._host.forks.exit_status(worker.ticket)
        if status is None:
            return "unknown"
        return f"signal: {-status}" if status < 0 else f"exit status {status}"

    def _take(self) -> Worker:
        with self._free:
            if not self._free.wait_for(lambda: self._idle or self._count < self._limit, FREE_WORKER_SECONDS):
                raise TimeoutError(f"no worker of {self.function.name} became free within {FREE_WORKER_SECONDS:.0f} s")
            if self._idle:
                return self._idle.pop()
            self._count += 1
        try:
            return Worker(self.function, self._host)
        except OSError:
            with self._free:
                self._count -= 1
            raise

    def end_idle(self, seconds: float) -> None:
        """Stop the workers that have been idle for this time, as Lambda does."""
        limit = time.monotonic() - seconds
        with self._free:
            idle = [worker for worker in self._idle if worker.idle_since < limit]
            self._idle = [worker for worker in self._idle if worker.idle_since >= limit]
        for worker in idle:
            self._discard(worker)

    def _give_back(self, worker: Worker) -> None:
        worker.idle_since = time.monotonic()
        with self._free:
            self._idle.append(worker)
            self._free.notify()

    def _discard(self, worker: Worker) -> None:
        worker.connection.close()
        self._host.forks.kill(worker.ticket)
        with self._free:
            self._count -= 1
            self._free.notify()

    def _log(self, worker: Worker, line: str) -> None:
        self._host.logs.add(self.function.log_group, worker.log_stream, line)

    def _report(self, worker: Worker, request_id: str, started: float, status: str, message: str) -> None:
        seconds = time.monotonic() - started
        for line in report_lines(self.function, request_id, seconds, status, message):
            self._log(worker, line)

    def counts(self) -> dict[str, Any]:
        with self._free:
            return {"workers": self._count, "idle": len(self._idle)}
