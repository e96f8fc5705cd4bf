"""Injected crashes: kill a worker during an invocation, after a number of its AWS calls.

The trace header identifies an invocation's calls: the SDK copies it from Lambda's runtime to each request.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Crash:
    """One injected crash. The last of `after_calls` calls takes effect, but the worker doesn't receive the response."""

    def __init__(self, function: str, after_calls: int, deaths: list[dict[str, Any]]) -> None:
        self.trace_id = new_trace_id()
        self._function = function
        self._after_calls = after_calls
        self._deaths = deaths
        self._calls: list[str] = []
        self._lock = threading.Lock()
        self._kill: Callable[[], None] | None = None

    def arm(self, kill: Callable[[], None]) -> None:
        """Set the function that kills the worker. If `after_calls` is 0, call it immediately."""
        self._kill = kill
        if self._after_calls == 0:
            self.strike()

    def called(self, call: str) -> None:
        """Count a call, such as "dynamodb:UpdateItem", that was served but not yet answered."""
        with self._lock:
            self._calls.append(call)
            due = len(self._calls) == self._after_calls
        if due:
            self.strike()

    def strike(self) -> None:
        """Kill the worker. Further calls do nothing."""
        with self._lock:
            kill, self._kill = self._kill, None
            if kill:
                self._deaths.append({"function": self._function, "calls": list(self._calls)})
        if kill:
            kill()


class Crashes:
    """The injected crashes of running invocations, by trace header."""

    def __init__(self) -> None:
        self._by_trace: dict[str, Crash] = {}

    @contextmanager
    def expected(self, crash: Crash) -> Iterator[None]:
        """Count the calls of the crash's invocation until the block ends."""
        self._by_trace[crash.trace_id] = crash
        try:
            yield
        finally:
            del self._by_trace[crash.trace_id]

    def call_served(self, trace_id: str, call: str) -> None:
        """Count a call whose request has this trace header. Call it before the response is sent."""
        if self._by_trace and (crash := self._by_trace.get(trace_id)):
            crash.called(call)


def new_trace_id() -> str:
    """An X-Ray trace header in Lambda's format, not sampled."""
    token = uuid.uuid4().hex
    return f"Root=1-{int(time.time()):08x}-{token[:24]};Parent={token[:16]};Sampled=0"
