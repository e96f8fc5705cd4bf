"""Sandboxes and their pool: reuses idle workers, starts further ones up to a bound, kills those that overrun."""

from __future__ import annotations

import datetime
import functools
import json
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.emulator.lambda_.crashes import Crash, new_trace_id
from local.emulator.lambda_.fork_client import ForkServerClient
from local.emulator.lambda_.functions import Credentials, Function, worker_environment
from local.emulator.lambda_.log_collector import LogCollector
from local.emulator.lambda_.platform_log import report, start_lines
from local.emulator.lambda_.runtime_api import Connection, DeadlinePassed, RuntimeRequest, WorkerGone

INIT_SECONDS = 10.0  # Lambda's own limit for the init phase
PATIENCE_SECONDS = 300.0


@dataclass(frozen=True)
class Result:
    """What an invocation gave: the payload as JSON bytes; `error` is "Unhandled" when the function failed."""

    payload: bytes
    request_id: str
    error: str | None = None


def failure(request_id: str, error_type: str, message: str) -> Result:
    payload = {"errorType": error_type, "errorMessage": f"RequestId: {request_id} Error: {message}"}
    return Result(json.dumps(payload).encode(), request_id, "Unhandled")


class Worker:
    """One sandbox: a process, its connection, its log stream. Used by one invocation at a time."""

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
        self.ticket = host.forks.spawn(environment, output)
        self.invocations = 0
        self.asked_next = False
        self.idle_since = time.monotonic()

    def await_next(self, deadline: float) -> RuntimeRequest | None:
        """Wait until the worker asks for work; returns its init error instead if it reports one."""
        if not self.asked_next:
            request = self.connection.read(deadline)
            if request.path != "/invocation/next":
                self.connection.accept_response()
                return request
            self.asked_next = True
        return None

    def run(self, request_id: str, event: bytes, deadline: float, trace_id: str) -> RuntimeRequest:
        """Hand over one event and read the answer; the deadline is in time.monotonic seconds."""
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
    """What workers need from the stack around them."""

    forks: ForkServerClient
    logs: LogCollector
    credentials: Callable[[Function], Credentials]
    region: str
    endpoint: str


class FunctionPool:
    """The workers of one function: at most `limit`; further invocations wait for one to become free."""

    def __init__(self, function: Function, host: Host, limit: int) -> None:
        self.function = function
        self._host = host
        self._limit = limit
        self._idle: list[Worker] = []
        self._count = 0
        self._free = threading.Condition()

    def warm(self) -> None:
        """Start one worker ahead of the first invocation."""
        with self._free:
            if self._count == 0:
                self._count += 1
                self._idle.append(Worker(self.function, self._host))

    def invoke(self, event: bytes, trace_id: str = "", crash: Crash | None = None) -> Result:
        """Run the handler once. Function errors are results; raises TimeoutError when no worker can be had at all.

        `crash` kills the worker in the course of it: a fault on request.
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
                    continue  # it had ended while idle: nobody has seen this event yet
                return self._init_failed(worker, request_id, ending)
            if init_error is not None:
                self._discard(worker)
                return Result(init_error.body, request_id, "Unhandled")
            if crash:
                crash.aim(functools.partial(self._host.forks.kill, worker.ticket))
            return self._run(worker, request_id, event, trace_id or new_trace_id(), crash)

    def _run(self, worker: Worker, request_id: str, event: bytes, trace_id: str, crash: Crash | None) -> Result:
        started = time.monotonic()
        for line in start_lines(self.function, request_id):
            self._log(worker, line)
        try:
            answer = worker.run(request_id, event, started + self.function.timeout, trace_id)
            if crash:  # it made fewer calls than it was to survive: it dies over its answer, which nobody gets
                crash.strike()
                raise WorkerGone
        except DeadlinePassed:
            self._discard(worker)
            message = f"Task timed out after {self.function.timeout:.2f} seconds"
            result = failure(request_id, "Sandbox.Timedout", message)
            self._report(worker, request_id, started, "timeout", message)
            return result
        except WorkerGone:
            self._discard(worker)
            message = f"Runtime exited with error: {self._ending(worker)}"
            result = failure(request_id, "Runtime.ExitError", message)
            self._report(worker, request_id, started, "error", message)
            return result
        error = "Unhandled" if answer.path.endswith("/error") else None
        self._report(worker, request_id, started, "error" if error else "success", "")
        self._give_back(worker)
        return Result(answer.body, request_id, error)

    def _init_failed(self, worker: Worker, request_id: str, ending: Exception) -> Result:
        if isinstance(ending, DeadlinePassed):
            return failure(request_id, "Sandbox.Timedout", f"Init timed out after {INIT_SECONDS:.2f} seconds")
        return failure(request_id, "Runtime.ExitError", f"Runtime exited with error: {self._ending(worker)}")

    def _ending(self, worker: Worker) -> str:
        status = self._host.forks.exit_status(worker.ticket)
        if status is None:
            return "unknown"
        return f"signal: {-status}" if status < 0 else f"exit status {status}"

    def _take(self) -> Worker:
        with self._free:
            if not self._free.wait_for(lambda: self._idle or self._count < self._limit, PATIENCE_SECONDS):
                raise TimeoutError(f"no worker of {self.function.name} became free in {PATIENCE_SECONDS:.0f} s")
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
        """End the workers that nobody has needed for so long, as Lambda does."""
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
        for line in report(self.function, request_id, seconds, status, message):
            self._log(worker, line)

    def counts(self) -> dict[str, Any]:
        with self._free:
            return {"workers": self._count, "idle": len(self._idle)}
