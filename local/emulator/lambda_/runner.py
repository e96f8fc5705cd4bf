"""Invokes deployed functions, synchronously or asynchronously with Lambda's retries."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from local.emulator.gateway.faults import CRASH, TIMEOUT, Fault, Faults
from local.emulator.lambda_.crashes import Crash, Crashes
from local.emulator.lambda_.functions import Function
from local.emulator.lambda_.workers import FunctionPool, Host, Result

log = logging.getLogger(__name__)

# Handlers mostly wait for this process, so more workers don't help; each needs about 20 MB.
WORKERS_PER_FUNCTION = 2
IDLE_SECONDS = 300.0
TOO_MANY_REQUESTS = "TooManyRequestsException"  # Lambda refuses an invocation: no concurrent execution is free
# Lambda retries a failed asynchronous invocation after one and two minutes. Tests should not wait as long.
ASYNC_RETRY_SECONDS = (1.0, 2.0)


class FunctionNotFound(LookupError):
    """No function with this name is deployed."""


class InvokeFault(Exception):
    """An injected fault: Lambda returns this error instead of running the function."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class LambdaRunner:
    """The deployed functions, each with its own workers.

    `invoked(name, failed, seconds)` is called after each invocation, `throttled(name)` after each that is refused for its rate.
    """

    def __init__(
        self,
        host: Host,
        faults: Faults,
        invoked: Callable[[str, bool, float], None] = lambda *_: None,
        throttled: Callable[[str], None] = lambda _: None,
        limit: int = WORKERS_PER_FUNCTION,
    ) -> None:
        self._invoked = invoked
        self._throttled = throttled
        self._host = host
        self._faults = faults
        self._limit = limit
        self._pools: dict[str, FunctionPool] = {}
        self._async = ThreadPoolExecutor(max_workers=8, thread_name_prefix="async-invoke")
        self._stopping = threading.Event()
        self.crashes = Crashes()

    def add(self, function: Function) -> None:
        self._pools[function.name] = FunctionPool(function, self._host, self._limit)

    def warm(self, names: list[str]) -> None:
        """Start a worker for each of these functions. Others start on demand, in about 30 ms."""
        for name in names:
            self.pool(name).warm()
        threading.Thread(target=self._end_idle, name="idle-workers", daemon=True).start()

    def _end_idle(self) -> None:
        while not self._stopping.wait(IDLE_SECONDS / 10):
            for pool in self._pools.values():
                pool.end_idle(IDLE_SECONDS)

    def pool(self, name_or_arn: str) -> FunctionPool:
        """The workers of a function, given its name, ARN or partial ARN, with or without $LATEST."""
        name = name_or_arn
        if ":" in name:
            parts = name.split(":")
            name = parts[parts.index("function") + 1] if "function" in parts else parts[0]
        try:
            return self._pools[name]
        except KeyError:
            raise FunctionNotFound(name_or_arn) from None

    def function(self, name_or_arn: str) -> Function:
        return self.pool(name_or_arn).function

    def functions(self) -> list[Function]:
        return [pool.function for pool in self._pools.values()]

    def invoke(self, name_or_arn: str, event: bytes, trace_id: str = "") -> Result:
        """Run a function and wait for its result. Raises FunctionNotFound, or InvokeFault for an injected fault."""
        pool = self.pool(name_or_arn)
        started = time.monotonic()
        result = self._invoke(pool, event, trace_id)
        self._invoked(pool.function.name, result.error is not None, time.monotonic() - started)
        return result

    def _invoke(self, pool: FunctionPool, event: bytes, trace_id: str) -> Result:
        fault = self._faults.match("lambda", "Invoke", pool.function.name, pool.function.arn, body=event)
        if fault is None:
            return pool.invoke(event, trace_id)
        self._stopping.wait(fault.delay_seconds)
        if fault.code not in (CRASH, TIMEOUT):
            if fault.code == TOO_MANY_REQUESTS:
                self._throttled(pool.function.name)
            raise InvokeFault(fault)
        if fault.code == TIMEOUT:
            return pool.invoke(event, trace_id)
        crash = Crash(pool.function.name, fault.after_calls, fault.deaths)
        with self.crashes.expected(crash):
            return pool.invoke(event, crash.trace_id, crash)

    def invoke_async(self, name_or_arn: str, event: bytes) -> None:
        """Queue the event. A failing function is invoked up to two more times; then the event is dropped and logged."""
        pool = self.pool(name_or_arn)
        self._async.submit(self._attempt, pool.function.name, event, 0)

    def _attempt(self, name: str, event: bytes, attempt: int) -> None:
        try:
            result = self.invoke(name, event)
            failure = result.payload.decode("utf-8", "replace") if result.error else ""
        except (InvokeFault, TimeoutError) as error:
            failure = str(error)
        if not failure or self._stopping.is_set():
            return
        if attempt >= len(ASYNC_RETRY_SECONDS):
            log.error("%s failed %d times on an asynchronous event: %s", name, attempt + 1, failure)
            return
        timer = threading.Timer(ASYNC_RETRY_SECONDS[attempt], lambda: self._async.submit(self._attempt, name, event, attempt + 1))
        timer.daemon = True
        timer.start()

    def counts(self) -> dict[str, Any]:
        return {name: pool.counts() for name, pool in self._pools.items()}

    def stop(self) -> None:
        self._stopping.set()
        self._async.shutdown(wait=False, cancel_futures=True)
        self._host.forks.close()
        self._host.logs.stop()
